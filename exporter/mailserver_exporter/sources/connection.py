"""A connection that waits for nothing: its methods yield the poll(2) events they need before they can go on.

Everything received passes one place and is counted there, TLS records included, so no server can send without end.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import ssl
from collections.abc import Generator, Iterable
from typing import Any, TypeAlias

from mailserver_exporter.sources import tls
from mailserver_exporter.sources.dialogue import ProbeError
from mailserver_exporter.sources.story import Story

MAX_LINE_BYTES = 64 * 1024
MAX_BYTES = 256 * 1024
MAX_LINES = 1000
_CHUNK_BYTES = 16 * 1024

Work: TypeAlias = Generator[int, None, None]
Address: TypeAlias = tuple[socket.AddressFamily, Any]


class _TooMuchError(ProbeError):
    """The server has sent as much as anybody may."""


class Connection:
    """One TCP connection, plain first and perhaps TLS later. Methods raise ProbeError and OSError.

    ``awaited`` is what is being waited for, in words, for the message that it did not come. ``family`` is the address
    family that answered.
    """

    def __init__(self, story: Story) -> None:
        self.awaited = "TCP connection"
        self.family = socket.AF_UNSPEC
        self._story = story
        self._socket: socket.socket | None = None
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._received = self._lines = 0
        self._buffer = bytearray()

    @property
    def descriptor(self) -> int:
        """The socket's file descriptor."""
        return self._connected.fileno()

    @property
    def own_address(self) -> str:
        """The IP address of our end."""
        address: str = self._connected.getsockname()[0]
        return address

    @property
    def _connected(self) -> socket.socket:
        assert self._socket is not None  # noqa: S101 - connect() comes before all else
        return self._socket

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()

    def connect(self, addresses: Iterable[Address]) -> Work:
        """Connect to the first address that answers."""
        failure = ""
        for family, address in addresses:
            if failure:
                self._story.tell(failure)
            self._socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            code = self._socket.connect_ex(address)
            if code == errno.EINPROGRESS:
                yield select.POLLOUT
                code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            # A port of the range that clients are given can end up connected to itself when nobody listens on it.
            if code == 0 and self._socket.getsockname() == address:
                code = errno.ECONNREFUSED
            if code == 0:
                self.family = family
                self._story.tell(f"connected to {address[0]} port {address[1]}")
                return
            self._socket.close()
            failure = f"{address[0]} port {address[1]}: {os.strerror(code)}"
        raise ProbeError("connect", failure or "the host name has no address")

    def send(self, data: bytes) -> Work:
        """Send all of ``data``."""
        if self._tls is None:
            yield from self._send_raw(data)
        else:
            self._tls.write(data)
            yield from self._flush()

    def line(self) -> Generator[int, None, bytes]:
        """Return the next line without its end."""
        self._lines += 1
        if self._lines > MAX_LINES:
            raise ProbeError("greeting", f"more than {MAX_LINES} lines while waiting for the {self.awaited}")
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > MAX_LINE_BYTES:
                raise ProbeError("greeting", f"no end of line within {MAX_LINE_BYTES} bytes")
            data = yield from self._receive()
            if not data:
                raise ProbeError("greeting", f"closed the connection instead of the {self.awaited}")
            self._buffer += data
        line = bytes(self._buffer[:end]).rstrip(b"\r")
        del self._buffer[: end + 1]
        return line

    def rest(self) -> Generator[int, None, bytes]:
        """Return what comes until the server closes, or as much of it as may be received at all."""
        rest, self._buffer = self._buffer, bytearray()
        with contextlib.suppress(_TooMuchError):
            while data := (yield from self._receive()):
                rest += data
        return bytes(rest)

    def drain(self) -> Work:
        """Read on until the server closes."""
        while (yield from self._receive()):
            pass

    def start_tls(self, context: ssl.SSLContext, server_name: str) -> Generator[int, None, ssl.SSLObject]:
        """Shake hands; return the TLS object, which knows what the server presented."""
        # What came in plain text behind the answer to STARTTLS belongs to nobody (CVE-2011-0411).
        self._buffer.clear()
        try:
            shaken = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        except ValueError as error:
            raise ProbeError("tls", f"{server_name!r} is no name to ask a TLS server for: {error}") from error
        while True:
            try:
                shaken.do_handshake()
                break
            except ssl.SSLWantReadError:
                yield from self._feed()
            except ssl.SSLCertVerificationError as error:
                raise ProbeError("certificate", tls.in_words(error)) from error
            except ssl.SSLError as error:
                raise ProbeError("tls", tls.in_words(error)) from error
        yield from self._flush()
        self._tls = shaken
        return shaken

    def _receive(self) -> Generator[int, None, bytes]:
        """Return what comes next, nothing at the end of the stream."""
        while self._tls is not None:
            try:
                return self._tls.read(_CHUNK_BYTES)
            except ssl.SSLWantReadError:
                yield from self._feed()
            except ssl.SSLEOFError:
                # Many servers end without the close_notify that RFC 8446 6.1 asks for.
                return b""
            except ssl.SSLError as error:
                raise ProbeError("tls", tls.in_words(error)) from error
        return (yield from self._receive_raw())

    def _receive_raw(self) -> Generator[int, None, bytes]:
        while True:
            try:
                data = self._connected.recv(_CHUNK_BYTES)
            except BlockingIOError:
                yield select.POLLIN
                continue
            self._received += len(data)
            if self._received > MAX_BYTES:
                raise _TooMuchError("greeting", f"more than {MAX_BYTES} bytes while waiting for the {self.awaited}")
            return data

    def _send_raw(self, data: bytes) -> Work:
        while data:
            try:
                data = data[self._connected.send(data) :]
            except BlockingIOError:
                yield select.POLLOUT

    def _feed(self) -> Work:
        """Give TLS what comes next."""
        yield from self._flush()
        if data := (yield from self._receive_raw()):
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _flush(self) -> Work:
        if self._outgoing.pending:
            yield from self._send_raw(self._outgoing.read())
