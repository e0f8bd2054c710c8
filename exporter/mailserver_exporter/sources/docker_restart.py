"""Restart a container of a Docker Engine (docs.docker.com/reference/api/engine): the one thing that changes anything.

Beside what watches, because the exporter itself never does this.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from mailserver_exporter.sources import SourceError
from mailserver_exporter.sources.docker_api import Api

_ANSWER_SECONDS = 5.0
# A container has its own time to stop, which is 10 s unless its compose file says otherwise; then it is killed.
_RESTART_SECONDS = 180.0


@dataclass(frozen=True)
class Named:
    """A container's name, and that of its compose service, empty where it is of none."""

    name: str
    service: str


def named(path: str, identity: str) -> Named:
    """Return what a container is called. Raises SourceError, also when the engine behind ``path`` has no such one."""
    api = Api(path)
    try:
        body = api.get(f"/containers/{identity}/json", time.monotonic() + _ANSWER_SECONDS)
    finally:
        api.close()
    try:
        answer = json.loads(body)
        labels = answer["Config"].get("Labels") or {}
        return Named(_text(answer["Name"]).lstrip("/"), _text(labels.get("com.docker.compose.service", "")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SourceError(f"the Docker Engine at {path} answered something unexpected: {body[:80]!r}") from error


def restart(path: str, identity: str) -> None:
    """Restart a container and wait until that is done. Raises SourceError."""
    Api(path).post(f"/containers/{identity}/restart", time.monotonic() + _RESTART_SECONDS)


def _text(value: object) -> str:
    """Return a text that can be shown: a name comes from whoever made the container."""
    text = str(value).encode("utf-8", "replace").decode()[:200]
    return "".join(character if character.isprintable() else "?" for character in text)
