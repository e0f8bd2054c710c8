"""Read the alert log back: which alerts fired, when, and for how long.

alert_log.py has written a line for each time that Alertmanager told it of an alert: when it fires, again while it
lasts (``repeat_interval``), and when it is over. What belongs to one another has the same fingerprint and start.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import IO

from mailserver_exporter.settings.notifications import AlertLog

# More than the log's repeat_interval in alertmanager.yml: who has not been told of for so long is over.
_REPEATED = timedelta(days=6)
_MAX_LINE = 1 << 20
# What is kept of the newest episodes, in characters.
_MAX_KEPT = 8_000_000
_PER_EPISODE = 1000
# RFC 3339 with the nanoseconds of Go.
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d{0,9})?(?:[Zz]|([+-])([01]\d|2[0-3]):?([0-5]\d))", re.ASCII
)


@dataclass(frozen=True)
class Episode:
    """An alert from its beginning to its end; all texts are as they were told, and may hold anything.

    ``ended`` is None while it fires. ``told`` is when the log last heard of it. ``end_known`` is False where nobody
    said that it was over: ``ended`` is then a guess, when it fired anew or was last told of. ``action`` is the first
    command to run.
    """

    alertname: str
    severity: str
    summary: str
    labels: Mapping[str, str]
    started: datetime
    ended: datetime | None
    told: datetime
    end_known: bool = True
    action: str = ""

    def lasted(self, now: datetime) -> timedelta:
        """Return how long it lasted, up to ``now`` while it still fires."""
        return max(timedelta(0), (self.ended or now) - self.started)


@dataclass(frozen=True)
class History:
    """What a log says of a period.

    ``files`` is how many files there were, 0 where no log is there yet; ``damaged`` how many lines were no record of
    ours, ``left_out`` how many episodes were, the oldest of too many.
    """

    episodes: tuple[Episode, ...] = ()
    files: int = 0
    damaged: int = 0
    left_out: int = 0


def episodes(path: Path, settings: AlertLog, start: datetime, end: datetime) -> tuple[Episode, ...]:
    """Return the alerts that fired at some time between ``start`` and ``end``, by their beginning. Raises OSError."""
    return read(path, settings, start, end).episodes


def read(path: Path, settings: AlertLog, start: datetime, end: datetime) -> History:
    """Return what the log at ``path`` and its rotated files say of the time between ``start`` and ``end``.

    Both with their time zone. Raises OSError where a file is there and cannot be read.
    """
    reader = _Reader(start, end)
    with ExitStack() as opened:
        files = _open(path, settings.keep, opened)
        for file in reversed(files):
            # Of what stopped so long before, nothing can have lasted.
            if os.fstat(file.fileno()).st_mtime >= (start - _REPEATED).timestamp():
                reader.take(file)
    return History(reader.finish(datetime.now(timezone.utc)), len(files), reader.damaged, reader.left_out)


def _open(path: Path, keep: int, opened: ExitStack) -> list[IO[bytes]]:
    """Open all files, the newest first: one that is rotated meanwhile is met again under its next name."""
    files: list[IO[bytes]] = []
    known = set()
    for name in (path.name, *(f"{path.name}.{number}" for number in range(1, keep + 1))):
        try:
            file = opened.enter_context(open(path.with_name(name), "rb", opener=_opener))  # noqa: SIM115 - closed by the stack
        except FileNotFoundError:
            continue
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", str(path.with_name(name)))
        if (status.st_dev, status.st_ino) not in known:
            known.add((status.st_dev, status.st_ino))
            files.append(file)
    return files


def _opener(path: str, flags: int) -> int:
    # Without O_NONBLOCK a named pipe would hold us up.
    return os.open(path, flags | os.O_NONBLOCK)


@dataclass
class _Reader:
    """Puts records together, oldest first."""

    start: datetime
    end: datetime
    damaged: int = 0
    left_out: int = 0
    _found: dict[tuple[str, datetime], Episode] = field(default_factory=dict)
    # The start of what fires, by fingerprint.
    _firing: dict[str, datetime] = field(default_factory=dict)
    _kept: int = 0

    def take(self, file: IO[bytes]) -> None:
        """Take the records of a file."""
        for line in _lines(file):
            try:
                fingerprint, episode = _parse(line)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                self.damaged += 1
                continue
            # It fires always, to say that the path of the alerts works.
            if episode.alertname == "Watchdog":
                continue
            if episode.ended is None:
                self._fires(fingerprint, episode)
            else:
                self._resolved(fingerprint, episode)

    def finish(self, now: datetime) -> tuple[Episode, ...]:
        """Return the episodes of the period in order."""
        result = []
        for episode in self._found.values():
            if episode.ended is None and episode.told < now - _REPEATED:
                episode = replace(episode, ended=max(episode.told, episode.started), end_known=False)  # noqa: PLW2901
            if episode.started <= self.end and (episode.ended is None or episode.ended >= self.start):
                result.append(episode)
        return tuple(sorted(result, key=lambda each: (each.started, each.told)))

    def _fires(self, fingerprint: str, episode: Episode) -> None:
        before = self._firing.get(fingerprint, episode.started)
        if before < episode.started:
            # Alertmanager does not tell of an end after which the alert fires again at once.
            self._put(fingerprint, replace(self._found[fingerprint, before], ended=episode.started, end_known=False))
        self._put(fingerprint, episode)

    def _resolved(self, fingerprint: str, episode: Episode) -> None:
        key = (fingerprint, episode.started)
        fired = self._found.get(key)
        if fired is not None:
            # What was said when it fired says more than what was last measured.
            episode = replace(fired, ended=episode.ended, told=episode.told, end_known=True)
        self._put(fingerprint, episode)

    def _put(self, fingerprint: str, episode: Episode) -> None:
        key = (fingerprint, episode.started)
        self._drop(key)
        if episode.ended is None:
            self._firing[fingerprint] = max(episode.started, self._firing.get(fingerprint, episode.started))
        elif episode.ended < self.start:
            return
        self._found[key] = episode
        self._kept += _size(episode)
        while self._kept > _MAX_KEPT:
            self.left_out += 1
            self._drop(next(iter(self._found)))

    def _drop(self, key: tuple[str, datetime]) -> None:
        episode = self._found.pop(key, None)
        if episode is not None:
            self._kept -= _size(episode)
            if self._firing.get(key[0]) == key[1]:
                del self._firing[key[0]]


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines that are not empty; of one that is too long only its beginning, which is no record."""
    while line := file.readline(_MAX_LINE):
        if len(line) == _MAX_LINE and not line.endswith(b"\n"):
            while (rest := file.readline(_MAX_LINE)) and not rest.endswith(b"\n"):
                pass
            line = line[:1]
        if line := line.strip():
            yield line


def _parse(line: bytes) -> tuple[str, Episode]:
    """Return what identifies the alert, and what is told of it; raises one of many errors for what is no record."""
    record = json.loads(line)
    told = _time(record["time"])
    if told is None or record["status"] not in ("firing", "resolved"):
        raise ValueError(record)
    started, ended = _time(record["starts_at"]) or told, None
    if record["status"] == "resolved":
        ended = max(started, _time(record["ends_at"]) or told)
    labels = {_text(name): _text(value) for name, value in record["labels"].items()}
    summary = _text(record["annotations"].get("summary", ""))
    action = _text(record["annotations"].get("action", ""))
    # Alertmanager's of all labels, or these where it sent none.
    fingerprint = _text(record["fingerprint"]) or json.dumps(labels, sort_keys=True)
    return fingerprint, Episode(
        _text(record["alertname"]), _text(record["severity"]), summary, labels, started, ended, told, action=action
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _time(text: object) -> datetime | None:
    """Return a time in UTC, None for Go's zero time. Raises ValueError or TypeError for what is none."""
    found = _TIME.fullmatch(_text(text))
    if found is None:
        raise ValueError(text)
    seconds, fraction, sign, hours, minutes = found.groups()
    time = datetime.fromisoformat(seconds.replace(" ", "T").upper()).replace(tzinfo=timezone.utc)
    if time.year in (1, 9999):
        return None
    time += timedelta(microseconds=int((fraction or "0").ljust(6, "0")))
    if sign:
        time -= int(f"{sign}1") * timedelta(hours=int(hours), minutes=int(minutes))
    return time


def _size(episode: Episode) -> int:
    texts = sum(len(name) + len(value) for name, value in episode.labels.items())
    return _PER_EPISODE + texts + len(episode.alertname) + len(episode.summary) + len(episode.action)
