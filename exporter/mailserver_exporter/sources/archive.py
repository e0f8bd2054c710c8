"""Read archives and dumps to their end, and say whether they are whole. Imported by an errand only: it is heavy.

Python's tarfile ends without a word at a header that is damaged, so tar's blocks are walked here, as POSIX (pax(1),
"ustar Interchange Format") and GNU tar's manual ("Basic Tar Format") describe them.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import shutil
import subprocess
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BLOCK = 512
_CHUNK = 1 << 20
_MAX_HEADER = 1 << 20
_DROP_EVERY = 64 << 20
_ZERO = bytes(_BLOCK)
# How a dump begins and how it ends when it was not cut off. mysqldump(1), mariadb-dump(1), pg_dump(1).
_DUMPS = (
    (re.compile(rb"^-- (MySQL|MariaDB) dump ", re.MULTILINE), b"-- Dump completed"),
    (re.compile(rb"^-- PostgreSQL database dump$", re.MULTILINE), b"-- PostgreSQL database dump complete"),
)

Read = Callable[[int], bytes]


class BrokenError(Exception):
    """The archive is damaged or ends early."""


class UnfinishedError(Exception):
    """The time was up before the end."""


class ImpossibleError(Exception):
    """The archive cannot be read here, whole or not."""


def check(path: str, deadline: float, zstd: Sequence[str] = ("zstd",)) -> None:
    """Read one archive to its end; raises BrokenError, UnfinishedError, ImpossibleError or OSError.

    ``deadline`` is on the monotonic clock, and ``zstd`` is how its command line begins. What is read does not stay in
    the page cache, where it would push out what the host needs.
    """
    name = path.lower()
    try:
        if name.endswith(".zip"):
            _check_zip(path, deadline)
            return
        with _opened(path, deadline, zstd) as read:
            if re.search(r"\.(tar(\.\w+)?|tgz|tbz2|txz|tzst)$", name):
                _check_tar(read)
            else:
                _check_stream(read)
    except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise BrokenError(str(error) or type(error).__name__) from error
    except MemoryError as error:
        raise ImpossibleError("needs more memory than there is for it here") from error


@contextmanager
def _opened(path: str, deadline: float, zstd: Sequence[str]) -> Iterator[Read]:
    """Open a file, decompressed as its name says."""
    name = path.lower()
    with open(path, "rb", buffering=0) as raw:
        if name.endswith((".zst", ".tzst")):
            with _zstd(raw.fileno(), deadline, zstd) as read:
                yield read
            return
        source = _Timed(raw.fileno(), deadline)
        if name.endswith((".gz", ".tgz")):
            with gzip.GzipFile(fileobj=source) as file:
                yield file.read
        elif name.endswith((".bz2", ".tbz2")):
            with bz2.BZ2File(source) as file:
                yield _bz2_errors(file.read)
        elif name.endswith((".xz", ".txz")):
            with lzma.LZMAFile(io.BufferedReader(source)) as file:
                yield file.read
        else:
            yield lambda size: source.read(size) or b""


class _Dropping:
    """Lets go of what of a file is in the page cache, now and then, where it was not needed there."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._dropped = 0

    def at(self, position: int, *, end: bool) -> None:
        """Note how far the file has been read."""
        if end or position - self._dropped > _DROP_EVERY:
            os.posix_fadvise(self._descriptor, 0, position, os.POSIX_FADV_DONTNEED)
            self._dropped = position


class _Timed(io.RawIOBase):
    """A file that is read until the time is up."""

    def __init__(self, descriptor: int, deadline: float) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._deadline = deadline
        self._cached = _Dropping(descriptor)
        self._position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        in_time(self._deadline)
        data = os.read(self._descriptor, min(memoryview(buffer).nbytes, _CHUNK))
        self._position += len(data)
        self._cached.at(self._position, end=not data)
        memoryview(buffer).cast("B")[: len(data)] = data
        return len(data)


def in_time(deadline: float) -> None:
    """Raise UnfinishedError when the time is up."""
    if time.monotonic() > deadline:
        raise UnfinishedError


def _bz2_errors(read: Read) -> Read:
    def reading(size: int) -> bytes:
        try:
            return read(size)
        except OSError as error:
            # bz2 has no exception of its own.
            raise (BrokenError(str(error)) if error.errno is None else error) from error

    return reading


@contextmanager
def _zstd(descriptor: int, deadline: float, zstd: Sequence[str]) -> Iterator[Read]:
    if not zstd or shutil.which(zstd[0]) is None:
        raise ImpossibleError("reading .zst needs the program zstd: apt install zstd")
    source = _Dropping(descriptor)
    with tempfile.TemporaryFile() as said:
        command = [*zstd, "-d", "-c", "-q"]
        with subprocess.Popen(command, stdin=descriptor, stdout=subprocess.PIPE, stderr=said) as process:

            def read(size: int) -> bytes:
                in_time(deadline)
                data: bytes = process.stdout.read(size)  # type: ignore[union-attr]
                source.at(os.lseek(descriptor, 0, os.SEEK_CUR), end=not data)
                if not data and (status := process.wait()):
                    said.seek(0)
                    complaint = said.read(1000).decode(errors="replace").strip()
                    # "Allocation error : not enough memory", "Frame requires too much memory"; or the kernel ended it.
                    if "memory" in complaint or status < 0:
                        raise ImpossibleError("needs more memory than there is for it here")
                    raise BrokenError(complaint or "zstd failed")
                return data

            try:
                yield read
            finally:
                process.kill()


def _check_zip(path: str, deadline: float) -> None:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            in_time(deadline)
            try:
                with archive.open(member) as content:
                    while content.read(_CHUNK):
                        in_time(deadline)
            except (RuntimeError, NotImplementedError) as error:
                # A password, or a method that zipfile does not know.
                raise ImpossibleError(str(error)) from error


def _check_stream(read: Read) -> None:
    """Read a file to its end; a database dump has to have its last line."""
    first = data = read(_CHUNK)
    if not first:
        raise BrokenError("is empty")
    last = b""
    while data:
        last = (last + data)[-4096:]
        data = read(_CHUNK)
    for begin, end in _DUMPS:
        if begin.search(first[:4096]) and end not in last:
            raise BrokenError(f"the dump ends before its last line ({end.decode()})")


def _check_tar(read: Read) -> None:
    """Walk through the members of a tar file to its end."""
    blocks = _Blocks(read)
    members = 0
    size_of_next: int | None = None
    while header := blocks.take(_BLOCK):
        if header == _ZERO:
            blocks.drain()
            return
        if not _checksum_holds(header):
            raise BrokenError(f"member {members + 1} has a damaged header")
        kind = header[156:157]
        size = _number(header[124:136])
        if kind in b"xgLK":
            data = blocks.take(_padded(min(size, _MAX_HEADER)))
            blocks.skip(_padded(size) - len(data))
            if kind == b"x":
                size_of_next = _pax_size(data)
            continue
        if kind == b"S":
            # Old GNU sparse files: further maps follow as long as the last one says so.
            more = header[482]
            while more:
                more = (blocks.take(_BLOCK) or _ZERO)[504]
        if size_of_next is not None:
            size, size_of_next = size_of_next, None
        # Links, directories, devices and FIFOs have no data, whatever their size says.
        if kind not in b"123456":
            blocks.skip(_padded(size))
        members += 1
    raise BrokenError(f"ends early, after {members} members" if members else "is empty")


class _Blocks:
    """What comes out of a decompressor in pieces of any size, as pieces of one's own choice."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._ahead = b""

    def take(self, size: int) -> bytes:
        """Return exactly ``size`` bytes, or none at all at the end; raises BrokenError where there are fewer."""
        data = self._ahead
        while len(data) < size and (more := self._read(max(_CHUNK, size - len(data)))):
            data += more
        if data and len(data) < size:
            raise BrokenError("ends in the middle of a member")
        self._ahead = data[size:]
        return data[:size]

    def skip(self, size: int) -> None:
        while size > 0:
            data = self._ahead or self._read(_CHUNK)
            if not data:
                raise BrokenError("ends in the middle of a member")
            self._ahead = data[size:]
            size -= len(data)

    def drain(self) -> None:
        while self._read(_CHUNK):
            pass


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _checksum_holds(header: bytes) -> bool:
    try:
        wanted = _number(header[148:156])
    except BrokenError:
        return False
    blanked = header[:148] + b" " * 8 + header[156:]
    # Some old programs took the bytes for signed ones.
    return wanted in (sum(blanked), sum(byte - 256 if byte > 127 else byte for byte in blanked))


def _number(field: bytes) -> int:
    """Return a number of a header: octal digits, or base 256 where they do not suffice."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    text = field.partition(b"\0")[0].strip()
    if not text:
        return 0
    if not re.fullmatch(rb"[0-7]+", text):
        raise BrokenError("a header's number is damaged")
    return int(text, 8)


def _pax_size(data: bytes) -> int | None:
    found = re.search(rb"(?:^|\n)\d+ size=(\d{1,18})\n", data)
    return int(found[1]) if found else None
