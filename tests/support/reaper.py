"""Run a program that leaves processes behind when it ends, and see them all off: ``reaper.py PROGRAM ARGUMENT...``

Where nothing else does, as in many a container, orphans would stay as zombies, which other tests count. The program
gets a session of its own; on SIGTERM, and when whoever started this is gone, it is asked to end, and killed with all of
its session when it does not.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1  # prctl(2)
PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = 5.0


def command(*words: str | Path) -> list[str | Path]:
    """Return the command that runs a program under the reaper."""
    return [sys.executable, __file__, *words]


def main(words: Sequence[str]) -> int:
    """Run the program and wait for it and everything it started; return its exit status."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    child = os.fork()
    if child == 0:
        os.setsid()
        os.execvp(words[0], words)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    _, status = os.waitpid(child, 0)
    end = time.monotonic() + GRACE_SECONDS
    killed = False
    while _reap():
        if not killed and time.monotonic() > end:
            os.killpg(child, signal.SIGKILL)
            killed = True
        time.sleep(0.02)
    return os.waitstatus_to_exitcode(status) & 0xFF


def _reap() -> bool:
    """Collect what has ended; say whether anything is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
