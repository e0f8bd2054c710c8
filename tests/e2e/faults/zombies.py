"""A careless parent does not collect its dead children."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.e2e.world import World
from tests.support.processes import Program

_CARELESS = """
import os, pathlib, time
pathlib.Path("/proc/self/comm").write_text("careless")
for _ in range(30):
    os.fork() or os._exit(0)
time.sleep(600)
"""
PARENT = Program([sys.executable, "-c", _CARELESS], Path(os.devnull))

EXPECTED = [("ZombieProcesses", "warning")]


def inject(world: World) -> None:
    PARENT.start()


def recover(world: World) -> None:
    PARENT.stop()
