"""fail2ban's answers, whoever gives them."""

from __future__ import annotations

import os
import pickle
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailserver_exporter.collectors.fail2ban import Fail2banCollector
from mailserver_exporter.sources import SourceError, fail2ban
from mailserver_exporter.sources.fail2ban import Client, Jail, RefusedError
from tests.support.contexts import context

END = b"<F2B_END_COMMAND>"

# fail2ban 1.0.2, ["status", "sshd", "short"]
SHORT = (
    b"\x80\x05\x95\xaf\x00\x00\x00\x00\x00\x00\x00K\x00]\x94(\x8c\x06Filter\x94]\x94(\x8c\x10Currently failed\x94K\x00"
    b"\x86\x94\x8c\x0cTotal failed\x94K\x00\x86\x94\x8c\tFile list\x94]\x94\x8c\x1f/tmp/fail2ban-egfai4h5/sshd.log\x94a"
    b"\x86\x94e\x86\x94\x8c\x07Actions\x94]\x94(\x8c\x10Currently banned\x94K\x02\x86\x94\x8c\x0cTotal banned\x94K\x02"
    b"\x86\x94e\x86\x94e\x86\x94."
)
# fail2ban 1.0.2, ["status", "nojail"]
NO_JAIL = (
    b"\x80\x05\x95A\x00\x00\x00\x00\x00\x00\x00K\x01\x8c\x13fail2ban.exceptions\x94\x8c\x14UnknownJailException"
    b"\x94\x93\x94\x8c\x06nojail\x94\x85\x94R\x94\x86\x94."
)


def test_reads_the_status_of_a_jail() -> None:
    assert fail2ban.parse_jail(fail2ban.answer(SHORT)) == Jail(0, 0, 2, 2)


def test_an_exception_as_the_answer_is_a_refusal() -> None:
    with pytest.raises(RefusedError, match="UnknownJailException: nojail"):
        fail2ban.answer(NO_JAIL)


def test_reads_the_statistics_of_newer_servers() -> None:
    # fail2ban 1.1.0, ["stats"]
    stats = {"sshd": ["systemd", (1, 2), (3, 4)], "postfix": ["polling", (0, 0), (0, 0)]}

    assert fail2ban.parse_stats(stats) == {"sshd": Jail(1, 2, 3, 4), "postfix": Jail(0, 0, 0, 0)}


@pytest.mark.parametrize(("names", "expected"), [("", []), ("sshd", ["sshd"]), ("a, b-c, d_1", ["a", "b-c", "d_1"])])
def test_reads_the_list_of_jails(names: str, expected: list[str]) -> None:
    assert fail2ban.parse_jail_names([("Number of jail", len(expected)), ("Jail list", names)]) == expected


@pytest.mark.parametrize(
    ("version", "numbers"), [("1.0.2", (1, 0, 2)), ("1.1.0.dev1", (1, 1, 0)), ("0.11.2", (0, 11, 2)), ("x", ())]
)
def test_reads_versions(version: str, numbers: tuple[int, ...]) -> None:
    assert fail2ban.version_numbers(version) == numbers


def test_a_request_is_a_pickled_list_of_texts() -> None:
    assert pickle.loads(fail2ban.request(("status", "jäil", "short"))) == ["status", "jäil", "short"]


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        "x",
        [("Jail list", 5)],
        [("Jail list",)],
        [("Jail list", ", ".join(f"jail{n}" for n in range(1001)))],
        [5],
    ],
)
def test_what_is_no_list_of_jails_is_refused(value: object) -> None:
    with pytest.raises(SourceError, match="no known version"):
        fail2ban.parse_jail_names(value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"sshd": None},
        {"sshd": ["x", (1, 2)]},
        {"sshd": ["x", (1, 2), (3, "4")]},
        {"sshd": ["x", (1, 2), (3, True)]},
        {"sshd": ["x", (1, 2), (3, float("nan"))]},
        {"sshd": ["x", (1, 2), (3, 10**30)]},
        {5: ["x", (1, 2), (3, 4)]},
        {f"jail{n}": ["x", (1, 2), (3, 4)] for n in range(1001)},
    ],
)
def test_what_is_no_statistics_is_refused(value: object) -> None:
    with pytest.raises(SourceError, match="no known version"):
        fail2ban.parse_stats(value)


@contextmanager
def server(path: Path, serve: Callable[[socket.socket], None]) -> Iterator[None]:
    """Accept one connection at a socket and do something to it."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                try:
                    serve(connection)
                    # Hanging up at once would be quicker now and then than the client's question.
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
                except OSError:
                    return  # the client has had enough

        thread = threading.Thread(target=answer)
        thread.start()
        yield
        thread.join(15)
        assert not thread.is_alive()


class Runs:
    def __init__(self, command: str) -> None:
        self._command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self._command,)


def test_a_pickle_that_would_run_a_command_fails_cleanly_and_runs_nothing(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    evil = pickle.dumps((0, Runs(f"touch {trace}"))) + END
    with (
        server(tmp_path / "sock", lambda connection: connection.sendall(evil)),
        pytest.raises(SourceError, match=r"calls posix\.system"),
        Client(str(tmp_path / "sock"), 5) as client,
    ):
        client.version()
    assert not trace.exists()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"ERROR: Could not decode" + END, "does not understand"),
        (END, "ends too early"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n" + END, "refused"),
        (pickle.dumps((0, "1.0.2"))[:-3] + END, "ends too early"),
        (pickle.dumps("1.0.2") + END, "no known version"),
        (pickle.dumps((0, 5)) + END, "no known version"),
        (pickle.dumps((0, "1.0.2")), "hung up"),
        (b"", "hung up"),
    ],
)
def test_an_answer_that_is_none_is_a_failure(answer: bytes, message: str, tmp_path: Path) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(answer)

    with (
        server(tmp_path / "sock", serve),
        pytest.raises(SourceError, match=message),
        Client(str(tmp_path / "sock"), 5) as client,
    ):
        client.version()


def test_an_answer_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fail2ban, "MAX_ANSWER", 1_000_000)

    def serve(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"x" * 65536)

    with (
        server(tmp_path / "sock", serve),
        pytest.raises(SourceError, match="more than 1000000 bytes"),
        Client(str(tmp_path / "sock"), 5) as client,
    ):
        client.version()


@pytest.mark.parametrize("pause", [0.05, 2.0])
def test_a_server_that_takes_its_time_is_given_up(pause: float, tmp_path: Path) -> None:
    def serve(connection: socket.socket) -> None:
        for byte in pickle.dumps((0, "x" * 100)):
            time.sleep(pause)
            connection.send(bytes([byte]))

    with server(tmp_path / "sock", serve):
        started = time.monotonic()
        with (
            pytest.raises(SourceError, match=r"did not answer 'version' within 0\.5 s"),
            Client(str(tmp_path / "sock"), 0.5) as client,
        ):
            client.version()
        assert time.monotonic() - started < 1.5


def test_an_answer_in_many_parts_is_put_together(tmp_path: Path) -> None:
    whole = pickle.dumps((0, "1.0.2" + "x" * 100)) + END

    def serve(connection: socket.socket) -> None:
        for start in range(0, len(whole), 7):
            connection.sendall(whole[start : start + 7])
            time.sleep(0.001)
        connection.recv(1000)

    with server(tmp_path / "sock", serve), Client(str(tmp_path / "sock"), 5) as client:
        assert client.version() == "1.0.2" + "x" * 100


def test_a_socket_that_is_gone_is_a_failure_with_a_remedy(tmp_path: Path) -> None:
    collector = Fail2banCollector(context(tmp_path, f"fail2ban: {{socket: {tmp_path}/fail2ban.sock}}"))

    assert not collector.detect().found
    with pytest.raises(SourceError, match=r"does not answer on .*: No such file") as caught:
        list(collector.collect())
    assert "systemctl start fail2ban" in caught.value.remedy


def test_jails_that_the_configuration_names_have_to_be_there(tmp_path: Path) -> None:
    settings = f"fail2ban: {{socket: {tmp_path}/fail2ban.sock, jails: [sshd]}}"
    assert Fail2banCollector(context(tmp_path, settings)).detect().found


def test_a_container_is_told_to_mount_the_directory(tmp_path: Path) -> None:
    collector = Fail2banCollector(context(tmp_path, "", tmp_path))

    with pytest.raises(SourceError) as caught:
        list(collector.collect())
    assert "mount the directory /var/run/fail2ban" in caught.value.remedy
