"""Nobody has made a backup since the day before yesterday."""

from __future__ import annotations

import shutil

from tests.e2e.world import World

EXPECTED = [("BackupOld", "warning")]


def inject(world: World) -> None:
    for folder in sorted(world.backups.iterdir())[1:]:
        shutil.rmtree(folder)


def recover(world: World) -> None:
    world.make_backups()
