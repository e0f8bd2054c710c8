"""What GET /containers/ID/logs sends: the entries of a container's log, and lines made of them.

Without a terminal each entry has a header of eight bytes that names its stream and length (Engine API,
ContainerAttach); with one, entries follow each other as they are. Docker splits a line into entries of 16 KiB (moby,
daemon/logger/copier.go), of which only the last ends in a newline.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from mailserver_exporter.sources import SourceError
from mailserver_exporter.sources.log_source import MAX_LINE

_HEADER = 8
_STDOUT, _STDERR, _ERROR = 1, 2, 3
_MAX_ENTRY = 1 << 20
_PART = 16384
_TIME = len("2026-11-22T03:18:48.123456789Z ")
_DAMAGED = "the Docker Engine sends something that is no log of a container"


class Entry(NamedTuple):
    """An entry: when the Engine got it (RFC 3339, as it writes it), by which stream, and what."""

    time: bytes
    stream: int
    text: bytes


class Frames:
    """Entries of a container without a terminal."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Entry]:
        """Return the entries that are complete now. Raises SourceError for what is none, and where the Engine fails."""
        data = self._rest + data if self._rest else data
        entries = []
        at, end = 0, len(data)
        while end - at >= _HEADER:
            stream = data[at]
            size = int.from_bytes(data[at + 4 : at + _HEADER], "big")
            if not _STDOUT <= stream <= _ERROR or size > _MAX_ENTRY or data[at + 1 : at + 4] != b"\0\0\0":
                raise SourceError(f"{_DAMAGED}: {data[at : at + 80]!r}")
            start = at + _HEADER
            if end - start < size:
                break
            at = start + size
            if stream == _ERROR:
                reason = data[start : min(at, start + 200)].decode(errors="replace").strip()
                raise SourceError(
                    f"the Docker Engine cannot read the log: {reason}", remedy="journalctl -u docker -n 50"
                )
            time, _, text = data[start:at].partition(b" ")
            entries.append(Entry(time, stream, text))
        self._rest = data[at:]
        return entries


class Terminal:
    """Entries of a container with a terminal (`tty: true`), where stdout and stderr are one."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Entry]:
        """Return the entries that are complete now."""
        data = self._rest + data
        entries = []
        at = 0
        while True:
            newline = data.find(b"\n", at)
            stop = newline + 1 or len(data)
            if stop - at > _TIME + _PART:
                stop = at + _TIME + _PART
            elif newline < 0:
                break
            time, _, text = data[at:stop].partition(b" ")
            entries.append(Entry(time, _STDOUT, text.replace(b"\r\n", b"\n")))
            at = stop
        self._rest = data[at:]
        return entries


@dataclass
class Joiner:
    """Makes lines of entries. ``parts`` holds the beginning of a line by its stream, no more than shows its length."""

    parts: dict[int, bytes] = field(default_factory=dict)

    def join(self, entries: Iterable[Entry], lines: list[bytes]) -> int:
        """Append the lines that are complete, and return how many were left out for their length."""
        dropped = 0
        parts = self.parts
        for _, stream, text in entries:
            # The driver "local" of Docker 20.10 forgets the newline of a line that was split.
            unfinished = text[-1:] != b"\n" and len(text) >= _PART
            if text[-1:] == b"\n":
                text = text[:-1]  # noqa: PLW2901
            if parts and stream in parts:
                text = parts.pop(stream) + text  # noqa: PLW2901
            if unfinished:
                parts[stream] = text[: MAX_LINE + 1]
            elif len(text) > MAX_LINE:
                dropped += 1
            else:
                lines.append(text)
        return dropped

    def dump(self) -> dict[str, str]:
        """Return the unfinished lines as JSON."""
        return {str(stream): part.decode("latin-1") for stream, part in self.parts.items()}

    @classmethod
    def load(cls, dumped: Mapping[str, str]) -> Joiner:
        """Return what ``dump`` was called on."""
        return cls({int(stream): part.encode("latin-1") for stream, part in dumped.items()})
