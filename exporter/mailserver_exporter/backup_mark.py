"""``mailserver-exporter backup-mark``: note that a backup was made, failed, was copied, or was restored for practice.

Needs no running exporter: the note is a file in the state directory, and the exporter reads it within a minute.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from mailserver_exporter import state_files
from mailserver_exporter.sources import SourceError, backup_marks, files
from mailserver_exporter.sources.backup_marks import SIZES, Mark


def note(state_directory: Path, name: str, event: str, size: int | None = None) -> bool:
    """Add an event to what is known of a backup: ``succeeded``, ``failed``, ``copied``, ``rehearsed`` or ``forget``.

    Returns False where there was nothing to forget; raises OSError when it cannot be written. A mark that cannot be
    read is kept beside the new one, as ``NAME.damaged``.
    """
    file = Path(backup_marks.path(str(state_directory), name))
    with state_files.locked(file.parent / ".lock"):
        if event == "forget":
            known = file.exists()
            file.unlink(missing_ok=True)
            return known
        mark = replace(_known(file), **{event: time.time()})  # type: ignore[arg-type]
        if size is not None:
            mark = replace(mark, sizes=(*mark.sizes, float(size))[-SIZES:])
        state_files.replace(file, backup_marks.encode(mark))
    return True


def _known(file: Path) -> Mark:
    try:
        return backup_marks.parse(files.read(str(file)))
    except FileNotFoundError:
        return Mark()
    except SourceError:
        file.replace(file.with_suffix(".damaged"))
        return Mark()
