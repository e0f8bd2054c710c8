"""Containers' logs through a real Docker Engine: each driver, every coming and going, and no line lost or doubled."""

from __future__ import annotations

import contextlib
import itertools
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from mailserver_exporter.sources import SourceError
from mailserver_exporter.sources.container_log import ContainerLog
from mailserver_exporter.sources.docker_api import Api
from tests.support import log_race
from tests.support.docker_engine import IMAGE, DockerEngine
from tests.support.processes import wait_for

HEADER = b"Nov 22 03:13:51 9a8b7c6d5e4f "
BEGINNING = {"container": "", "created": 0, "time": "", "count": 0, "parts": {}}
SMALL_FILES = {"max-size": "300k", "max-file": "10"}
Opener = Callable[..., ContainerLog]

# Another's Docker Engine may have to end first.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def engine(docker_engine: DockerEngine) -> Iterator[DockerEngine]:
    yield docker_engine
    docker_engine.remove_containers()


@pytest.fixture
def follow(engine: DockerEngine) -> Iterator[Opener]:
    """Return what opens the log of a container, from its beginning unless told otherwise."""
    with contextlib.ExitStack() as cleanup:

        def opener(name: str = "postfix", position: Any = BEGINNING, of: DockerEngine = engine) -> ContainerLog:
            log = ContainerLog(Api(str(of.socket)), name, position=position)
            cleanup.callback(log.close)
            return log

        yield opener


def run(engine: DockerEngine, script: str, driver: str = "json-file", **options: Any) -> Any:
    """Start a container `postfix` that runs a shell script."""
    log = docker.types.LogConfig(type=driver, config=options.pop("log", {}))
    settings = {"name": "postfix", **options}
    return engine.client().containers.run(IMAGE, ["sh", "-c", script], detach=True, log_config=log, **settings)


def read(log: ContainerLog) -> list[bytes]:
    """Return what is there now."""
    lines = []
    while True:
        batch = log.read(100_000)
        lines += batch.lines
        if not batch.more:
            return lines


def wait_for_lines(log: ContainerLog, count: int) -> list[bytes]:
    """Return so many lines, and what comes with them."""
    lines: list[bytes] = []

    def enough() -> bool:
        lines.extend(read(log))
        return len(lines) >= count

    wait_for(f"{count} lines", enough)
    return lines


SCRIPT = (
    "i=0; while [ $i -lt 500 ]; do echo line $i; echo error $i >&2; i=$((i+1)); done;"
    "head -c 50000 /dev/zero | tr '\\0' x; echo; head -c 70000 /dev/zero | tr '\\0' y; echo; "
    "printf '\\303\\274\\001\\n'; printf unfinished; sleep 1000"
)
SPOKEN = sorted(
    [f"{kind} {number}".encode() for kind in ("line", "error") for number in range(500)]
    + [b"x" * 50000, b"\xc3\xbc\x01"]
)


def assert_all_is_read(log: ContainerLog, again: Opener) -> None:
    """Raise AssertionError unless the log says what SCRIPT does, also to a reader that comes back every 50 lines."""
    assert sorted(wait_for_lines(log, len(SPOKEN))) == SPOKEN
    position: Any = BEGINNING
    lines: list[bytes] = []
    end = time.monotonic() + 60
    while len(lines) < len(SPOKEN):
        assert time.monotonic() < end
        resumed = again(position=position)
        batch = resumed.read(4000)
        while batch.more and not batch.lines:
            batch = resumed.read(4000)
        lines += batch.lines
        position = resumed.position()
        resumed.close()
    assert sorted(lines) == SPOKEN
    assert again(position=position).read(100_000).lines == []


@pytest.mark.parametrize(
    ("driver", "options"),
    [
        ("json-file", {}),
        ("json-file", {"max-size": "20k", "max-file": "30", "compress": "true"}),
        ("local", {"max-size": "20k", "max-file": "30"}),
    ],
)
def test_every_driver_is_read(engine: DockerEngine, follow: Opener, driver: str, options: dict[str, str]) -> None:
    run(engine, SCRIPT, driver, log=options)
    assert_all_is_read(follow(), follow)


def test_what_docker_keeps_beside_a_driver_that_cannot_be_read_is_read(engine: DockerEngine, follow: Opener) -> None:
    """Its cache may lose lines of a burst, so there is none here."""
    run(engine, "echo one; sleep 0.2; echo two; sleep 1000", "syslog", log={"syslog-address": "udp://127.0.0.1:9"})
    assert wait_for_lines(follow(), 2) == [b"one", b"two"]


def test_a_driver_that_keeps_nothing_is_told_with_what_to_do(engine: DockerEngine, follow: Opener) -> None:
    run(engine, SCRIPT, "none")
    with pytest.raises(SourceError, match="container postfix logs by the driver 'none'") as failure:
        read(follow())
    assert failure.value.remedy.startswith("give postfix the log driver json-file, local or journald")


def test_a_container_with_a_terminal_is_read(engine: DockerEngine, follow: Opener) -> None:
    run(engine, SCRIPT.replace("printf unfinished;", ""), tty=True)
    assert sorted(wait_for_lines(follow(), len(SPOKEN))) == SPOKEN


def test_reading_begins_at_the_end_the_first_time(engine: DockerEngine, follow: Opener) -> None:
    container = run(engine, "echo old; sleep 1000")
    wait_for("it has spoken", container.logs)
    log = follow(position=None)
    assert read(log) == []
    say(container, "new")
    assert wait_for_lines(log, 1) == [b"new"]


def say(container: Any, *lines: str) -> None:
    """Let a container's main process write lines."""
    script = "".join(f"echo {line} >/proc/1/fd/1;" for line in lines)
    assert container.exec_run(["sh", "-c", script]).exit_code == 0


def test_a_container_that_is_made_anew_is_read_from_its_beginning(engine: DockerEngine, follow: Opener) -> None:
    labels = {"com.docker.compose.project": "mail", "com.docker.compose.service": "dovecot-mailcow"}
    log = follow("dovecot-mailcow", None)
    assert read(log) == []
    expected = []
    for number in range(3):
        container = run(engine, f"echo first {number}; sleep 1000", name=f"mail-{number}", labels=labels)
        assert wait_for_lines(log, 1) == [f"first {number}".encode()]
        say(container, f"second {number}")
        say(container, f"third {number}")
        expected += [f"second {number}".encode(), f"third {number}".encode()]
        # Nothing was read since: these are the last words.
        wait_for("all is logged", lambda container=container, number=number: f"third {number}" in str(container.logs()))
        container.remove(force=True)
        assert wait_for_lines(log, 2) == expected[-2:]
    assert read(log) == []


def test_restarts_and_stops_are_gone_through(engine: DockerEngine, follow: Opener) -> None:
    container = run(engine, "echo up; sleep 1000")
    log = follow()
    assert wait_for_lines(log, 1) == [b"up"]
    container.stop()
    assert read(log) == []
    container.start()
    container.stop()
    assert wait_for_lines(log, 1) == [b"up"]
    container.restart()
    container.restart()
    assert wait_for_lines(log, 2) == [b"up"] * 2
    assert read(log) == []


def test_an_engine_that_restarts_loses_nothing(engine: DockerEngine, follow: Opener) -> None:
    run(engine, "echo up; sleep 1000", restart_policy={"Name": "always"})
    log = follow()
    assert wait_for_lines(log, 1) == [b"up"]
    engine.stop()
    with pytest.raises(SourceError, match="cannot be reached"):
        log.read(1000)
    engine.start()
    assert wait_for_lines(log, 1) == [b"up"]
    assert read(log) == []


def test_an_engine_that_hangs_is_told_and_loses_nothing(engine: DockerEngine, follow: Opener) -> None:
    container = run(engine, "sleep 1000")
    log = follow()
    assert read(log) == []
    say(container, "before")
    engine.freeze()
    started = time.monotonic()
    with pytest.raises(SourceError, match="did not answer in time"):
        for _ in range(3):
            log.read(1000)
    assert time.monotonic() - started < 15
    engine.thaw()
    assert wait_for_lines(log, 1) == [b"before"]


def test_what_the_driver_has_thrown_away_is_gone_and_nothing_doubled(engine: DockerEngine, follow: Opener) -> None:
    container = run(engine, "sleep 1000", log={"max-size": "5k", "max-file": "2"})
    say(container, "first")
    log = follow()
    assert wait_for_lines(log, 1) == [b"first"]
    position = log.position()
    log.close()
    say(container, *(f"line-{number}" for number in range(300)))
    lines = wait_for_lines(follow(position=position), 20)
    assert lines == [f"line-{number}".encode() for number in range(300 - len(lines), 300)]


class Cat:
    """A container that says what it is given, and ends when there is no more."""

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine
        self._turns = itertools.count()
        self._container: Any = None
        self._renew()

    def write(self, lines: list[bytes]) -> None:
        self._input.sendall(b"".join(HEADER + line + b"\n" for line in lines))

    def turn(self) -> None:
        """Let it end, and start it again or make another one in its place."""
        self._end()
        if next(self._turns) % 2:
            self._start()
        else:
            self._container.rename(f"old-{self._container.short_id}")
            self._renew()

    def _renew(self) -> None:
        self._container = self._engine.client().containers.create(
            IMAGE,
            ["cat"],
            stdin_open=True,
            labels={"com.docker.compose.project": "mail", "com.docker.compose.service": "postfix-mailcow"},
            log_config=docker.types.LogConfig(type="json-file", config=SMALL_FILES),
        )
        self._start()

    def _start(self) -> None:
        # By hand, because the client's attach_socket() leaves sockets behind. The container's input ends with it.
        self._input = socket.socket(socket.AF_UNIX)
        self._input.settimeout(60)
        self._input.connect(str(self._engine.socket))
        path = f"/containers/{self._container.id}/attach?stdin=1&stream=1"
        self._input.sendall(
            f"POST {path} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode()
        )
        assert self._input.recv(1000).startswith(b"HTTP/1.1 101 ")
        self._container.start()

    def _end(self) -> None:
        self._input.shutdown(socket.SHUT_WR)
        self._container.wait(timeout=30)
        self._input.close()

    def close(self) -> None:
        self._end()


def test_containers_are_counted_once_through_ten_turns_and_many_kills(engine: DockerEngine, tmp_path: Path) -> None:
    cat = Cat(engine)
    writer = log_race.Writer(cat.write, cat.turn)
    exporter = log_race.exporter(tmp_path / "exporter", "logs: {sources: {postfix: container/postfix-mailcow}}\n")
    settings = exporter.config.read_text()
    exporter.config.write_text(
        settings.replace("containers: {enabled: false}", f"containers: {{enabled: false, socket: {engine.socket}}}")
    )
    kills = log_race.assert_nothing_is_lost_or_doubled(exporter, writer)
    assert kills >= 8
    cat.close()
