"""The containers of a Docker Engine, by its API (docs.docker.com/reference/api/engine) over its socket.

Listing is cheap and inspecting is not, so a container is inspected when the list shows that it changed, when the caller
knows that its process is gone, and otherwise in turn, a few at each look.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailserver_exporter.sources import SourceError, docker_api

STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
HEALTH = ("starting", "healthy", "unhealthy", "none")

_LOOK_SECONDS = 3.5  # all requests of one look together
_ROUTINE = 1  # inspections at each look of containers that show no change
_IMAGE = re.compile(r"sha256:[0-9a-f]{64}")
_NEVER = "0001-01-01"
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,6})?\d*(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True)
class Listed:
    """A line of `docker ps -a`.

    ``status`` is the Status column without the time in it, ``created`` a Unix time in whole seconds.
    """

    id: str
    name: str
    state: str
    status: str
    labels: Mapping[str, str]
    created: int = 0


@dataclass(frozen=True)
class Container:
    """What `docker inspect` tells. ``started`` is a Unix time, 0 for a container that never ran.

    ``image`` is the name that it was made of, ``image_id`` what that name stood for then.
    """

    id: str
    name: str
    image: str
    state: str
    health: str
    exit_code: int
    restarts: int
    oom_killed: bool
    pid: int
    started: float
    shares_network: bool
    image_id: str = ""


@dataclass(frozen=True)
class Logging:
    """How a container logs: by which driver, whether that compresses old files, and whether it has a terminal."""

    driver: str
    compressed: bool
    terminal: bool


@dataclass(frozen=True)
class _Known:
    listed: Listed
    container: Container
    inspected: float


class Engine:
    """A connection to the Docker Engine behind a Unix socket. Not for two threads at a time."""

    def __init__(self, path: str) -> None:
        self._api = docker_api.Api(path)
        self._known: dict[str, _Known] = {}
        self._end = 0.0

    def look(self) -> list[tuple[Listed, Container]]:
        """Return every container, running or not, newest first, each name once.

        Raises SourceError when the engine is not there, does not answer in time, or answers nonsense; the next call
        makes a new connection.
        """
        self._end = time.monotonic() + _LOOK_SECONDS
        if self._api.renewed():
            self._known = {}
        listed = parse_list(self._get("/containers/json?all=1"))
        known = {}
        routine = set(sorted(self._known, key=lambda identity: self._known[identity].inspected)[:_ROUTINE])
        for entry in listed:
            old = self._known.get(entry.id)
            # What restarts is never the same for long, though it may look so each time.
            if old and _alike(old.listed, entry) and entry.id not in routine and entry.state != "restarting":
                known[entry.id] = _Known(entry, old.container, old.inspected)
            elif container := self._inspect(entry.id):
                known[entry.id] = _Known(entry, container, time.monotonic())
        self._known = known
        unique = {found.container.name: (found.listed, found.container) for found in reversed(list(known.values()))}
        return list(reversed(unique.values()))

    def look_again(self, container: Container) -> Container | None:
        """Inspect one container now, because its process is no more; None when the container is gone, too."""
        fresh = self._inspect(container.id)
        if fresh is None:
            self._known.pop(container.id, None)
        elif container.id in self._known:
            self._known[container.id] = _Known(self._known[container.id].listed, fresh, time.monotonic())
        return fresh

    def close(self) -> None:
        """Close the connection and forget what was seen."""
        self._api.close()
        self._known = {}

    def _inspect(self, identity: str) -> Container | None:
        data = self._get(f"/containers/{identity}/json", may_be_missing=True)
        return parse_inspect(data) if data else None

    def _get(self, path: str, may_be_missing: bool = False) -> bytes:
        try:
            return self._api.get(path, self._end, may_be_missing=may_be_missing)
        except SourceError:
            self.close()
            raise


def parse_list(data: bytes) -> list[Listed]:
    """Parse the answer of GET /containers/json. Raises SourceError when it is not a list of containers."""
    found = []
    for entry in _json(data, list):
        names = _of(entry, "Names", list)
        # A linked container has further names below that of the other: /other/alias.
        name = min((str(name) for name in names), key=lambda name: name.count("/"), default="")
        labels = {_text(key): _text(value) for key, value in _of(entry, "Labels", dict).items()}
        status = _status(_text(_of(entry, "Status", str)))
        name = _text(name).lstrip("/")
        created = _of(entry, "Created", int)
        found.append(Listed(_identity(entry), name, _text(entry.get("State")), status, labels, created))
    return found


def parse_logging(data: bytes) -> Logging:
    """Parse from the answer of GET /containers/ID/json how the container logs. Raises SourceError when it is none."""
    answer = _json(data, dict)
    told = _of(_of(answer, "HostConfig", dict), "LogConfig", dict)
    driver = _text(told.get("Type"))
    # The driver "local" compresses unless told otherwise, json-file only where it is told to.
    compress = _of(told, "Config", dict).get("compress", str(driver == "local").lower())
    return Logging(driver, compress == "true", _of(answer, "Config", dict).get("Tty") is True)


def parse_inspect(data: bytes) -> Container:
    """Parse the answer of GET /containers/ID/json. Raises SourceError when it is not one container."""
    answer = _json(data, dict)
    state = _of(answer, "State", dict)
    health = _of(state, "Health", dict).get("Status")
    mode = str(_of(answer, "HostConfig", dict).get("NetworkMode"))
    image_id = _text(answer.get("Image"))
    identity = _identity(answer)
    return Container(
        id=identity,
        name=_text(answer.get("Name")).lstrip("/") or identity[:12],
        image=_text(_of(answer, "Config", dict).get("Image")),
        state=_text(state.get("Status")),
        health=health if health in HEALTH else "none",
        exit_code=_of(state, "ExitCode", int),
        restarts=_of(answer, "RestartCount", int),
        oom_killed=state.get("OOMKilled") is True,
        pid=_of(state, "Pid", int),
        started=unix_time(_text(state.get("StartedAt"))),
        shares_network=mode == "host" or mode.startswith("container:"),
        image_id=image_id if _IMAGE.fullmatch(image_id) else "",
    )


def _alike(old: Listed, new: Listed) -> bool:
    return (old.name, old.state, old.status) == (new.name, new.state, new.status)


def _status(text: str) -> str:
    """Keep of `Exited (1) 5 seconds ago` and `Up 2 hours (healthy)` what does not change with time."""
    return " ".join(re.findall(r"^\w+|\([^)]*\)", text))


def _json(data: bytes, kind: type) -> Any:
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"the Docker Engine answered something that is not JSON: {data[:80]!r}") from error
    if not isinstance(answer, kind):
        raise SourceError(f"the Docker Engine answered something unexpected: {data[:80]!r}")
    return answer


def _of(entry: object, key: str, kind: type) -> Any:
    """Return a value of an answer; absent and null are the empty value of its kind."""
    value = entry.get(key) if isinstance(entry, dict) else entry
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise SourceError(f"the Docker Engine answered an unexpected {key}: {str(value)[:80]!r}")
    return value


def _identity(entry: object) -> str:
    identity = _of(entry, "Id", str)
    if not re.fullmatch(r"[0-9a-f]{12,64}", identity):
        raise SourceError(f"the Docker Engine answered a container without an id: {identity[:80]!r}")
    return str(identity)


def _text(value: object) -> str:
    """Return a text that can be written as UTF-8; JSON may hold halves of surrogate pairs."""
    return "" if value is None else str(value).encode("utf-8", "replace").decode()


def unix_time(text: str) -> float:
    """Return RFC 3339 as a Unix time; Python 3.10 reads no nanoseconds."""
    parts = _TIME.fullmatch(text)
    if not parts or text.startswith(_NEVER):
        return 0.0
    moment, fraction, zone = parts.groups()
    return datetime.fromisoformat(moment + ("+00:00" if zone == "Z" else zone)).timestamp() + float(fraction or 0)
