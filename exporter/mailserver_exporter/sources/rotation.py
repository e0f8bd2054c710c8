"""A log file and what has been rotated away from it: which files there are, in which order, and what is in them.

Names as logrotate(8) gives them: ``mail.log.1``, ``mail.log.2.gz``, and with dateext ``mail.log-20261122.gz``.
"""

from __future__ import annotations

import os
import re
import stat
import zlib
from dataclasses import dataclass

from mailserver_exporter.sources import SourceError

_ROTATED = re.compile(r"\.(?P<number>\d{1,4})(?P<gz>\.gz)?|[-.](?P<date>\d{4}-?\d\d-?\d\d[-_T0-9]*)(?P<gzip>\.gz)?")
# More than anybody keeps, and little enough to be looked at.
_MAX_FILES = 400
_LOOKS = 5
_CHUNK = 65536

FINGERPRINT_BYTES = 256


@dataclass(frozen=True)
class Sibling:
    """One file of a log; ``inode`` and ``device`` are those that it had when it was looked at."""

    path: str
    device: int
    inode: int
    size: int
    modified: int
    compressed: bool

    def open(self) -> Opened | None:
        """Return the file opened, or None where another one has its name by now. Raises SourceError or OSError."""
        try:
            opened = Opened(self.path, self.compressed)
        except FileNotFoundError:
            return None
        if opened.identity() == (self.device, self.inode):
            return opened
        opened.close()
        return None


def family(path: str) -> list[Sibling]:
    """Return the files of the log at ``path``, oldest first; the last one is ``path`` itself, if it is there.

    Raises OSError where the directory cannot be read. A rotation that is under way is waited for, as far as several
    looks one after the other do.
    """
    found = _look(path)
    for _ in range(_LOOKS):
        again = _look(path)
        if [(each.path, each.inode) for each in found] == [(each.path, each.inode) for each in again]:
            return again
        found = again
    return found


def _look(path: str) -> list[Sibling]:
    folder, base = os.path.split(path)
    current = None
    numbered: list[tuple[int, bool, Sibling]] = []
    dated = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(base):
                continue
            rotated = _ROTATED.fullmatch(entry.name, len(base))
            if rotated is None and entry.name != base:
                continue
            try:
                status = os.stat(entry.path)
            except FileNotFoundError:
                continue
            compressed = rotated is not None and bool(rotated["gz"] or rotated["gzip"])
            sibling = Sibling(entry.path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, compressed)
            if not stat.S_ISREG(status.st_mode):
                continue
            if rotated is None:
                current = sibling
            elif rotated["number"]:
                numbered.append((-int(rotated["number"]), compressed, sibling))
            else:
                dated.append(sibling)
    # While a file is being compressed there are two of it, and the compressed one is not complete.
    plain = {each.path for each in (*dated, *(sibling for _, _, sibling in numbered)) if not each.compressed}
    numbered.sort(key=lambda each: each[:2])
    siblings = [sibling for _, _, sibling in numbered] + sorted(dated, key=lambda each: (each.modified, each.path))
    if numbered and dated:
        siblings.sort(key=lambda each: each.modified)
    siblings = [each for each in siblings if not (each.compressed and each.path.removesuffix(".gz") in plain)]
    return siblings[-_MAX_FILES:] + ([current] if current else [])


class Opened:
    """An open file of a log, whose content is read as if it were not compressed."""

    def __init__(self, path: str, compressed: bool = False) -> None:
        """Open the file; raises SourceError where it is no regular file, and OSError."""
        self.path = path
        self.compressed = compressed
        # Without O_NONBLOCK a named pipe would hold us up.
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        self._content = _Inflated(self._descriptor) if compressed else None
        if not stat.S_ISREG(self.status().st_mode):
            self.close()
            raise SourceError(f"{path} is not a regular file", remedy="name the log's file in logs.sources")

    def status(self) -> os.stat_result:
        """Return what fstat(2) says."""
        return os.fstat(self._descriptor)

    def identity(self) -> tuple[int, int]:
        """Return (device, inode)."""
        status = self.status()
        return status.st_dev, status.st_ino

    def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes of the content; less only at its end. Raises SourceError or OSError."""
        if self._content is not None:
            try:
                return self._content.read(offset, size)
            except zlib.error as error:
                raise SourceError(f"{self.path} is damaged: {error}", remedy=f"mv {self.path} elsewhere") from error
        try:
            return os.pread(self._descriptor, size, offset)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.path) from error

    def begins_with(self, head: int, length: int) -> bool:
        """Say whether the first ``length`` bytes, of which there must be any, have the checksum ``head``."""
        data = self.read(0, length)
        return bool(length) and len(data) == length and zlib.crc32(data) == head

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)


class _Inflated:
    """The content of a gzip file, read forwards in bounded memory; a step back begins anew."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._begin()

    def _begin(self) -> None:
        self._inflate = zlib.decompressobj(wbits=31)
        self._input = 0
        self._pending = b""
        self._start = 0
        self._buffer = b""

    def read(self, offset: int, size: int) -> bytes:
        if offset < self._start:
            self._begin()
        while self._start + len(self._buffer) < offset + size:
            more = self._more()
            if not more:
                break
            self._buffer += more
            if self._start < offset:
                self._forget(offset)
        self._forget(offset)
        return self._buffer[:size]

    def _forget(self, offset: int) -> None:
        passed = min(offset - self._start, len(self._buffer))
        self._buffer = self._buffer[passed:]
        self._start += passed

    def _more(self) -> bytes:
        while True:
            if not self._pending:
                self._pending = os.pread(self._descriptor, _CHUNK, self._input)
                self._input += len(self._pending)
                if not self._pending:
                    return b""
            if self._inflate.eof:
                self._inflate = zlib.decompressobj(wbits=31)  # gzip files may follow one another
            data = self._inflate.decompress(self._pending, _CHUNK)
            self._pending = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
            if data:
                return data
