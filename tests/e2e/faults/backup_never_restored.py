"""Nobody has ever tried to restore a backup."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("RestoreNotRehearsed", "info")]


def inject(world: World) -> None:
    world.mark("forget")


def recover(world: World) -> None:
    world.mark("rehearsed")
