"""The Docker daemon is stopped, and all containers with it."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("DockerDown", "critical")]


def inject(world: World) -> None:
    world.docker.stop()


def recover(world: World) -> None:
    world.docker.start()
