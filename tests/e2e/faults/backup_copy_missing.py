"""The second host with the copies is gone."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("BackupCopyMissing", "warning")]


def inject(world: World) -> None:
    world.backups_copy.rename(world.folder / "gone")


def recover(world: World) -> None:
    (world.folder / "gone").rename(world.backups_copy)
