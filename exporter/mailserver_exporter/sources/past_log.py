"""What a log says of a time that has passed, read for a report: the newest first, so that what is missing when the time
is up is the oldest.

log_source.py follows logs and is made to miss nothing; this is made to be quick in logs of any size.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Protocol

from mailserver_exporter.sources import SourceError
from mailserver_exporter.sources.log_source import MAX_LINE

_DAY = 86400
_REMEMBERED = 4096
# The year 5138: a file may claim to be written later than any calendar goes.
_LATEST = 1e11
_MONTHS = {name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}

Wanted = Callable[[bytes], object]
Line = tuple[float, bytes]


@dataclass
class Span:
    """The time that is asked about, as Unix times, and until when there is time to read, on the monotonic clock.

    ``problems`` is where a reader says what it could not read; what it could is good all the same. Times in it are in
    ``zone``.
    """

    start: float
    end: float
    deadline: float
    zone: tzinfo = timezone.utc
    problems: list[str] = field(default_factory=list)

    def time_is_up(self) -> bool:
        """Say whether reading has to end."""
        return time.monotonic() > self.deadline

    def too_large(self, name: str, at: float | None) -> None:
        """Note that the time was up when a log had been read back to a Unix time, if that is known."""
        since = f" since {datetime.fromtimestamp(at, self.zone):%Y-%m-%d %H:%M %Z}" if at is not None else ""
        self.problems.append(f"{name} is too large to be read in time: only what was written{since} is counted")


class PastLog(Protocol):
    """A log that is read once."""

    def past(self, span: Span, wanted: Wanted, idents: re.Pattern[str] | None = None, /) -> Iterator[Line]:
        """Yield the lines of that time that are wanted, each with its Unix time. Raises SourceError or OSError.

        Where the log knows who wrote a line, only those of identifiers that match ``idents``.
        """


class Clock:
    """The time that stands at the beginning of a line: the classic date of syslog(3), or RFC 3339.

    The former has neither a zone nor a year: it is in ``zone``, and not after ``newest``, a Unix time, by more than a
    day.
    """

    def __init__(self, zone: tzinfo, newest: float) -> None:
        self._zone = zone
        self._newest = newest
        self._known: dict[bytes, float | None] = {}

    def of(self, line: bytes) -> float | None:
        """Return the Unix time in whole seconds, or None where there is none."""
        if line[10:11] == b"T":
            end = line.find(b" ", 19, 40)
            stamp = line[:19] + line[19 : end if end > 0 else 40].lstrip(b".,0123456789")
        else:
            stamp = line[:15]
        try:
            return self._known[stamp]
        except KeyError:
            pass
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        found = self._known[stamp] = self._read(stamp)
        return found

    def _read(self, stamp: bytes) -> float | None:
        try:
            if stamp[10:11] == b"T":
                text = stamp.decode("ascii").replace("Z", "+00:00")
                moment = datetime.fromisoformat(text)
                return (moment if moment.tzinfo else moment.replace(tzinfo=self._zone)).timestamp()
            month, day = _MONTHS[stamp[:3]], int(stamp[4:6])
            hour, minute, second = int(stamp[7:9]), int(stamp[10:12]), int(stamp[13:15])
        except (ValueError, KeyError, OverflowError):
            return None
        latest = datetime.fromtimestamp(min(max(self._newest, 0.0), _LATEST), timezone.utc) + timedelta(days=1)
        # The 29th of February may be four years back.
        for year in range(latest.year + 1, latest.year - 5, -1):
            try:
                found = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=self._zone)
            except ValueError:
                continue
            if found <= latest:
                return found.timestamp()
        return None


def chosen(lines: Iterable[bytes], clock: Clock, span: Span, wanted: Wanted) -> Iterator[Line]:
    """Yield those of the lines that are wanted and of that time."""
    for line in lines:
        # What is longer has been cut, and is no line.
        if (
            wanted(line)
            and len(line) <= MAX_LINE
            and (at := clock.of(line)) is not None
            and span.start <= at < span.end
        ):
            yield at, line


def worded(name: str, error: SourceError | OSError) -> str:
    """Return in words why a log could not be read, and what to do about it."""
    remedy = error.remedy if isinstance(error, SourceError) else ""
    what = (error.strerror if isinstance(error, OSError) else "") or str(error)
    return f"{name}: {what} ({remedy})" if remedy else f"{name}: {what}"
