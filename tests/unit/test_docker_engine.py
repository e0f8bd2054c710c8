"""What a Docker Engine answers, and what something else in its place may answer."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailserver_exporter.collectors.containers import OomCounter
from mailserver_exporter.sources import SourceError, docker_engine
from mailserver_exporter.sources.docker_engine import Container, Engine
from mailserver_exporter.sources.docker_images import Images
from tests.support.impostor import ID, INSPECTED, LISTED, Impostor, dumps, engine_with, http
from tests.support.metrics import Exposition


def test_reads_a_list() -> None:
    [found] = docker_engine.parse_list(dumps([LISTED]))
    assert (found.id, found.name, found.state, found.status) == (ID, "postfix", "running", "Up (unhealthy)")
    assert found.labels == {"com.docker.compose.project": "mail"}


@pytest.mark.parametrize(
    ("status", "kept"),
    [
        ("Up 2 hours", "Up"),
        ("Up About a minute (health: starting)", "Up (health: starting)"),
        ("Up 3 minutes (Paused)", "Up (Paused)"),
        ("Exited (137) 5 seconds ago", "Exited (137)"),
        ("Restarting (1) Less than a second ago", "Restarting (1)"),
        ("Created", "Created"),
        ("", ""),
    ],
)
def test_the_time_in_a_status_is_no_change(status: str, kept: str) -> None:
    [found] = docker_engine.parse_list(dumps([{**LISTED, "Status": status}]))
    assert found.status == kept


def test_reads_an_inspection() -> None:
    assert docker_engine.parse_inspect(dumps(INSPECTED)) == Container(
        id=ID,
        name="postfix",
        image="busybox:test",
        state="running",
        health="unhealthy",
        exit_code=0,
        restarts=2,
        oom_killed=False,
        pid=30735,
        started=pytest.approx(1795306902.814309),
        shares_network=False,
    )


def test_a_container_that_never_ran_has_neither_start_nor_health() -> None:
    state = {"Status": "created", "Pid": 0, "ExitCode": 0, "StartedAt": "0001-01-01T00:00:00Z"}
    found = docker_engine.parse_inspect(dumps({**INSPECTED, "State": state}))
    assert (found.started, found.health, found.pid) == (0.0, "none", 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>",
        b"{}",
        b"[1]",
        b'[{"Id": 5}]',
        b'[{"Id": "../../version"}]',
        dumps([{**LISTED, "Labels": []}]),
        dumps([{**LISTED, "Names": "x"}]),
        dumps([{**LISTED, "Status": 5}]),
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_list_that_is_none_is_an_error(data: bytes) -> None:
    with pytest.raises(SourceError, match="Docker Engine answered"):
        docker_engine.parse_list(data)


@pytest.mark.parametrize(
    "data", [b"[]", b"null", dumps({"Id": ID, "State": "up"}), dumps({**INSPECTED, "RestartCount": "many"})]
)
def test_an_inspection_that_is_none_is_an_error(data: bytes) -> None:
    with pytest.raises(SourceError, match="Docker Engine answered"):
        docker_engine.parse_inspect(data)


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[Callable[[Callable[[str], bytes]], Impostor]]:
    started: list[Impostor] = []

    def start(answer: Callable[[str], bytes]) -> Impostor:
        started.append(Impostor(tmp_path / "docker.sock", answer))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"220 mail.example.org ESMTP Postfix\r\n", "does not answer properly"),
        (b"", "does not answer properly"),
        (http(b"not json"), "does not tell its API version"),
        (http(b"[]"), "does not tell its API version"),
        (http(b"[" * 100_000), "does not tell its API version"),
        (http(dumps({"ApiVersion": "0.0"})), "does not tell its API version"),
        (http(dumps({"ApiVersion": 1.41})), "does not tell its API version"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", "does not answer properly"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n{}", "does not answer properly"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffff\r\n{}", "does not answer properly"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000, "does not answer properly"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000, "does not answer properly"),
        (http(b"[" + b" " * 10_000_000 + b"]"), "more than 8000000 bytes"),
        (http(dumps({"ApiVersion": "../../x"})), "does not tell its API version"),
        (http(b"{}", "500 Internal Server Error"), "answered 500: b'{}'"),
        (http(b'{"message": "broken"}', "500 Internal Server Error"), "answered 500: broken$"),
    ],
)
def test_something_else_at_the_socket_is_named(
    impostor: Callable[..., Impostor], tmp_path: Path, answer: bytes, message: str
) -> None:
    impostor(lambda _: answer)
    engine = Engine(str(tmp_path / "docker.sock"))
    with pytest.raises(SourceError, match=message):
        engine.look()


def test_an_endless_answer_is_cut(impostor: Callable[..., Impostor], tmp_path: Path) -> None:
    version = http(dumps({"ApiVersion": "1.41"}))
    impostor(lambda path: version if path == "/version" else http(b"[" + b" " * 10_000_000 + b"]"))
    with pytest.raises(SourceError, match="more than 8000000 bytes"):
        Engine(str(tmp_path / "docker.sock")).look()


def test_an_engine_that_does_not_listen_is_named_with_what_to_do(tmp_path: Path) -> None:
    engine = Engine(str(tmp_path / "docker.sock"))
    with pytest.raises(SourceError, match="cannot be reached: No such file") as failure:
        engine.look()
    assert failure.value.remedy == "systemctl status docker"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "docker.sock"))
    with pytest.raises(SourceError, match="cannot be reached: Connection refused"):
        engine.look()


def test_names_with_quotes_and_newlines_come_through_whole(impostor: Callable[..., Impostor], tmp_path: Path) -> None:
    name, image = 'ro"gue\n\\', "half\ud800image"
    impostor(engine_with({ID: {**INSPECTED, "Name": f"/{name}", "Config": {"Image": image}}}))
    engine = Engine(str(tmp_path / "docker.sock"))

    [(_, container)] = engine.look()

    assert (container.name, container.image) == (name, "half?image")
    family = OomCounter().family([container], {})
    assert Exposition.of([family]).value("container_oom_events_total", name=name, image="half?image") == 0
    engine.close()


def test_a_name_that_is_there_twice_makes_one_series(impostor: Callable[..., Impostor], tmp_path: Path) -> None:
    other = "a" * 64
    impostor(engine_with({ID: INSPECTED, other: {**INSPECTED, "Id": other}}))
    engine = Engine(str(tmp_path / "docker.sock"))
    assert [container.id for _, container in engine.look()] == [ID]
    engine.close()


def test_a_container_removed_after_it_was_listed_is_left_out(impostor: Callable[..., Impostor], tmp_path: Path) -> None:
    containers = {ID: INSPECTED}
    usual = engine_with(containers)
    impostor(lambda path: http(b"{}", "404 Not Found") if path.endswith(f"{ID}/json") else usual(path))
    engine = Engine(str(tmp_path / "docker.sock"))
    assert engine.look() == []
    engine.close()


def test_what_did_not_change_is_inspected_one_at_a_time(impostor: Callable[..., Impostor], tmp_path: Path) -> None:
    many = {f"{number:064x}": {**INSPECTED, "Id": f"{number:064x}", "Name": f"/n{number}"} for number in range(10)}
    server = impostor(engine_with(many))
    engine = Engine(str(tmp_path / "docker.sock"))
    engine.look()
    asked = []
    for _ in range(10):
        server.asked.clear()
        engine.look()
        asked += [path for path in server.asked if "all=1" not in path]
    assert len(asked) == 10
    assert len(set(asked)) == 10
    engine.close()


def test_an_engine_that_trickles_is_given_up_in_time(impostor: Callable[..., Impostor], tmp_path: Path) -> None:
    def trickle(path: str) -> bytes:
        if path != "/version":
            time.sleep(1.2)
        return engine_with({ID: INSPECTED, "a" * 64: INSPECTED, "b" * 64: INSPECTED, "c" * 64: INSPECTED})(path)

    impostor(trickle)
    started = time.monotonic()
    with pytest.raises(SourceError, match="did not answer in time"):
        Engine(str(tmp_path / "docker.sock")).look()
    assert time.monotonic() - started < 3.9


def run(started: float, oom_killed: bool = False) -> Container:
    inspected = docker_engine.parse_inspect(dumps(INSPECTED))
    fields = {**inspected.__dict__, "started": started, "oom_killed": oom_killed}
    return Container(**fields)


def test_out_of_memory_kills_add_up_over_runs_and_never_fall() -> None:
    counter = OomCounter()

    def total(container: Container) -> float:
        return Exposition.of([counter.family([container], {})]).value("container_oom_events_total")

    assert total(run(1)) == 0
    assert total(run(1, oom_killed=True)) == 1
    assert total(run(1, oom_killed=True)) == 1
    assert total(run(2)) == 1
    assert total(run(2, oom_killed=True)) == 2


IMAGE_ID = LISTED["ImageID"]


def images(impostor: Callable[..., Impostor], tmp_path: Path, image: bytes) -> tuple[Images, Impostor]:
    """Return what asks an engine that knows one image, and that engine."""
    version = http(dumps({"ApiVersion": "1.41"}))
    server = impostor(lambda path: version if path == "/version" else image)
    return Images(str(tmp_path / "docker.sock")), server


def test_an_image_is_asked_for_once(impostor: Callable[..., Impostor], tmp_path: Path) -> None:
    # curl --unix-socket /run/docker.sock http://d/v1.41/images/ID/json , what is read of it
    found, server = images(impostor, tmp_path, http(dumps({"Created": "2026-11-22T00:21:42.814309721Z"})))
    for _ in range(3):
        found.learn([IMAGE_ID, IMAGE_ID, ""])
        assert found.created(IMAGE_ID) == pytest.approx(1795306902.814309)
    assert server.asked == ["/version", f"/v1.41/images/{IMAGE_ID}/json"]
    assert found.created("") == 0


def test_many_images_are_asked_for_a_few_at_a_time_and_forgotten_with_their_containers(
    impostor: Callable[..., Impostor], tmp_path: Path
) -> None:
    found, server = images(impostor, tmp_path, http(dumps({"Created": "2026-11-22T00:00:00Z"})))
    many = [f"sha256:{number:064x}" for number in range(7)]
    for asked in (3, 6, 7, 7):
        found.learn(many)
        assert sum("/images/" in path for path in server.asked) == asked
    found.learn(many[:1])
    assert [found.created(each) > 0 for each in many] == [True, *[False] * 6]


@pytest.mark.parametrize(
    "answer",
    [
        http(b'{"message": "No such image"}', "404 Not Found"),
        http(dumps({"Created": "1970-01-01T00:00:00Z"})),
        http(dumps({"Created": "0001-01-01T00:00:00Z"})),
        http(dumps({"Created": 5})),
        http(dumps({})),
    ],
)
def test_an_image_that_is_gone_or_has_no_date_is_not_asked_for_again(
    impostor: Callable[..., Impostor], tmp_path: Path, answer: bytes
) -> None:
    found, server = images(impostor, tmp_path, answer)
    for _ in range(3):
        found.learn([IMAGE_ID])
        assert found.created(IMAGE_ID) == 0
    assert len(server.asked) == 2


@pytest.mark.parametrize("answer", [b"", http(b"[]"), http(b"{"), http(b"{}", "500 Internal Server Error")])
def test_an_engine_that_cannot_tell_of_an_image_is_not_asked_at_each_look(
    impostor: Callable[..., Impostor], tmp_path: Path, answer: bytes
) -> None:
    found, server = images(impostor, tmp_path, answer)
    for _ in range(3):
        found.learn([IMAGE_ID])
        assert found.created(IMAGE_ID) == 0
    assert server.asked.count(f"/v1.41/images/{IMAGE_ID}/json") == 1


def test_an_image_that_takes_long_holds_nobody_up(impostor: Callable[..., Impostor], tmp_path: Path) -> None:
    def slow(path: str) -> bytes:
        time.sleep(0 if path == "/version" else 3)
        return http(dumps({"ApiVersion": "1.41"}))

    impostor(slow)
    started = time.monotonic()
    Images(str(tmp_path / "docker.sock")).learn([f"sha256:{number:064x}" for number in range(3)])
    assert time.monotonic() - started < 2.5


def test_the_id_of_an_image_is_believed_only_where_it_is_one() -> None:
    assert docker_engine.parse_inspect(dumps({**INSPECTED, "Image": IMAGE_ID})).image_id == IMAGE_ID
    for other in ("busybox", "sha256:../../version", f"{IMAGE_ID}/x", None):
        assert docker_engine.parse_inspect(dumps({**INSPECTED, "Image": other})).image_id == ""
