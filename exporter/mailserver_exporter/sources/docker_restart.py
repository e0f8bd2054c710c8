"""Restart a container of a Docker Engine (docs.docker.com/reference/api/engine): the one thing that changes anything.

Beside the client that watches, because the exporter itself never does this.
"""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass

from mailserver_exporter.sources import SourceError

_ANSWER_SECONDS = 5.0
# A container has its own time to stop, which is 10 s unless its compose file says otherwise; then it is killed.
_RESTART_SECONDS = 180.0
_MAX_BYTES = 4_000_000
_REMEDY = "systemctl status docker"


@dataclass(frozen=True)
class Named:
    """A container's name, and that of its compose service, empty where it is of none."""

    name: str
    service: str


def named(path: str, identity: str) -> Named:
    """Return what a container is called. Raises SourceError, also when the engine behind ``path`` has no such one."""
    body = _request(path, "GET", f"/containers/{identity}/json", _ANSWER_SECONDS)
    try:
        answer = json.loads(body)
        labels = answer["Config"].get("Labels") or {}
        return Named(_text(answer["Name"]).lstrip("/"), _text(labels.get("com.docker.compose.service", "")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SourceError(f"the Docker Engine at {path} answered something unexpected: {body[:80]!r}") from error


def restart(path: str, identity: str) -> None:
    """Restart a container and wait until that is done. Raises SourceError."""
    _request(path, "POST", f"/containers/{identity}/restart", _RESTART_SECONDS)


def _request(path: str, method: str, url: str, seconds: float) -> bytes:
    connection = _Connection(path, seconds)
    try:
        connection.request(method, url)
        answer = connection.getresponse()
        body = answer.read(_MAX_BYTES)
    except TimeoutError as error:
        raise SourceError(f"the Docker Engine at {path} did not answer in {seconds:g} s", remedy=_REMEDY) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise SourceError(f"the Docker Engine at {path} does not answer: {reason}", remedy=_REMEDY) from error
    finally:
        connection.close()
    if answer.status not in (200, 204):
        raise SourceError(
            f"the Docker Engine at {path} answered {answer.status}: {body[:200].decode(errors='replace')}"
        )
    return body


def _text(value: object) -> str:
    """Return a text that can be shown: a name comes from whoever made the container."""
    text = str(value).encode("utf-8", "replace").decode()[:200]
    return "".join(character if character.isprintable() else "?" for character in text)


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("docker", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
