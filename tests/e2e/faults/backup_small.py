"""A backup was made while what belongs into it was not mounted."""

from __future__ import annotations

import shutil

from tests.e2e.world import World
from tests.support.backups import backup, dated, packed, tar

EXPECTED = [("BackupSmall", "warning")]


def inject(world: World) -> None:
    parts = {"etc.tar.gz": packed("gzip", tar(1, 500)), "packages.txt": b"none"}
    backup(world.backups / dated(0, "%Y-%m-%d-%H-%M-%S"), parts)


def recover(world: World) -> None:
    shutil.rmtree(world.newest_backup)
