"""A parent collects its ended children no more, few of them yet."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.e2e.world import World
from tests.support.processes import Program

_LEAKY = """
import os, pathlib, time
pathlib.Path("/proc/self/comm").write_text("leaky")
for _ in range(6):
    os.fork() or os._exit(0)
time.sleep(600)
"""
PARENT = Program([sys.executable, "-c", _LEAKY], Path(os.devnull))

EXPECTED = [("ZombiesGrowing", "warning")]


def inject(world: World) -> None:
    PARENT.start()


def recover(world: World) -> None:
    PARENT.stop()
