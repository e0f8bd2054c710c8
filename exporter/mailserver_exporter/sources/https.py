"""One request to a web service, with an end to the patience and to the length of the answer."""

from __future__ import annotations

import base64
import http.client
import ssl
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from mailserver_exporter.sources import deadline

_PORTS = {"http": 80, "https": 443}
_MAX_HEAD_BYTES = 64 * 1024


@dataclass(frozen=True)
class Answer:
    """The status with its words, the header fields that matter, and the body as far as ``max_bytes`` go."""

    status: int
    reason: str
    location: str
    body: bytes


def server(url: str) -> tuple[str, int]:
    """Return host and port of an http or https URL. Raises ValueError when it is none."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("no URL of a web service")
    host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode()
    return host, parts.port or _PORTS[parts.scheme]


def post(url: str, body: bytes, content_type: str, seconds: float, max_bytes: int = 1 << 20) -> Answer:
    """Send ``body`` to an http or https URL, whose certificate is verified; no redirect is followed.

    Raises OSError, http.client.HTTPException and ValueError; ``url`` may be in their text.
    """
    return _ask("POST", url, body, {"Content-Type": content_type}, seconds=seconds, max_bytes=max_bytes)


def get(url: str, seconds: float, max_bytes: int = 1 << 20) -> Answer:
    """Ask for an http or https URL; else as ``post``."""
    return _ask("GET", url, None, {}, seconds=seconds, max_bytes=max_bytes)


def _ask(method: str, url: str, body: bytes | None, more: dict[str, str], *, seconds: float, max_bytes: int) -> Answer:
    host, port = server(url)
    parts = urlsplit(url)
    end = deadline.Deadline(seconds)
    connected = deadline.connect(host, port, end.left, max_bytes + _MAX_HEAD_BYTES)
    try:
        if parts.scheme == "https":
            connected.encrypt(ssl.create_default_context(), host)
        connection = http.client.HTTPConnection(host, port)
        connection.sock = connected
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {**more, "Connection": "close", "User-Agent": "mailserver-exporter"}
        if parts.username is not None:
            credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["Authorization"] = f"Basic {base64.b64encode(credentials.encode()).decode()}"
        connection.request(method, path, body, headers)
        # HTTPConnection's own getresponse() closes the socket before the body is read.
        answer = http.client.HTTPResponse(connected, method=method)  # type: ignore[arg-type]
        answer.begin()
        return Answer(answer.status, answer.reason, answer.getheader("Location", ""), answer.read(max_bytes))
    finally:
        connected.close()
