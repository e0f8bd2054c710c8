"""A part of the newest backup is missing."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("BackupIncomplete", "warning")]


def inject(world: World) -> None:
    (world.newest_backup / "packages.txt").unlink()


def recover(world: World) -> None:
    (world.newest_backup / "packages.txt").write_text("postfix 3.7\n")
