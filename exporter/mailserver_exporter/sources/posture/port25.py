"""Read the certificates that port 25 presents behind STARTTLS (RFC 3207), in bounded time."""

from __future__ import annotations

import socket
import ssl
from typing import cast

from mailserver_exporter.sources import tls
from mailserver_exporter.sources.posture import deadline

_MAX_LINES = 100
_MAX_LINE = 2048


def certificates(host: str, port: int, server_name: str, seconds: float = 15.0) -> list[bytes]:
    """Return what is presented to who asks for ``server_name``, DER, the server's own first; raises OSError."""
    with deadline.connected(host, port, seconds) as connection:
        _expect(connection, b"220")
        connection.sendall(b"EHLO localhost\r\n")
        _expect(connection, b"250")
        connection.sendall(b"STARTTLS\r\n")
        _expect(connection, b"220")
        with tls.client_context().wrap_socket(connection, server_hostname=server_name) as secure:
            # An SSLSocket holds what an SSLObject does, and under the same names.
            return tls.presented_certificates(cast(ssl.SSLObject, secure))


def _expect(connection: socket.socket, code: bytes) -> None:
    """Read one reply; raises OSError when it is another."""
    for _ in range(_MAX_LINES):
        line = _line(connection)
        if not line.startswith(code):
            raise ConnectionError(f"SMTP status {line[:3].decode('ascii', 'replace')} instead of {code.decode()}")
        if line[3:4] != b"-":
            return
    raise ConnectionError("a reply without end")


def _line(connection: socket.socket) -> bytes:
    """Read byte by byte, as nothing behind the line may be taken from TLS."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte or len(line) > _MAX_LINE:
            raise ConnectionError("closed the connection, or sent a line without end")
        line += byte
    return bytes(line)
