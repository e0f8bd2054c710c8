"""A connection with an end: all that is done on it together takes no longer, and brings no more, than it may."""

from __future__ import annotations

import errno
import functools
import io
import os
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

from mailserver_exporter.hanging_calls import HangingCalls

_CHUNK_BYTES = 16 * 1024
# One address that does not answer shall leave time for the next: of two families, one is often broken.
_CONNECT_SECONDS = 20.0


class TooMuchError(OSError):
    """The server has sent more than anybody needs."""

    def __init__(self) -> None:
        super().__init__("the server sends without end")


class Deadline:
    """The end of something that may take ``seconds``."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left; raises TimeoutError when none are."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is up")
        return left


class TimedSocket:
    """A connected socket for smtplib and http.client, whose own time-outs begin anew with each byte.

    ``left`` tells before each step how long it may take and raises TimeoutError; after ``max_bytes`` were received in
    plain or in TLS, reading raises TooMuchError.
    """

    def __init__(self, connected: socket.socket, left: Callable[[], float], max_bytes: int) -> None:
        self._socket = connected
        self._left = left
        self._may_come = max_bytes

    def encrypt(self, context: ssl.SSLContext, server_name: str) -> None:
        """Shake hands; what was received in plain text before belongs to nobody any more (CVE-2011-0411)."""
        self._socket.settimeout(self._left())
        self._socket = context.wrap_socket(self._socket, server_hostname=server_name)

    def hurry(self, seconds: float) -> None:
        """Take no more time than this for all that is still to come."""
        self._left = Deadline(seconds).left

    @property
    def encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return isinstance(self._socket, ssl.SSLSocket)

    def getsockname(self) -> tuple[str, int]:
        """Return our own address and port."""
        name: tuple[str, int] = self._socket.getsockname()[:2]
        return name

    def makefile(self, *_: object, **__: object) -> io.BufferedReader:
        """Return a file to read from, as http.client asks for it; closing it leaves the socket open."""
        return io.BufferedReader(_Reader(self.receive), _CHUNK_BYTES)

    def receive(self, size: int) -> bytes:
        """Return what comes next, nothing at the end."""
        self._socket.settimeout(self._left())
        try:
            data = self._socket.recv(min(size, _CHUNK_BYTES))
        except ssl.SSLEOFError:
            # Many servers end without the close_notify that RFC 8446 6.1 asks for.
            return b""
        except ssl.SSLError as error:
            raise _broken(error) from error
        self._may_come -= len(data)
        if self._may_come < 0:
            raise TooMuchError
        return data

    def sendall(self, data: bytes) -> None:
        """Send everything."""
        rest = memoryview(data)
        while rest:
            self._socket.settimeout(self._left())
            try:
                rest = rest[self._socket.send(rest[:_CHUNK_BYTES]) :]
            except ssl.SSLError as error:
                raise _broken(error) from error

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _broken(error: ssl.SSLError) -> ConnectionError:
    """Return what an error of TLS is after the handshake."""
    return ConnectionResetError(f"the TLS connection broke ({error.reason})")


class _Reader(io.RawIOBase):
    def __init__(self, receive: Callable[[int], bytes]) -> None:
        self._receive = receive

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        data = self._receive(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _addresses(host: str, port: int, seconds: float) -> list[Any]:
    """Return what getaddrinfo(3) does, which has no time-out: it may wait for one server of the DNS after another."""
    asking = {host: functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)}
    answer = HangingCalls().run(asking, seconds).get(host)
    if answer is None:
        raise socket.gaierror(socket.EAI_AGAIN, "the DNS does not answer in time")
    if isinstance(answer, Exception):
        raise answer
    return answer


def connect(host: str, port: int, left: Callable[[], float], max_bytes: int) -> TimedSocket:
    """Connect to the first address of a host that answers. Raises OSError: that of the first address when none does."""
    addresses = _addresses(host, port, left())
    failure: OSError | None = None
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        seconds = left() / (len(addresses) - number)
        connecting = socket.socket(family, kind, protocol)
        try:
            connecting.settimeout(min(seconds, _CONNECT_SECONDS))
            connecting.connect(address)
            if connecting.getsockname() == address:
                # A port of the range that clients are given can end up connected to itself when nobody listens on it.
                raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        except OSError as error:
            connecting.close()
            failure = failure or error
        else:
            return TimedSocket(connecting, left, max_bytes)
    raise failure or OSError("the host name has no address")
