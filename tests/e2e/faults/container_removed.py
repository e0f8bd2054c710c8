"""A container of the mail stack is removed altogether."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("ServiceDown", "critical")]


def inject(world: World) -> None:
    world.container("dovecot-mailcow").remove(force=True)


def recover(world: World) -> None:
    world.compose("up", "--detach", "--wait")
