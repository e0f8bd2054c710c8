"""A log file that is followed through its rotations, also through those that happened while nobody read.

A file is known by the checksum of its first bytes, because its name changes when it is renamed, its inode when it is
copied (logrotate's copytruncate) or compressed, and neither when it is emptied. The position stays at the end of the
old file until the new one holds something: an empty file cannot be told from another, and whoever writes may go on
writing to the old one until then.
"""

from __future__ import annotations

import logging
import os
import stat
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from mailserver_exporter.sources import SourceError
from mailserver_exporter.sources.log_source import MAX_LINE, Batch
from mailserver_exporter.sources.rotation import FINGERPRINT_BYTES, Opened, Sibling, family

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """Where reading goes on.

    ``offset`` counts bytes of the uncompressed content and is the start of a line, unless ``inside`` says that it is
    in the middle of one that is too long. ``head`` is the checksum of the first ``length`` bytes; there are none where
    the log was empty or missing when it was first looked at. ``modified`` is when the newest file that is known was
    written to, in ns.
    """

    device: int = 0
    inode: int = 0
    offset: int = 0
    head: int = 0
    length: int = 0
    modified: int = 0
    inside: bool = False


class LogFile:
    """The log at ``path``, called ``name``, with what has been rotated away from it."""

    def __init__(self, name: str, path: str, position: Any = None) -> None:
        """Go on at ``position``, or begin at the end. Raises TypeError or ValueError where it is no position."""
        self.name = name
        self._path = path
        self._place = _place(position) if position else None
        # The file that the place is in, while it is at hand.
        self._file: Opened | None = None
        self._seen: object = None

    def position(self) -> Any:
        """Return the place as JSON."""
        return None if self._place is None else asdict(self._place)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def read(self, max_bytes: int) -> Batch:
        """Return the lines that come next. Raises SourceError or OSError; FileNotFoundError only when all is read."""
        if self._place is None:
            self._begin_at_the_end()
            os.stat(self._path)  # tells if it is missing
            return Batch([])
        look = self._look()
        if look == self._seen:
            if look[0] is None:
                os.stat(self._path)  # as above
            return Batch([])
        if self._file is not None and not _holds(self._file, self._place):
            self.close()
        if self._file is None:
            self._find(self._place)
        if self._file is None:
            os.stat(self._path)  # as above
        batch = self._take(self._file, self._place, max_bytes) if self._file is not None else Batch([])
        self._seen = None if batch.more else look
        return batch

    def _begin_at_the_end(self) -> None:
        files = family(self._path)
        place = Place(modified=max((each.modified for each in files), default=0))
        if files and files[-1].path == self._path and (opened := files[-1].open()):
            self._file = opened
            place = _fingerprinted(opened, replace(place, offset=_end_of_lines(opened)))
        self._place = place

    def _look(self) -> tuple[object, object]:
        """Return what changes when there is something to do."""
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            path = None
        else:
            if not stat.S_ISREG(status.st_mode):
                raise SourceError(f"{self.name} is not a regular file", remedy="name the log's file in logs.sources")
            path = _stamp(status)
        return path, None if self._file is None else _stamp(self._file.status())

    def _find(self, place: Place) -> None:
        """Open the file that the place is in; where there is none any more, go to the oldest that is newer."""
        files = family(self._path)
        # The newest first, and before it the one with the same inode: short files may have the same beginning.
        candidates = list(reversed(files))
        candidates.sort(key=lambda each: (each.device, each.inode) != (place.device, place.inode))
        for each in candidates:
            opened = each.open()
            if opened is None:
                return  # renamed just now; the next look finds it
            if opened.begins_with(place.head, place.length) and (each.path != self._path or each.size >= place.offset):
                self._file = opened
                return
            opened.close()
        if place.length:
            log.info("%s: the file that was read last is gone, what it held since then is lost", self.name)
        self._go_to(self._first_with_content(self._written_after(files, place)), place)

    def _take(self, opened: Opened, place: Place, max_bytes: int) -> Batch:
        size = max(max_bytes, MAX_LINE + 1)
        place = _fingerprinted(opened, place)
        data = opened.read(place.offset, size)
        newer = None
        if len(data) < size and (newer := self._newer(opened, place)):
            # Now that the newer file is written to, the older one is not any more: this is all of it.
            data = opened.read(place.offset, size)
            if len(data) == size:
                newer.close()
                newer = None
        lines, dropped, used, inside = _split(data, inside=place.inside, last=newer is not None)
        place = replace(place, offset=place.offset + used, inside=inside)
        if newer is None:
            self._place = place
        else:
            self.close()
            self._go_to(newer, place)
        return Batch(lines, dropped, more=newer is not None or len(data) == size)

    def _newer(self, opened: Opened, place: Place) -> Opened | None:
        """Return the next file that holds anything."""
        identity = opened.identity()
        try:
            if _identity(os.stat(self._path)) == identity:
                return None
        except FileNotFoundError:
            pass
        files = family(self._path)
        for index, each in enumerate(files):
            if (each.device, each.inode) == identity or self._is_copy(each, place):
                return self._first_with_content(files[index + 1 :])
        return self._first_with_content(self._written_after(files, place))

    def _is_copy(self, file: Sibling, place: Place) -> bool:
        """Say whether this is what the place's file has become: it was compressed while we had it open."""
        opened = file.open()
        if opened is None:
            return False
        try:
            return opened.begins_with(place.head, place.length)
        finally:
            opened.close()

    def _written_after(self, files: Sequence[Sibling], place: Place) -> list[Sibling]:
        """Return what was written to after the newest file that is known, and the log itself."""
        return [each for each in files if each.modified > place.modified or each.path == self._path]

    def _first_with_content(self, files: Sequence[Sibling]) -> Opened | None:
        for each in files:
            opened = each.open()
            if opened is None:
                return None  # renamed just now; the next look finds it
            if opened.read(0, 1):
                return opened
            opened.close()
        return None

    def _go_to(self, opened: Opened | None, place: Place) -> None:
        if opened is not None:
            self._file = opened
            self._place = _fingerprinted(opened, Place(modified=place.modified))


def _place(position: Any) -> Place:
    place = Place(**position)
    if not all(isinstance(value, int) and value >= 0 for value in asdict(place).values()):
        raise ValueError(f"not a place in a file: {position!r:.100}")
    return place


def _holds(opened: Opened, place: Place) -> bool:
    """Say whether the place still is in this file, which may have been emptied and have grown again."""
    if opened.compressed:
        return True
    return opened.status().st_size >= place.offset and opened.begins_with(place.head, place.length)


def _fingerprinted(opened: Opened, place: Place) -> Place:
    """Return the place with what the file can be known by."""
    status = opened.status()
    place = replace(place, device=status.st_dev, inode=status.st_ino, modified=max(place.modified, status.st_mtime_ns))
    if place.length == FINGERPRINT_BYTES:
        return place
    head = opened.read(0, FINGERPRINT_BYTES)
    return replace(place, head=zlib.crc32(head), length=len(head))


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return (*_identity(status), status.st_size, status.st_mtime_ns)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _end_of_lines(opened: Opened) -> int:
    """Return where the last line that is finished ends; of a line that is too long, where the file ends."""
    size = opened.status().st_size
    start = max(0, size - MAX_LINE)
    end = opened.read(start, size - start).rfind(b"\n") + 1
    return start + end if end or not start else size


def _split(data: bytes, *, inside: bool, last: bool) -> tuple[list[bytes], int, int, bool]:
    """Return the lines, how many were too long, how much of ``data`` is done with, and whether it ends in a long line.

    ``inside`` says that it begins in one, ``last`` that nothing follows: then the last line needs no newline.
    """
    used = 0
    if inside:
        used = data.find(b"\n") + 1
        if not used:
            return [], 0, len(data), not last
    *lines, rest = data[used:].split(b"\n")
    used = len(data) - len(rest)
    dropped = 0
    inside = False
    if not rest.strip(b"\0"):
        # A hole: whoever writes did not notice that the file was emptied.
        used += len(rest)
    elif len(rest) > MAX_LINE:
        used, dropped, inside = len(data), 1, not last
    elif last:
        lines.append(rest)
        used = len(data)
    kept = [line.lstrip(b"\0") for line in lines if len(line) <= MAX_LINE]
    return kept, dropped + len(lines) - len(kept), used, inside
