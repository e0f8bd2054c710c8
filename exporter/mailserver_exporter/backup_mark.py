"""``mailserver-exporter backup-mark``: note that a backup was made, failed, was copied, or was restored for practice.

Needs no running exporter: the note is a file in the state directory, and the exporter reads it within a minute.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mailserver_exporter.sources import SourceError, backup_marks, files
from mailserver_exporter.sources.backup_marks import SIZES, Mark


def note(state_directory: Path, name: str, event: str, size: int | None = None) -> bool:
    """Add an event to what is known of a backup: ``succeeded``, ``failed``, ``copied``, ``rehearsed`` or ``forget``.

    Returns False where there was nothing to forget; raises OSError when it cannot be written. A mark that cannot be
    read is kept beside the new one, as ``NAME.damaged``.
    """
    file = Path(backup_marks.path(str(state_directory), name))
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(file.parent / ".lock"):
        if event == "forget":
            known = file.exists()
            file.unlink(missing_ok=True)
            return known
        mark = replace(_known(file), **{event: time.time()})  # type: ignore[arg-type]
        if size is not None:
            mark = replace(mark, sizes=(*mark.sizes, float(size))[-SIZES:])
        _replace(file, backup_marks.encode(mark))
    return True


def _known(file: Path) -> Mark:
    try:
        return backup_marks.parse(files.read(str(file)))
    except FileNotFoundError:
        return Mark()
    except SourceError:
        file.replace(file.with_suffix(".damaged"))
        return Mark()


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(file: Path, content: bytes) -> None:
    """Write all or nothing, also where the disk is full or the machine loses its power."""
    temporary = file.with_suffix(".new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as output:
            output.write(content)
            output.flush()
            os.fsync(output.fileno())
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
