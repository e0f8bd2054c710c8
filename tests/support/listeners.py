"""Listeners that behave badly, each in one way: what a probe must survive."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.certificates import write

Behaviour = Callable[[socket.socket, threading.Event], None]


@contextmanager
def listener(behaviour: Behaviour, host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Listen and treat every connection with ``behaviour``; yield the port, a free one unless named.

    All ends with the block.
    """
    closing = threading.Event()
    with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as server:
        server.settimeout(0.05)
        threads: list[threading.Thread] = []

        def serve() -> None:
            while not closing.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                threads.append(threading.Thread(target=treat, args=(connection,)))
                threads[-1].start()

        def treat(connection: socket.socket) -> None:
            # A client that hangs up on misbehaviour is in its right.
            with connection, contextlib.suppress(OSError):
                connection.settimeout(10)
                behaviour(connection, closing)

        threads.append(threading.Thread(target=serve))
        threads[0].start()
        try:
            yield server.getsockname()[1]
        finally:
            closing.set()
            while threads:
                threads.pop().join(15)


def silent(_: socket.socket, closing: threading.Event) -> None:
    """Accept and say nothing, as a wedged daemon does."""
    closing.wait()


def huge_banner(connection: socket.socket, _: threading.Event) -> None:
    """Send a greeting of 10 MB."""
    connection.sendall(b"220 " + b"x" * 10_000_000 + b"\r\n")


def endless_banner(connection: socket.socket, closing: threading.Event) -> None:
    """Send without end and without a newline."""
    while not closing.is_set():
        connection.sendall(b"220-" * 4096)


def endless_lines(connection: socket.socket, closing: threading.Event) -> None:
    """Send a reply of lines without end."""
    while not closing.is_set():
        connection.sendall(b"220-and so on\r\n" * 1000)


def byte_a_second(connection: socket.socket, closing: threading.Event) -> None:
    """Send a fine greeting, a byte a second."""
    for byte in b"220 mail.example.org ESMTP\r\n":
        connection.sendall(bytes([byte]))
        if closing.wait(1):
            return


def reset(connection: socket.socket, _: threading.Event) -> None:
    """Reset the connection as soon as it is made."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang_up(connection: socket.socket, _: threading.Event) -> None:
    """Close the connection in good order without a word."""
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(4096):
        pass


def garbage(connection: socket.socket, _: threading.Event) -> None:
    """Send every byte there is, with line ends and terminal escapes among them."""
    connection.sendall(b"\x1b[31m" + bytes(range(256)) * 4 + b"\r\n")


def half_tls(connection: socket.socket, closing: threading.Event) -> None:
    """Take the ClientHello and begin a TLS record that never ends."""
    connection.recv(4096)
    connection.sendall(b"\x16\x03\x03\x40\x00\x02")
    closing.wait()


def endless_tls(connection: socket.socket, closing: threading.Event) -> None:
    """Answer the ClientHello with TLS records of one fragment of a handshake message without end."""
    connection.recv(4096)
    record = b"\x16\x03\x03\x40\x00"
    connection.sendall(record + b"\x0b\xff\xff\xff" + bytes(0x4000 - 4))
    while not closing.is_set():
        connection.sendall(record + bytes(0x4000))


def speaks(*answers: bytes) -> Behaviour:
    """Say the first answer at once and one more for each thing that is received; then wait for the end."""

    def behaviour(connection: socket.socket, closing: threading.Event) -> None:
        for number, answer in enumerate(answers):
            if number and not connection.recv(4096):
                return
            connection.sendall(answer)
        closing.wait()

    return behaviour


def speaks_then(last: Behaviour, *answers: bytes) -> Behaviour:
    """Speak as ``speaks`` does, but behave as ``last`` when what comes next is received."""

    def behaviour(connection: socket.socket, closing: threading.Event) -> None:
        for answer in answers:
            connection.sendall(answer)
            if not connection.recv(4096):
                return
        last(connection, closing)

    return behaviour


def endless_page(start: bytes) -> Behaviour:
    """Answer a request with ``start`` and ten gigabytes."""

    def behaviour(connection: socket.socket, closing: threading.Event) -> None:
        connection.recv(4096)
        connection.sendall(start)
        for _ in range(10_000):
            if closing.is_set():
                return
            connection.sendall(b"x" * 1_000_000)

    return behaviour


def tls(folder: Path, behaviour: Behaviour, fault: str = "good") -> Behaviour:
    """Shake hands with a certificate of tests.support.certificates.FAULTS, then behave."""
    return tls_with(write(folder / f"{fault.replace(' ', '-')}.pem", fault), behaviour)


def tls_with(pem: Path, behaviour: Behaviour) -> Behaviour:
    """Shake hands with the key and the chain of a file, then behave."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    def wrapped(connection: socket.socket, closing: threading.Event) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            behaviour(secure, closing)

    return wrapped


def starttls(folder: Path, greeting: bytes, offer: bytes, go: bytes, fault: str = "good") -> Behaviour:
    """Greet, answer one command with an offer of TLS and the next with the go-ahead, then shake hands.

    In TLS, SMTP's EHLO is answered, and the next command by hanging up.
    """

    def converse(connection: socket.socket, _: threading.Event) -> None:
        if connection.recv(4096).startswith(b"EHLO"):
            connection.sendall(b"250-mx\r\n250 AUTH PLAIN\r\n")
            connection.recv(4096)

    secure = tls(folder, converse, fault)

    def behaviour(connection: socket.socket, closing: threading.Event) -> None:
        connection.sendall(greeting)
        for answer in (offer, go):
            if not connection.recv(4096):
                return
            connection.sendall(answer)
        secure(connection, closing)

    return behaviour


class Changing:
    """Behave as ``now`` says at the time of the connection."""

    def __init__(self, now: Behaviour) -> None:
        self.now = now

    def __call__(self, connection: socket.socket, closing: threading.Event) -> None:
        """Behave."""
        self.now(connection, closing)
