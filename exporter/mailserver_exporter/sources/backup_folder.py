"""Directories of backups: which there are, and how large and how settled one of them is."""

from __future__ import annotations

import fnmatch
import heapq
import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass

from mailserver_exporter.sources import SourceError, backup_names

NEWEST = 12
MAX_LISTED = 300_000
MAX_WALKED = 100_000
MAX_DEPTH = 32
MAX_NAMES = 64
_MAX_KEPT = 1024
_DAY = 86400.0
# A name's time is the host's, which may not be ours; and a backup may take a day and more.
_ZONES, _LONGEST = 14 * 3600.0, 2 * _DAY


@dataclass(frozen=True)
class Entry:
    """One backup: the files or the folder that share a date; ``moment`` is what the name says, or the mtime."""

    key: str
    moment: float
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Listing:
    """What a directory holds: how many backups, the newest of them first, and how many are dated in the future."""

    count: int
    newest: tuple[Entry, ...]
    in_future: int


@dataclass(frozen=True)
class Measure:
    """The files of one backup: bytes on the disk, newest mtime, last change of anything, names at its top.

    ``writing`` says that a name in it is one for unfinished files.
    """

    size: int
    modified: float
    changed: float
    entries: int
    names: tuple[str, ...]
    writing: bool

    @property
    def fingerprint(self) -> tuple[int, float, int]:
        """What is another as soon as something in the backup is."""
        return self.size, self.modified, self.entries


def entries(path: str) -> Iterator[os.DirEntry[str]]:
    """Yield a directory's entries; raises OSError, and SourceError where there are too many."""
    with os.scandir(path) as found:
        for number, entry in enumerate(found):
            if number >= MAX_LISTED:
                raise SourceError(f"{path} has more than {MAX_LISTED} entries", remedy="set backups.sets in config.yml")
            yield entry


def counts(entry: os.DirEntry[str], pattern: re.Pattern[str] | None) -> bool:
    """Say whether an entry can be a backup. Links are none: where they lead, something else is counted."""
    name = entry.name
    if name.startswith(".") or backup_names.is_temporary(name) or entry.is_symlink():
        return False
    if pattern is not None:
        return bool(pattern.match(name))
    if backup_names.dated(name) is None:
        return False
    return entry.is_dir(follow_symlinks=False) or backup_names.is_backup_file(name)


def listing(path: str, now: float, pattern: str | None = None, prefix: str | None = None) -> Listing:
    """List the backups in a directory; raises OSError, and SourceError where there are too many entries.

    ``pattern`` says which names count, instead of those with a date; ``prefix`` what has to stand before the date.

    A name or a clock that lies would be the newest for years, and no backup be missed in all that time: what is dated
    more than a day ahead does not count.
    """
    matches = re.compile(fnmatch.translate(pattern)) if pattern else None
    found: dict[str, tuple[float, list[str]]] = {}
    dropped = in_future = 0
    for entry in entries(path):
        if not counts(entry, matches):
            continue
        dated = backup_names.dated(entry.name)
        if prefix is not None and (dated is None or dated.prefix != prefix):
            continue
        try:
            key, moment = (
                (dated.stamp, dated.moment) if dated else (entry.name, entry.stat(follow_symlinks=False).st_mtime)
            )
        except FileNotFoundError:
            continue
        if moment > now + _DAY:
            in_future += 1
            continue
        paths = found.setdefault(key, (moment, []))[1]
        if len(paths) < MAX_NAMES:
            paths.append(entry.path)
        if len(found) > _MAX_KEPT:
            newest = _newest(found)
            dropped += len(found) - len(newest)
            found = dict(newest)
    backups = (Entry(key, moment, tuple(sorted(paths))) for key, (moment, paths) in _newest(found))
    return Listing(dropped + len(found), tuple(backups), in_future)


def _newest(found: dict[str, tuple[float, list[str]]]) -> list[tuple[str, tuple[float, list[str]]]]:
    return heapq.nlargest(NEWEST, found.items(), key=lambda item: (item[1][0], item[0]))


def measure(entry: Entry) -> Measure:
    """Walk through a backup; links are not followed, and no more than 100,000 files are looked at. Raises OSError."""
    walk = _Walk()
    for path in entry.paths:
        walk.file(path, os.path.basename(path), 0)
    while walk.folders and walk.entries < MAX_WALKED:
        walk.folder(*walk.folders.pop())
    return Measure(walk.size, walk.modified, walk.changed, walk.entries, tuple(sorted(walk.names)), walk.writing)


class _Walk:
    """What a walk has seen so far; only folders wait in memory."""

    def __init__(self) -> None:
        self.folders: list[tuple[str, int]] = []
        self.names: list[str] = []
        self.size = self.entries = 0
        self.modified = self.changed = 0.0
        self.writing = False

    def folder(self, path: str, depth: int) -> None:
        try:
            with os.scandir(path) as found:
                for entry in found:
                    self.file(entry.path, entry.name, depth + 1)
                    if self.entries >= MAX_WALKED:
                        return
        except FileNotFoundError:
            # Vanished meanwhile: somebody is at work here.
            self.changed = time.time()

    def file(self, path: str, name: str, depth: int) -> None:
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            self.changed = time.time()
            return
        self.entries += 1
        self.modified = max(self.modified, status.st_mtime)
        self.changed = max(self.changed, status.st_mtime, status.st_ctime)
        is_folder = stat.S_ISDIR(status.st_mode)
        if depth > 0 and backup_names.is_temporary(name):
            self.writing = True
        if (depth == 1 or (depth == 0 and not is_folder)) and len(self.names) < MAX_NAMES:
            # It may become a label, and those are text.
            self.names.append(os.fsencode(name).decode(errors="replace"))
        if not is_folder:
            self.size += _on_disk(status)
        elif depth < MAX_DEPTH:
            self.folders.append((path, depth))


def _on_disk(status: os.stat_result) -> int:
    """Return a file's bytes without the holes of a sparse one; very small files may live in their inode."""
    return status.st_size if status.st_size < 4096 else min(status.st_size, status.st_blocks * 512)


def made(entry: Entry, measure: Measure, now: float) -> float:
    """Return when a backup was made: its newest file's time where that fits its name, else the name's."""
    fits = entry.moment - _ZONES <= measure.modified <= min(entry.moment + _LONGEST, now)
    return measure.modified if fits else min(entry.moment, now)
