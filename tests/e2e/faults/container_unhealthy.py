"""The health check of a container fails."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("ContainerUnhealthy", "warning")]


def inject(world: World) -> None:
    world.container("redis-mailcow").exec_run(["rm", "/good"])


def recover(world: World) -> None:
    world.container("redis-mailcow").exec_run(["touch", "/good"])
