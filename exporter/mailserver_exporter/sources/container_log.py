"""What a container writes, through the Docker Engine, whatever log driver the Engine can read back.

The Engine has no cursor, ``since`` and ``tail`` are all it knows of a place in a log; and a reader that follows and is
slower than the driver rotates misses whole files (moby, daemon/logger/loggerutils/follow.go). So each look asks for the
newest entries, and for more as long as the last one known is not among them; what comes after that one is new. That
needs no clock, and what the Engine has begun to send is safe from rotation.

A quiet container costs nothing: a second connection, the tap, follows it from its end, and a look is made when
something arrives there. It also has the last words of a container that was removed meanwhile.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mailserver_exporter.sources import SourceError, docker_engine
from mailserver_exporter.sources.docker_api import Api, RefusedError, Stream, Tap
from mailserver_exporter.sources.docker_engine import Listed, Logging
from mailserver_exporter.sources.docker_stream import Entry, Frames, Joiner, Terminal
from mailserver_exporter.sources.log_source import Batch

_LABEL = "com.docker.compose."
_SECONDS = 5.0  # for what one read() asks and waits for
_LOOK_ANYWAY = 30.0
_FEWEST, _MOST, _ALL = 32, 1 << 20, 0
_WAIT_FOR = 4096
_TAP_BYTES = 1 << 20
# As far as entries of different streams, or of a clock that was set, may stand in wrong order .
_DISORDER = 600
_GONE = (404, 409)
_UP = ("running", "paused", "restarting")
_LIST = "/containers/json?all=1"


@dataclass(frozen=True)
class Place:
    """Where reading has come to: that container's entry of that time, the ``count``-th of those.

    Without a time all of the container's log is new; without a container, any container is.
    """

    container: str = ""
    created: int = 0
    time: bytes = b""
    count: int = 0

    def after(self, entries: Sequence[Entry]) -> Place:
        """Return the place after the last of some entries that follow this place."""
        newest = entries[-1].time
        count = 0
        for entry in reversed(entries):
            if entry.time != newest:
                return replace(self, time=newest, count=count)
            count += 1
        return replace(self, time=newest, count=count + (self.count if newest == self.time else 0))


class ContainerLog:
    """The log of one container at a time: of a compose service, across all that it is recreated as, or by its name.

    ``position`` is that of an earlier one (ValueError where it is none); without, reading begins at the end of what is
    there. A container that comes after another one is read from its beginning.
    """

    def __init__(self, api: Api, wanted: str, project: str = "", position: Any = None) -> None:
        self.name = f"container/{wanted}"
        self._api = api
        self._wanted = wanted
        self._project = project
        self._place: Place | None = None
        self._joiner = Joiner()
        if position is not None:
            self._place, self._joiner = _load(position)
        self._logging: tuple[str, Logging] | None = None
        self._answer: _Answer | None = None
        self._tap: Tap | None = None
        self._tail = _FEWEST
        self._look_next = 0.0
        self._current: Listed | None = None
        # The container whose log was read to its end when another had taken its place.
        self._finished = ""

    def position(self) -> Any:
        """Return as JSON where ``read`` has come to, with the beginning of a line that is not complete."""
        if self._place is None:
            return None
        place = self._place
        told = {"container": place.container, "created": place.created, "time": place.time.decode("latin-1")}
        return {**told, "count": place.count, "parts": self._joiner.dump()}

    def close(self) -> None:
        """Close the connections."""
        for connection in (self._answer, self._tap):
            if connection is not None:
                connection.close()
        self._answer = self._tap = None
        self._api.close()

    def read(self, max_bytes: int) -> Batch:
        """Return what comes next. Raises SourceError when the Engine does not answer, or has no log to give."""
        end = time.monotonic() + _SECONDS
        try:
            if self._answer is None:
                words, more = self._look(end)
                if self._answer is None:
                    return self._join(words, more)
        except SourceError:
            self.close()
            raise
        return self._take(self._answer, max_bytes, end)

    def _take(self, answer: _Answer, max_bytes: int, end: float) -> Batch:
        """Read on in an answer."""
        entries: list[Entry] = []
        size = 0
        while size < max_bytes:
            try:
                piece = answer.read(end)
            except SourceError:
                self.close()
                if entries:
                    break  # told when the next look fails, too; these are good
                raise
            if piece is None:
                more = self._end(answer)
                return self._join(entries, more)
            entries += piece
            size += answer.size
        return self._join(entries, more=True)

    def _join(self, entries: Sequence[Entry], more: bool) -> Batch:
        """Make lines of the entries that follow, and move on behind them."""
        lines: list[bytes] = []
        dropped = self._joiner.join(entries, lines)
        if entries and self._place is not None:
            self._place = self._place.after(entries)
        return Batch(lines, dropped, more)

    def _end(self, answer: _Answer) -> bool:
        """Draw the conclusions of an answer that was read to its end; return whether to look again at once."""
        answer.close()
        self._answer = None
        self._look_next = time.monotonic() + _LOOK_ANYWAY
        if answer.searching:
            # The clock was set and the tail began behind it; or it is gone, and all that is there came later.
            if answer.tail == _ALL and answer.seen:
                self._place = replace(answer.place, count=answer.seen)
            elif answer.tail == _ALL:
                self._move(answer.place.container, answer.place.created)
            self._tail = _ALL
            self._look_next = 0.0
            return True
        self._tail = min(2 * answer.found + _FEWEST, _MOST)
        if answer.final:
            self._finished = answer.place.container
        return answer.final

    def _move(self, container: str, created: int) -> None:
        """Go to the beginning of a container's log."""
        self._place = Place(container, created)
        self._joiner = Joiner()

    def _look(self, end: float) -> tuple[list[Entry], bool]:
        """See whether there is anything new, and ask for it.

        Return instead what a container has said that is no more, and whether to look again at once.
        """
        tapped = b""
        if self._tap is not None:
            tapped, ended = self._tap.read(_TAP_BYTES)
            if not ended and self._current is not None and self._place is not None:
                if not tapped and time.monotonic() < self._look_next:
                    return [], False
                return [], self._ask(self._current, self._place, end)
        self._api.renewed()
        found = self._list(end)
        if self._place is None:
            self._begin(found, end)
            return [], False
        current = next((each for each in found if each.id == self._place.container), None)
        if current is None:
            later = [each for each in found if each.created >= self._place.created]
            if words := self._last_words(self._place, tapped):
                return words, True
        else:
            later = found[: found.index(current)]
            final = bool(later) and current.state not in _UP
            if not final or self._finished != current.id:
                return [], self._ask(current, self._place, end, final=final)
        if not later:
            return [], False
        self._move(later[-1].id, later[-1].created)
        return [], True

    def _list(self, end: float) -> list[Listed]:
        """Return the containers that are or were the wanted one, newest first, as the Engine sorts them."""
        return containers(self._api, self._wanted, self._project, end)

    def _begin(self, found: Sequence[Listed], end: float) -> None:
        """Take the end of what there is for the place to begin at."""
        if not found:
            self._place = Place()
            return
        newest = next((each for each in found if each.state in _UP), found[0])
        place = Place(newest.id, newest.created)
        if self._ask(newest, place, end, begin=True) and self._answer is not None:
            entries: list[Entry] = []
            while (piece := self._answer.read(end)) is not None:
                entries = (entries + piece)[-_WAIT_FOR:]
            self._answer.close()
            self._answer = None
            self._look_next = time.monotonic() + _LOOK_ANYWAY
            self._joiner.join(entries, [])
            place = place.after(entries) if entries else place
        self._place = place

    def _ask(self, container: Listed, place: Place, end: float, *, final: bool = False, begin: bool = False) -> bool:
        """Ask for what comes after a place; return whether the container is still there."""
        try:
            logging = self._inspect(container, end)
            self._open_tap(container, end)
            tail = self._tail if place.time or begin else _ALL
            while True:
                self._answer = answer = self._request(place, logging, tail, final, end)
                if not answer.searching or answer.reaches(end):
                    return True
                answer.close()
                self._answer = None
                tail = tail * 8 if tail * 8 <= _MOST else _ALL
        except RefusedError as refusal:
            if refusal.status in _GONE:
                return False
            raise self._refused(container, refusal) from refusal

    def _open_tap(self, container: Listed, end: float) -> None:
        """Follow a running container from now on, before it is asked for what there is."""
        self._current = container
        if self._tap is not None:
            self._tap.close()
            self._tap = None
        if container.state in _UP:
            # Without it each read is a look, and a look says what is wrong.
            with contextlib.suppress(SourceError):
                self._tap = self._api.tap(f"{_path(container.id)}&tail=0&follow=1", end)

    def _request(self, place: Place, logging: Logging, tail: int, final: bool, end: float) -> _Answer:
        path = _path(place.container)
        if tail != _ALL:
            path += f"&tail={tail}"
            if logging.compressed and place.time:
                # Docker before 23 unpacks every old file, if it is not told how far back to go.
                path += f"&since={int(docker_engine.unix_time(place.time.decode('latin-1'))) - _DISORDER}"
        stream = self._api.stream(path, end)
        return _Answer(stream, Terminal() if logging.terminal else Frames(), place, tail, final)

    def _inspect(self, container: Listed, end: float) -> Logging:
        if self._logging is None or self._logging[0] != container.id:
            answer = self._api.get(f"/containers/{container.id}/json", end)
            self._logging = (container.id, docker_engine.parse_logging(answer))
        return self._logging[1]

    def _last_words(self, place: Place, tapped: bytes) -> list[Entry]:
        """Return what a container said after a place before it was removed, as far as it arrived in the tap."""
        if self._tap is None:
            return []
        tapped += self._tap.read(_TAP_BYTES)[0]
        self._tap.close()
        self._tap = None
        terminal = self._logging is not None and self._logging[1].terminal
        entries = (Terminal() if terminal else Frames()).feed(tapped)
        there = [index for index, entry in enumerate(entries) if entry.time == place.time]
        if there:
            return entries[there[: place.count][-1] + 1 :]
        return [entry for entry in entries if entry.time > place.time]

    def _refused(self, container: Listed, refusal: RefusedError) -> SourceError:
        driver = self._logging[1].driver if self._logging else ""
        if "does not support reading" not in str(refusal) and driver != "none":
            return refusal
        return SourceError(
            f"container {container.name} logs by the driver {driver!r}, which Docker cannot read back",
            remedy=f"give {self._wanted} the log driver json-file, local or journald and make the container anew",
        )


def containers(api: Api, wanted: str, project: str, end: float) -> list[Listed]:
    """Return the containers of a name or of a project's service, newest first. Raises SourceError."""

    def is_wanted(listed: Listed) -> bool:
        labels = listed.labels
        if listed.name == wanted:
            return True
        if labels.get(f"{_LABEL}service") != wanted or labels.get(f"{_LABEL}oneoff", "").lower() == "true":
            return False
        return not project or labels.get(f"{_LABEL}project") == project

    return [each for each in docker_engine.parse_list(api.get(_LIST, end)) if is_wanted(each)]


class _Answer:
    """What the Engine sends of a log, and what of that comes after a place."""

    def __init__(self, stream: Stream, decoder: Frames | Terminal, place: Place, tail: int, final: bool) -> None:
        self.place = place
        self.tail = tail
        self.final = final
        self.searching = bool(place.time)
        self.found = 0
        self.size = 0
        self._stream = stream
        self._decoder = decoder
        self._ahead: list[Entry] = []
        self._ended = False
        self.seen = 0

    def reaches(self, end: float) -> bool:
        """Say whether the answer begins before the place, so that it has the place and nothing is missing after it."""
        entries = self._ahead
        while not self._ended and not (entries and entries[0].time < self.place.time):
            if self.tail != _ALL and len(entries) >= min(self.tail, _WAIT_FOR):
                return False
            entries += self._decode(end)
            if self.tail == _ALL:
                return True
        return True

    def read(self, end: float) -> list[Entry] | None:
        """Return what comes next of what is new, None at the end of the answer. Raises SourceError."""
        entries, self._ahead = self._ahead, []
        if not entries:
            if self._ended:
                return None
            entries = self._decode(end)
        if self.searching:
            entries = self._after_place(entries)
        self.found += len(entries)
        return entries

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def _decode(self, end: float) -> list[Entry]:
        data = self._stream.read(end)
        self.size = len(data)
        self._ended = not data
        return self._decoder.feed(data)

    def _after_place(self, entries: list[Entry]) -> list[Entry]:
        for index, entry in enumerate(entries):
            if entry.time == self.place.time:
                self.seen += 1
                if self.seen == self.place.count:
                    self.searching = False
                    return entries[index + 1 :]
        return []


def _path(container: str) -> str:
    return f"/containers/{container}/logs?stdout=1&stderr=1&timestamps=1"


def _load(position: Any) -> tuple[Place, Joiner]:
    """Return what ``ContainerLog.position`` has told. Raises ValueError when it is something else."""
    try:
        place = Place(
            str(position["container"]),
            int(position["created"]),
            str(position["time"]).encode("latin-1"),
            int(position["count"]),
        )
        return place, Joiner.load(position["parts"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"not a place in a container's log: {position!r:.100}") from error
