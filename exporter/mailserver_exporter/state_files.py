"""Write the small files of the state directory: all or nothing, and for nobody else to read."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


def replace(file: Path, content: bytes) -> None:
    """Give a file a new content, or leave it as it was where the disk is full or the machine loses its power.

    Makes the directory where it is missing. Raises OSError.
    """
    _make_directory(file)
    temporary = file.with_suffix(".new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as output:
            output.write(content)
            output.flush()
            os.fsync(output.fileno())
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the lock ``file``, which only one process has at a time; wait for it. Raises OSError."""
    _make_directory(file)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_directory(file: Path) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
