"""A container ends as soon as it is started, and Docker starts it again and again."""

from __future__ import annotations

from tests.e2e.world import World
from tests.support.docker_engine import IMAGE

EXPECTED = [("ContainerRestarting", "critical")]


def inject(world: World) -> None:
    world.docker.client().containers.run(
        IMAGE, ["sh", "-c", "sleep 0.2; exit 3"], name="looping", detach=True, restart_policy={"Name": "always"}
    )


def recover(world: World) -> None:
    world.docker.client().containers.get("looping").remove(force=True)
