"""The Docker daemon hangs: it takes connections and answers nothing."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("DockerDown", "critical")]


def inject(world: World) -> None:
    world.docker.freeze()


def recover(world: World) -> None:
    world.docker.thaw()
