"""An SMTP client for submission (RFC 6409): smtplib with an end to its patience, and passwords of any characters."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import smtplib
import ssl
from collections.abc import Callable

from mailserver_exporter.sources import deadline

_IMPLICIT_TLS_PORT = 465
# RFC 5321 4.5.3.1.5 allows 512 bytes a line; nobody needs more than this of all answers together.
_MAX_LINE_BYTES = 8192
_MAX_BYTES = 1 << 20
_FAREWELL_SECONDS = 2.0


class NoMailServerError(smtplib.SMTPServerDisconnected):
    """What answers speaks something else than SMTP."""


class Client(smtplib.SMTP):
    """One SMTP session; ``left`` says before each step how many seconds it may take, and raises TimeoutError.

    Methods raise OSError, among them ssl.SSLError and smtplib's. Close it with ``close``.
    """

    def __init__(self, left: Callable[[], float], hello: str = "") -> None:
        # A name for EHLO must be given, else smtplib asks the DNS for ours.
        super().__init__(local_hostname=hello or "[127.0.0.1]")
        self._left = left
        self._hello = hello
        self._connection: deadline.TimedSocket | None = None
        self._server_name = ""

    def open(self, host: str, port: int, context: ssl.SSLContext | None = None) -> None:
        """Connect and be greeted; in TLS from the first byte where a context is given."""
        self._server_name = ascii_name(host)
        self._connection = deadline.connect(self._server_name, port, self._left, _MAX_BYTES)
        self._own_name()
        if context is not None:
            self._connection.encrypt(context, self._server_name)
        self._begin()
        code, said = self.getreply()
        if code != 220:  # RFC 5321 4.2.3
            raise smtplib.SMTPConnectError(code, said)

    def encrypt(self, context: ssl.SSLContext) -> None:
        """Change to TLS (RFC 3207)."""
        self.ehlo_or_helo_if_needed()
        if not self.has_extn("starttls"):
            raise smtplib.SMTPNotSupportedError("the server does not offer STARTTLS")
        code, said = self.docmd("STARTTLS")
        if code != 220:  # RFC 3207 4
            raise smtplib.SMTPResponseException(code, said)
        self._connected.encrypt(context, self._server_name)
        self._begin()

    @property
    def encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return self._connected.encrypted

    def log_in(self, username: str, password: str) -> None:
        """Log in by AUTH PLAIN (RFC 4616) or LOGIN with a password of any characters; smtplib's own are for ASCII."""
        self.ehlo_or_helo_if_needed()
        offered = self.esmtp_features.get("auth", "").upper().split()
        if "PLAIN" in offered:
            code, said = self.docmd("AUTH", f"PLAIN {_base64(f'{chr(0)}{username}{chr(0)}{password}')}")
        elif "LOGIN" in offered:
            code, said = self.docmd("AUTH", f"LOGIN {_base64(username)}")
            if code == 334:  # RFC 4954 4
                code, said = self.docmd(_base64(password))
        else:
            self.login(username, password)
            return
        if code != 235:  # RFC 4954 6
            raise smtplib.SMTPAuthenticationError(code, said)

    def send(self, data: bytes | str) -> None:  # type: ignore[override]
        """Send, as smtplib asks for it."""
        try:
            self._connected.sendall(data.encode(self.command_encoding) if isinstance(data, str) else data)
        except OSError:
            self.close()
            raise

    def getreply(self) -> tuple[int, bytes]:
        """Return the code of an answer and its text, the lines of it joined by newlines."""
        lines = []
        while True:
            try:
                line = self._file.readline(_MAX_LINE_BYTES)
            except OSError:
                self.close()
                raise
            if not line:
                self.close()
                raise smtplib.SMTPServerDisconnected("the server closed the connection")
            if not line[:3].isdigit() or line[3:4] not in b"- \r\n":
                self.close()
                raise NoMailServerError(f"what answers is no SMTP server: {line.decode(errors='replace').strip()}")
            lines.append(line[4:].strip())
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(lines)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
        self.sock = None

    def leave(self) -> None:
        """Say goodbye and hang up, whatever they say to it."""
        with contextlib.suppress(smtplib.SMTPException, OSError):
            self._connected.hurry(_FAREWELL_SECONDS)
            self.docmd("QUIT")
        self.close()

    @property
    def _connected(self) -> deadline.TimedSocket:
        if self._connection is None or self.sock is None:
            raise smtplib.SMTPServerDisconnected("the connection is closed")
        return self._connection

    def _begin(self) -> None:
        """Know nothing of the server: what it said in plain text, anybody may have said."""
        self.sock = self._connection  # type: ignore[assignment]
        self._file = self._connection.makefile()  # type: ignore[union-attr]
        self.helo_resp = self.ehlo_resp = None
        self.esmtp_features = {}
        self.does_esmtp = False

    def _own_name(self) -> None:
        if not self._hello:
            # RFC 5321 4.1.3: a client without a name of its own says its address.
            own = ipaddress.ip_address(self._connection.getsockname()[0].partition("%")[0])  # type: ignore[union-attr]
            self.local_hostname = f"[IPv6:{own}]" if own.version == 6 else f"[{own}]"


def address(server: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT."""
    host, _, port = server.rpartition(":")
    return host.strip("[]"), int(port)


def implicit_tls(port: int) -> bool:
    """Say whether a port speaks TLS from the first byte (RFC 8314 3.3)."""
    return port == _IMPLICIT_TLS_PORT


def ascii_name(host: str) -> str:
    """Return a host name as the DNS and certificates have it. Raises UnicodeError when it cannot be one."""
    return host if host.isascii() else host.encode("idna").decode()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
