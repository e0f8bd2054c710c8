"""A container's log, asked of the Docker Engine for a time that has passed.

The Engine sends the oldest first (GET /containers/ID/logs, ``since`` and ``until``). So where the time does not suffice
it is the newest that is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timezone

from mailserver_exporter.sources import container_log, docker_engine
from mailserver_exporter.sources.docker_api import Api, RefusedError
from mailserver_exporter.sources.docker_engine import Listed
from mailserver_exporter.sources.docker_stream import Frames, Joiner, Terminal
from mailserver_exporter.sources.past_log import Clock, Line, Span, Wanted

_GONE = (404, 409)


class PastContainer:
    """The log of the containers of that name, or of that service of a compose project, as far as they still exist."""

    def __init__(self, api: Api, wanted: str, project: str = "") -> None:
        self._api = api
        self._wanted = wanted
        self._project = project

    def past(self, span: Span, wanted: Wanted, _idents: object = None) -> Iterator[Line]:
        """Yield the wanted lines, none where there is no such container. Raises SourceError."""
        try:
            for container in container_log.containers(self._api, self._wanted, self._project, span.deadline):
                if container.created < span.end:
                    yield from self._of(container, span, wanted)
        finally:
            self._api.close()

    def _of(self, container: Listed, span: Span, wanted: Wanted) -> Iterator[Line]:
        times = f"timestamps=1&since={span.start:.6f}&until={span.end:.6f}"
        try:
            terminal = docker_engine.parse_logging(
                self._api.get(f"/containers/{container.id}/json", span.deadline)
            ).terminal
            stream = self._api.stream(f"/containers/{container.id}/logs?stdout=1&stderr=1&{times}", span.deadline)
        except RefusedError as refusal:
            if refusal.status in _GONE:
                return
            raise
        decoder, joiner = Terminal() if terminal else Frames(), Joiner()
        clock = Clock(timezone.utc, span.end)
        lines: list[bytes] = []
        try:
            while data := stream.read(span.deadline):
                for entry in decoder.feed(data):
                    joiner.join((entry,), lines)
                    while lines:
                        line = lines.pop()
                        if wanted(line) and (at := clock.of(entry.time)) is not None:
                            yield at, line
        finally:
            stream.close()
