"""Following a container's log, against an engine whose log a test fills, rotates and takes away."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailserver_exporter.sources import SourceError
from mailserver_exporter.sources.container_log import ContainerLog
from mailserver_exporter.sources.docker_api import Api
from mailserver_exporter.sources.docker_stream import Frames, Joiner, Terminal
from mailserver_exporter.sources.log_source import MAX_LINE
from tests.support.impostor import dumps
from tests.support.log_engine import LogEngine, Logged, Server, chunked, frame, kept
from tests.support.processes import wait_for

FIRST, SECOND = "a" * 64, "b" * 64
BEGINNING = {"container": "", "created": 0, "time": "", "count": 0, "parts": {}}


def at(nanoseconds: int) -> bytes:
    """Return a time as the Engine writes it."""
    return b"2026-11-22T03:%02d:%02d.%09dZ" % (
        nanoseconds // 60_000_000_000 % 60,
        nanoseconds // 1_000_000_000 % 60,
        nanoseconds % 1_000_000_000,
    )


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[LogEngine]:
    engine = LogEngine(tmp_path / "docker.sock")
    engine.containers = [Logged(FIRST, 1000)]
    yield engine
    engine.close()


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Callable[..., ContainerLog]]:
    opened: list[ContainerLog] = []

    def opener(position: Any = BEGINNING) -> ContainerLog:
        opened.append(ContainerLog(Api(str(tmp_path / "docker.sock")), "postfix", position=position))
        return opened[-1]

    yield opener
    for log in opened:
        log.close()


def read(log: ContainerLog, max_bytes: int = 100_000) -> list[bytes]:
    lines = []
    while True:
        batch = log.read(max_bytes)
        lines += batch.lines
        if not batch.more:
            return lines


def read_until(log: ContainerLog, count: int) -> list[bytes]:
    """Read until there are so many lines: what arrives in the tap does so a moment later."""
    lines: list[bytes] = []
    wait_for(f"{count} lines", lambda: lines.extend(read(log)) or len(lines) >= count, pause=0.005)
    return lines


@pytest.mark.parametrize("seed", range(12))
def test_every_line_comes_once_whatever_happens_between(
    engine: LogEngine, follow: Callable[..., ContainerLog], seed: int
) -> None:
    chance = random.Random(seed)
    clock = 10_000_000_000
    written: list[bytes] = []
    got: list[bytes] = []
    log = follow()
    for step in range(120):
        container = engine.containers[0]
        happens = chance.choice(["write"] * 6 + ["read", "resume", "read some", "set back", "anew", "stop", "rotate"])
        if happens == "write":
            for _ in range(chance.choice([1, 3, 50, 400])):
                clock += chance.choice([0, 1, 1000])
                written.append(b"%d" % len(written))
                container.entries.append(frame(at(clock), written[-1] + b"\n", chance.choice([1, 2])))
        elif happens == "set back":
            clock -= chance.randint(5_000, 5_000_000_000)
        elif happens == "anew":
            container.state = "exited"
            engine.containers.insert(0, Logged(f"{step:064x}", container.created + 1))
        elif happens == "stop":
            container.state = "exited" if container.state == "running" else "running"
        elif happens == "rotate":
            got += read_until(log, len(written) - len(got))
            container.forget(chance.randint(0, len(container.entries)))
            clock += 1  # no two entries are told apart whose times are the same when the first of them is gone
        elif happens == "read some":
            got += log.read(500).lines
        else:
            got += read(log)
        if happens == "resume":
            log.close()
            log = follow(log.position())
    got += read_until(log, len(written) - len(got))
    assert got == written
    assert read(log) == []


def test_a_position_that_was_thrown_away_means_that_all_there_is_is_new(
    engine: LogEngine, follow: Callable[..., ContainerLog]
) -> None:
    entries = [frame(at(number), b"%d\n" % number) for number in range(1000, 2000)]
    engine.containers[0].entries = entries[:100]
    log = follow()
    assert len(read(log)) == 100
    log.close()
    engine.containers[0].entries = entries[500:]
    assert read(follow(log.position())) == [b"%d" % number for number in range(1500, 2000)]


def test_the_last_words_of_a_removed_container_are_heard(
    engine: LogEngine, follow: Callable[..., ContainerLog]
) -> None:
    container = engine.containers[0]
    container.entries.append(frame(at(1), b"hello\n"))
    log = follow()
    assert read(log) == [b"hello"]
    container.entries += [frame(at(2), b"good\n"), frame(at(3), b"bye\n")]
    # The connection that follows it sends these before it ends.
    container.state = "exited"
    engine.containers = [Logged(SECOND, 1001, entries=[frame(at(4), b"hello again\n")])]
    assert read_until(log, 3) == [b"good", b"bye", b"hello again"]
    assert read(log) == []


def test_a_quiet_container_is_not_asked_again(engine: LogEngine, follow: Callable[..., ContainerLog]) -> None:
    engine.containers[0].entries.append(frame(at(1), b"hello\n"))
    log = follow()
    assert read(log) == [b"hello"]
    asked = len(engine.server.asked)
    for _ in range(100):
        assert log.read(1000).lines == []
    assert len(engine.server.asked) == asked


def test_a_long_backlog_is_asked_for_as_far_as_needed(engine: LogEngine, follow: Callable[..., ContainerLog]) -> None:
    engine.containers[0].entries += [frame(at(number), b"old\n") for number in range(30_000)]
    log = follow(None)
    assert read(log) == []
    engine.containers[0].entries += [frame(at(30_000 + number), b"new\n") for number in range(3_000)]
    log.close()
    engine.server.asked.clear()
    assert read(follow(log.position())) == [b"new"] * 3000
    tails = [path.rpartition("tail=")[2] for path in engine.server.asked if "tail=" in path and "follow" not in path]
    assert tails == ["32", "256", "2048", "16384"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nthis is no log of a container", "sends something that is no log"),
        (b"\x01\0\0\0\xff\xff\xff\xff", "sends something that is no log"),
        (frame(at(1), b"error grabbing logs: invalid character\n", 3), "cannot read the log: .*invalid character"),
    ],
)
def test_what_is_no_log_is_told(tmp_path: Path, body: bytes, message: str) -> None:
    def talk(connection: Any, path: str) -> object:
        if path == "/version":
            return connection.sendall(kept(b'{"ApiVersion": "1.41"}'))
        if path.endswith("all=1"):
            return connection.sendall(
                kept(dumps([{"Id": FIRST, "Names": ["/postfix"], "State": "running", "Created": 1}]))
            )
        if path.endswith("/json"):
            return connection.sendall(kept(dumps({"Id": FIRST})))
        return connection.sendall(chunked(frame(at(0), b"good\n"), body, b""))

    server = Server(tmp_path / "docker.sock", talk)
    log = ContainerLog(Api(str(tmp_path / "docker.sock")), "postfix", position=BEGINNING)
    with pytest.raises(SourceError, match=message):
        read(log)
    log.close()
    server.close()


def test_a_flood_is_read_in_portions(engine: LogEngine, follow: Callable[..., ContainerLog]) -> None:
    engine.containers[0].entries += [frame(at(number), b"x" * 1000 + b"\n") for number in range(5000)]
    log = follow()
    assert log.read(1).more
    sizes = []
    more = True
    while more:
        batch = log.read(100_000)
        sizes.append(sum(map(len, batch.lines)))
        more = batch.more
    assert sum(sizes) == 5_000_000
    assert max(sizes) < 200_000


def test_a_position_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a place in a container's log"):
        ContainerLog(Api(str(tmp_path / "docker.sock")), "postfix", position={"container": 5})


def test_lines_are_joined_by_stream_and_cut_by_length() -> None:
    joiner = Joiner()
    entries = Frames().feed(
        b"".join(
            [
                frame(at(1), b"o" * 16384),
                frame(at(2), b"error\n", 2),
                frame(at(3), b"ut\n"),
                *[frame(at(4), b"y" * 16384)] * 5,
                frame(at(5), b"\n"),
                *[frame(at(6), b"z" * 16384)] * 4,
                frame(at(7), b"\n"),
                frame(at(8), b"\n"),
                frame(at(9), b"u" * 16384),
            ]
        )
    )
    lines: list[bytes] = []
    assert joiner.join(entries, lines) == 1
    assert lines == [b"error", b"o" * 16384 + b"ut", b"z" * MAX_LINE, b""]
    resumed = Joiner.load(joiner.dump())
    assert resumed.join(Frames().feed(frame(at(10), b" line\n")), lines) == 0
    assert lines[-1] == b"u" * 16384 + b" line"


def test_an_endless_line_costs_no_memory() -> None:
    joiner = Joiner()
    for _ in range(1000):
        joiner.join(Frames().feed(frame(at(1), b"x" * 16384)), [])
    assert sum(map(len, joiner.parts.values())) <= MAX_LINE + 1


@pytest.mark.parametrize("size", [1, 7, 1000, 1_000_000])
def test_pieces_of_any_size_give_the_same_entries(size: int) -> None:
    texts = [b"one\n", b"", b"\n", b"x" * 16384, b"two\n"]
    data = b"".join(frame(at(number), text) for number, text in enumerate(texts))
    frames = Frames()
    found = [entry for start in range(0, len(data), size) for entry in frames.feed(data[start : start + size])]
    assert [(entry.time, entry.text) for entry in found] == [(at(n), text) for n, text in enumerate(texts)]

    raw = at(1) + b" one\r\n" + at(2) + b" " + b"x" * 16384 + at(3) + b" two\r\n" + at(4) + b" \r\n"
    terminal = Terminal()
    found = [entry for start in range(0, len(raw), size) for entry in terminal.feed(raw[start : start + size])]
    assert [entry.text for entry in found] == [b"one\n", b"x" * 16384, b"two\n", b"\n"]
    assert [entry.time for entry in found] == [at(1), at(2), at(3), at(4)]
