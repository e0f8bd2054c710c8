"""Somebody installed an update that needs a reboot, four days ago."""

from __future__ import annotations

import os
import time

from tests.e2e.world import World

EXPECTED = [("RebootRequired", "warning")]


def inject(world: World) -> None:
    with world.unseen():
        file = world.debian / "var/run/reboot-required"
        file.touch()
        then = time.time() - 4 * 86400
        os.utime(file, (then, then))


def recover(world: World) -> None:
    (world.debian / "var/run/reboot-required").unlink()
