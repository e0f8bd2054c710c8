"""What errors of the network mean, also those that no server here can cause; and which address is taken."""

from __future__ import annotations

import errno
import os
import socket
import ssl

import pytest

from mailserver_exporter import network_advice
from mailserver_exporter.sources import deadline
from tests.support import listeners
from tests.support.listeners import listener
from tests.support.processes import free_port


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "port", "said", "remedy", "retry"),
    [
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), 587, "the DNS does not answer", "getent hosts", True),
        (
            socket.gaierror(socket.EAI_NONAME, "not known"),
            587,
            "there is no host mx.example",
            "is the name right?",
            True,
        ),
        (TimeoutError("timed out"), 25, "does not answer in time", "block port 25 towards others: use 587", True),
        (TimeoutError("timed out"), 587, "does not answer in time", "a firewall on the way drops it", True),
        (OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH)), 587, "no way to mx.example", "ip route", True),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), 587, "nothing listens", "nc -vz mx.example 587", True),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 587, "has cut the connection", "right port", True),
        (tls_error("WRONG_VERSION_NUMBER"), 465, "plain text where TLS is expected", "right port", False),
        (tls_error("UNSUPPORTED_PROTOCOL"), 465, "too old to be safe", "update it", False),
        (tls_error("TLSV1_ALERT_PROTOCOL_VERSION"), 465, "too old to be safe", "update it", False),
        (tls_error("SSLV3_ALERT_HANDSHAKE_FAILURE"), 465, "broke off the TLS handshake", "right port", True),
    ],
)
def test_each_error_says_what_to_do(error: OSError, port: int, said: str, remedy: str, retry: bool) -> None:
    advice = network_advice.explain(error, "mx.example", port)
    assert advice is not None
    assert said in advice.said
    assert remedy in advice.remedy
    assert advice.retry is retry


def test_what_is_no_error_of_the_network_is_left_to_others() -> None:
    assert network_advice.explain(OSError(errno.ENOSPC, "No space left"), "mx.example", 587) is None


def test_an_address_that_does_not_answer_leaves_the_next_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    with listener(listeners.speaks(b"220 hello\r\n")) as port:
        dead = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", free_port()))
        live = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [dead, live])
        connected = deadline.connect("mx.example", 587, deadline.Deadline(10).left, 1000)
        assert connected.receive(100) == b"220 hello\r\n"
        connected.close()

        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [dead, dead])
        with pytest.raises(ConnectionRefusedError):
            deadline.connect("mx.example", 587, deadline.Deadline(10).left, 1000)


def test_an_address_that_hangs_has_its_share_of_the_time_only(monkeypatch: pytest.MonkeyPatch) -> None:
    # A backlog that is full: the kernel drops what comes, as a firewall does.
    with socket.socket() as full, listener(listeners.speaks(b"220 hello\r\n")) as port:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        held = []
        for _ in range(3):
            held.append(socket.socket())
            held[-1].setblocking(False)
            held[-1].connect_ex(full.getsockname())
        dead = (socket.AF_INET, socket.SOCK_STREAM, 6, "", full.getsockname())
        live = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [dead, live])
        connected = deadline.connect("mx.example", 587, deadline.Deadline(4).left, 1000)
        assert connected.receive(100) == b"220 hello\r\n"
        connected.close()
        for each in held:
            each.close()


def test_more_than_may_come_is_not_read() -> None:
    with listener(listeners.endless_banner) as port:
        connected = deadline.connect("127.0.0.1", port, deadline.Deadline(20).left, 100_000)
        with pytest.raises(deadline.TooMuchError, match="without end"):
            connected.makefile().read()
        connected.close()
