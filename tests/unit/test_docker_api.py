"""The HTTP client for the Docker Engine's socket, against something that answers there as a test wants it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailserver_exporter.sources import SourceError, docker_api
from mailserver_exporter.sources.docker_api import Api
from tests.support.impostor import dumps, http
from tests.support.log_engine import Server, Talk, chunked, kept


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Talk], Server]]:
    started: list[Server] = []

    def start(talk: Talk) -> Server:
        started.append(Server(tmp_path / "docker.sock", talk))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    api = Api(str(tmp_path / "docker.sock"))
    yield api
    api.close()


def soon(seconds: float = 20) -> float:
    return time.monotonic() + seconds


@pytest.mark.parametrize(
    ("newest", "oldest", "agreed"),
    [
        ("1.41", "1.12", "1.41"),  # Docker 20.10
        ("1.47", "1.24", "1.47"),  # Docker 27
        ("1.52", "1.44", "1.52"),  # Docker 29
        ("1.60", "1.44", "1.52"),
        ("2.3", "1.60", "1.60"),
        ("1.41", None, "1.41"),
    ],
)
def test_the_version_is_one_that_both_speak(newest: str, oldest: str | None, agreed: str) -> None:
    assert docker_api.agreed_version(dumps({"ApiVersion": newest, "MinAPIVersion": oldest})) == agreed


def after_version(talk: Talk) -> Talk:
    """Return a talk that tells the version itself and leaves the rest to another."""

    def answer(connection: socket.socket, path: str) -> object:
        if path == "/version":
            return connection.sendall(kept(dumps({"ApiVersion": "1.41", "MinAPIVersion": "1.12"})))
        return talk(connection, path)

    return answer


def test_one_connection_serves_all_requests(serve: Callable[[Talk], Server], api: Api) -> None:
    server = serve(after_version(lambda connection, path: connection.sendall(kept(b"[]"))))
    for _ in range(3):
        assert api.get("/containers/json", soon()) == b"[]"
    assert server.asked == ["/version"] + ["/v1.41/containers/json"] * 3
    assert server.connections == 1


def test_a_connection_that_the_engine_has_closed_is_made_anew(serve: Callable[[Talk], Server], api: Api) -> None:
    def answer_once(connection: socket.socket, path: str) -> bool:
        connection.sendall(kept(b"[]"))
        return False

    server = serve(after_version(answer_once))
    assert [api.get("/containers/json", soon()) for _ in range(3)] == [b"[]"] * 3
    assert server.connections == 3


def test_an_engine_that_closes_each_connection_at_once_is_asked_only_twice(
    serve: Callable[[Talk], Server], api: Api
) -> None:
    server = serve(after_version(lambda connection, path: False))
    with pytest.raises(SourceError, match="does not answer properly: Remote end closed connection"):
        api.get("/containers/json", soon())
    assert server.connections == 2


def test_a_container_that_is_gone_is_empty_where_that_may_be(serve: Callable[[Talk], Server], api: Api) -> None:
    serve(after_version(lambda connection, path: connection.sendall(http(b'{"message": "gone"}', "404 Not Found"))))
    assert api.get("/containers/x/json", soon(), may_be_missing=True) == b""
    with pytest.raises(SourceError, match="answered 404: gone"):
        api.get("/containers/x/json", soon())


def trickling(connection: socket.socket, path: str) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        connection.sendall(b" ")
        time.sleep(0.05)


def never_ending_head(connection: socket.socket, path: str) -> None:
    for _ in range(1000):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.05)


@pytest.mark.parametrize("talk", [trickling, never_ending_head, lambda connection, path: None])
def test_the_time_is_that_of_the_whole_answer(serve: Callable[[Talk], Server], api: Api, talk: Talk) -> None:
    serve(talk)
    started = time.monotonic()
    with pytest.raises(SourceError, match="did not answer in time") as failure:
        api.get("/containers/json", soon(0.5))
    assert 0.4 < time.monotonic() - started < 10
    assert failure.value.remedy.startswith("journalctl -u docker")


def test_a_socket_that_may_not_be_used_is_told_with_what_to_do(
    serve: Callable[[Talk], Server], api: Api, tmp_path: Path
) -> None:
    serve(after_version(lambda connection, path: connection.sendall(kept(b"[]"))))
    (tmp_path / "docker.sock").chmod(0o600)
    os.seteuid(65534)
    try:
        with pytest.raises(SourceError, match="cannot be reached: Permission denied") as failure:
            api.get("/containers/json", soon())
    finally:
        os.seteuid(0)
    assert "usermod -aG docker" in failure.value.remedy


def test_a_stream_is_read_piece_by_piece_to_its_end(serve: Callable[[Talk], Server], api: Api) -> None:
    lines = [b"%d\n" % number * 100 for number in range(1000)]
    serve(after_version(lambda connection, path: connection.sendall(chunked(*lines, b""))))
    stream = api.stream("/containers/x/logs", soon())
    pieces = []
    while piece := stream.read(soon()):
        pieces.append(piece)
    stream.close()
    assert len(pieces) > 1
    assert b"".join(pieces) == b"".join(lines)


def test_a_stream_that_breaks_off_is_not_taken_for_its_end(serve: Callable[[Talk], Server], api: Api) -> None:
    def talk(connection: socket.socket, path: str) -> bool:
        connection.sendall(chunked(b"a\n", b"b\n"))
        return False

    serve(after_version(talk))
    stream = api.stream("/containers/x/logs", soon())
    with pytest.raises(SourceError, match="does not answer properly"):
        while stream.read(soon()):
            pass
    stream.close()


def test_a_stream_that_is_refused_says_why(serve: Callable[[Talk], Server], api: Api) -> None:
    body = b'{"message":"configured logging driver does not support reading"}'
    serve(after_version(lambda connection, path: connection.sendall(http(body, "501 Not Implemented"))))
    with pytest.raises(docker_api.RefusedError, match="answered 501: configured logging driver") as refusal:
        api.stream("/containers/x/logs", soon())
    assert refusal.value.status == 501


def test_a_socket_that_was_made_anew_is_noticed(serve: Callable[[Talk], Server], api: Api, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be reached: No such file"):
        api.renewed()
    serve(after_version(lambda connection, path: connection.sendall(kept(b"old"))))
    assert api.renewed()
    assert not api.renewed()
    assert api.get("/x", soon()) == b"old"

    (tmp_path / "docker.sock").rename(tmp_path / "old.sock")
    serve(after_version(lambda connection, path: connection.sendall(kept(b"new"))))
    assert api.renewed()
    assert api.get("/x", soon()) == b"new"


def test_what_the_engine_shall_do_is_asked_for_once(serve: Callable[[Talk], Server], api: Api) -> None:
    server = serve(after_version(lambda connection, path: False))
    with pytest.raises(SourceError, match="does not answer properly: Remote end closed connection"):
        api.post("/containers/x/restart", soon())
    assert server.asked == ["/version", "/v1.41/containers/x/restart"]


def test_that_something_was_done_is_an_answer_without_content(serve: Callable[[Talk], Server], api: Api) -> None:
    server = serve(after_version(lambda connection, path: connection.sendall(http(b"", "204 No Content"))))
    api.post("/containers/x/restart", soon())
    assert server.asked == ["/version", "/v1.41/containers/x/restart"]
