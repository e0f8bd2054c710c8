"""A log file and what was rotated away from it, compressed or not, read for a time that has passed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import stat
import subprocess
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import tzinfo
from typing import IO, Any

from mailserver_exporter.sources import SourceError
from mailserver_exporter.sources.log_source import MAX_LINE
from mailserver_exporter.sources.past_log import Clock, Line, Span, Wanted, chosen

# logrotate(8), with its compresscmd; also its dateext, dateformat and extension.
_ROTATED = re.compile(r"[-.]\d[-\dT_]{0,20}(?:\.(?P<kind>gz|bz2|xz|zst))?")
_MAX_FILES = 400
_LOOKS = 5
_BLOCK = 1 << 19
# Lines may be a little out of order, and clocks are set.
_DISORDER = 600
# What xz and zstd may need to unpack; their usual levels need a quarter of it.
_MAX_MEMORY = 32 << 20
_DAMAGED = (EOFError, zlib.error, lzma.LZMAError)

Read = Callable[[int], bytes]


class PastFiles:
    """The log ``name`` at ``path``; dates without a zone are in ``zone``, and ``zstd`` is how its command begins."""

    def __init__(self, name: str, path: str, zone: tzinfo, zstd: Sequence[str] = ("zstd",)) -> None:
        self._name = name
        self._path = path
        self._zone = zone
        self._zstd = zstd

    def past(self, span: Span, wanted: Wanted, _idents: object = None) -> Iterator[Line]:
        """Yield the wanted lines. What is damaged is told and left out. Raises OSError where there is no log at all."""
        with ExitStack() as opened:
            for path, file in _open(self._path, span.start, opened):
                clock = Clock(self._zone, os.fstat(file.fileno()).st_mtime)
                kind = _ROTATED.fullmatch(path, len(self._path))
                try:
                    if kind is None or kind["kind"] is None:
                        yield from self._backwards(file, clock, span, wanted)
                    else:
                        with _unpacked(file, kind["kind"], self._zstd) as read:
                            yield from self._forwards(read, clock, span, wanted)
                except (*_DAMAGED, OSError, SourceError) as error:
                    span.problems.append(f"{path} could not be read to its end: {error}")

    def _backwards(self, file: IO[bytes], clock: Clock, span: Span, wanted: Wanted) -> Iterator[Line]:
        """Read blocks from the end, until they are older than what is asked for."""
        end, head = os.fstat(file.fileno()).st_size, b""
        oldest: float | None = None
        while end > 0:
            size = min(_BLOCK, end)
            data = os.pread(file.fileno(), size, end - size) + head
            end -= size
            # What the block begins with is the end of a line whose beginning comes next.
            head, newline, data = data.partition(b"\n") if end else (b"", b"", data)
            if not newline and end:
                # No line is so long: what has no end of one may be endless.
                head = head[-MAX_LINE - 1 :]
                if span.time_is_up():
                    span.too_large(self._name, oldest)
                    return
                continue
            lines = data.split(b"\n")
            yield from chosen(lines, clock, span, wanted)
            oldest = next((at for at in map(clock.of, lines[:100]) if at is not None), oldest)
            if oldest is not None and oldest < span.start - _DISORDER:
                return
            if end and span.time_is_up():
                span.too_large(self._name, oldest)
                return

    def _forwards(self, read: Read, clock: Clock, span: Span, wanted: Wanted) -> Iterator[Line]:
        rest = b""
        while data := read(_BLOCK):
            *lines, rest = (rest + data).split(b"\n")
            rest = rest[: MAX_LINE + 1]
            yield from chosen(lines, clock, span, wanted)
            if span.time_is_up():
                span.problems.append(f"{self._name} is too large to be read in time: its oldest part is left out")
                return
        yield from chosen([rest], clock, span, wanted)


def _open(path: str, start: float, opened: ExitStack) -> list[tuple[str, IO[bytes]]]:
    """Open the files that were written to after ``start``, the newest first. Raises OSError."""
    for _ in range(_LOOKS):
        files: list[tuple[str, IO[bytes]]] = []
        listed = _list(path)
        for name, status in listed:
            if status.st_mtime < start or not stat.S_ISREG(status.st_mode):
                continue
            try:
                file = opened.enter_context(open(name, "rb", opener=_opener))  # noqa: SIM115 - closed by the stack
            except FileNotFoundError:
                break
            if not os.path.samestat(os.fstat(file.fileno()), status):
                break
            files.append((name, file))
        else:
            if not listed:
                os.stat(path)  # which says why
            return files
        # Rotated between two looks.
        opened.close()
    return files


def _list(path: str) -> list[tuple[str, os.stat_result]]:
    folder, base = os.path.split(path)
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(base) and (entry.name == base or _ROTATED.fullmatch(entry.name, len(base))):
                try:
                    found.append((entry.path, os.stat(entry.path)))
                except FileNotFoundError:
                    continue
    names = {name for name, _ in found}
    # While a file is being compressed there are two of it, and the compressed one is not complete.
    found = [
        (name, status) for name, status in found if name == path or os.path.splitext(name)[0] not in names - {path}
    ]
    found.sort(key=lambda each: (each[0] == path, each[1].st_mtime_ns), reverse=True)
    return found[:_MAX_FILES]


def _opener(path: str, flags: int) -> int:
    # Without O_NONBLOCK a named pipe would hold us up.
    return os.open(path, flags | os.O_NONBLOCK)


@contextmanager
def _unpacked(file: IO[bytes], kind: str, zstd: Sequence[str]) -> Iterator[Read]:
    if kind == "gz":
        yield gzip.GzipFile(fileobj=file).read
    elif kind == "bz2":
        yield bz2.BZ2File(file).read
    elif kind == "xz":
        yield _Xz(file).read
    else:
        try:
            process = subprocess.Popen(
                [*zstd, "-dcq", f"--memory={_MAX_MEMORY >> 20}MB"],
                stdin=file,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except FileNotFoundError:
            raise SourceError("reading .zst needs the program zstd: apt install zstd") from None
        with process:
            try:
                yield _checked(process)
            finally:
                process.kill()


def _checked(process: subprocess.Popen[bytes]) -> Read:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    assert process.stderr is not None  # noqa: S101 - it is a pipe
    output, complaint = process.stdout, process.stderr

    def read(size: int) -> bytes:
        data = output.read(size)
        if not data and process.wait():
            raise SourceError(f"zstd: {complaint.read(200).decode(errors='replace').strip()}")
        return data

    return read


class _Xz:
    """Unpacks with a bound of the memory, which lzma.LZMAFile has not."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._begin()

    def _begin(self) -> None:
        self._unpacker: Any = lzma.LZMADecompressor(memlimit=_MAX_MEMORY)

    def read(self, size: int) -> bytes:
        while True:
            if self._unpacker.eof:
                left = self._unpacker.unused_data or self._file.read(_BLOCK)
                if not left.strip(b"\0"):
                    return b""
                self._begin()
            elif self._unpacker.needs_input:
                left = self._file.read(_BLOCK)
                if not left:
                    raise EOFError("it ends early")
            else:
                left = b""
            if data := self._unpacker.decompress(left, size):
                return bytes(data)
