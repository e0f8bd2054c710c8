"""The newest archive ends early."""

from __future__ import annotations

import os

from tests.e2e.world import World

EXPECTED = [("BackupUnreadable", "warning")]


def inject(world: World) -> None:
    archive = world.newest_backup / "etc.tar.gz"
    os.truncate(archive, archive.stat().st_size - 5000)


def recover(world: World) -> None:
    world.make_backups()
