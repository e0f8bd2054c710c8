"""The backup script reports a failure."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("BackupFailed", "warning")]


def inject(world: World) -> None:
    world.mark("failed")


def recover(world: World) -> None:
    world.mark("succeeded")
