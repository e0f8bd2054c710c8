"""What the name of a file or folder tells about a backup: when it was made, what it is of, whether it is whole."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

# 2026-01-31, 20260131, 2026-01-31-03-00-00 (mailcow), 2026-01-31T03:00, 2026-01-31_030000
_STAMP = re.compile(
    r"(?<!\d)(20\d\d)[-_.]?(\d\d)[-_.]?(\d\d)(?:[-_.T ]?([01]\d|2[0-3])[-_.:h]?([0-5]\d)(?:[-_.:m]?([0-5]\d))?)?(?!\d)"
)
ARCHIVES = (
    *(f".tar{suffix}" for suffix in ("", ".gz", ".zst", ".xz", ".bz2")),
    *(f".sql{suffix}" for suffix in ("", ".gz", ".zst", ".xz", ".bz2")),
    *(".tgz", ".tbz2", ".txz", ".tzst", ".zip", ".gz", ".zst", ".xz", ".bz2"),
)
# Cannot be looked into without a key, but are backups all the same.
_SEALED = (".gpg", ".age", ".enc")
_TEMPORARY = re.compile(
    r"\.(tmp|temp|part|partial|incomplete|inprogress|unfinished|new|lock|swp|filepart)(\.|$)|~$|^\.(tmp|partial|incomplete)"
    # What rsync writes before it gives a file its name: .NAME.XXXXXX
    r"|^\..+\.[A-Za-z0-9]{6}$|^(lock|\.lock)$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Dated:
    """A name with a date: its text, its seconds since the epoch by this machine's clock, and what stands around it."""

    stamp: str
    moment: float
    prefix: str
    suffix: str


def dated(name: str) -> Dated | None:
    """Return what a name with a date says, or None for any other; a date that no calendar has is none."""
    if len(name) > 255:
        return None
    for match in _STAMP.finditer(name):
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
        try:
            moment = datetime(year, month, day, hour, minute, second).astimezone().timestamp()
        except (ValueError, OverflowError):
            continue
        return Dated(match[0], moment, name[: match.start()].rstrip("-_. "), name[match.end() :])
    return None


def is_archive(name: str) -> bool:
    """Say whether the name is that of an archive or a dump that can be read to its end."""
    return name.lower().endswith(ARCHIVES)


def is_backup_file(name: str) -> bool:
    """Say whether a dated file is a backup rather than, for example, a log."""
    return is_archive(name) or name.lower().endswith(_SEALED)


def is_temporary(name: str) -> bool:
    """Say whether the name says that somebody is still writing."""
    return bool(_TEMPORARY.search(name))


def part(name: str) -> str:
    """Return a file's name without its date, so that the same part of each backup has the same name."""
    found = dated(name)
    return f"{found.prefix}{found.suffix}".lstrip("-_ ") if found else name
