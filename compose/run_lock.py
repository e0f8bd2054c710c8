"""See to it that only one `make run` uses a folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


class LockedError(Exception):
    """Another one runs; the message says which and where."""


@contextlib.contextmanager
def only_one(folder: Path, address: str) -> Iterator[None]:
    """Hold the folder as long as the block runs, also against a holder that was killed. Raises LockedError, OSError.

    ``address`` is what the other one is told by.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Not passed on to children: the lock ends with us, whatever becomes of them.
    with (folder / "lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise LockedError(f"it runs already: {lock.read().strip() or 'it has just been started'}") from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()}, {address}\n")
        lock.flush()
        try:
            yield
        finally:
            lock.truncate(0)
