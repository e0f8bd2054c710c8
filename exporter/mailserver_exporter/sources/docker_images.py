"""When the images of containers were made, by the Docker Engine's API (GET /images/NAME/json).

An image never changes, so each is asked for once. It is nothing that a look at the containers may fail for.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable

from mailserver_exporter.sources import SourceError, docker_api
from mailserver_exporter.sources.docker_engine import unix_time

# So that an engine that was just started is not asked for all of them at once.
_AT_ONCE = 3
_SECONDS = 1.0
_RETRY_SECONDS = 3600.0
# Docker came in 2013. Builds that are to be reproducible have an invented date before it.
_OLDEST = 1_356_998_400


class Images:
    """Images of the engine behind a Unix socket, by their id. Has a connection of its own, while it asks."""

    def __init__(self, path: str) -> None:
        self._api = docker_api.Api(path)
        self._created: dict[str, float] = {}
        self._failed: dict[str, float] = {}

    def created(self, image_id: str) -> float:
        """Return when an image was made, a Unix time, 0 where that is not known."""
        return self._created.get(image_id, 0.0)

    def learn(self, image_ids: Iterable[str]) -> None:
        """Ask for a few of those that are not known, for a second at most, and forget all others."""
        wanted = {image_id for image_id in image_ids if image_id}
        self._created = {image_id: made for image_id, made in self._created.items() if image_id in wanted}
        self._failed = {image_id: when for image_id, when in self._failed.items() if image_id in wanted}
        now = time.monotonic()
        unknown = wanted - self._created.keys()
        due = [each for each in sorted(unknown) if now - self._failed.get(each, float("-inf")) > _RETRY_SECONDS]
        for image_id in due[:_AT_ONCE]:
            try:
                answer = self._api.get(f"/images/{image_id}/json", now + _SECONDS, may_be_missing=True)
                self._created[image_id] = parse(answer)
            except SourceError:
                # Whether the engine is well is judged by its containers.
                self._failed[image_id] = now
                break
        if due:
            self._api.close()


def parse(data: bytes) -> float:
    """Return from the answer when the image was made, 0 where it does not say so or nobody can believe it.

    An image that was removed while its container runs has no answer. Raises SourceError where it is no image.
    """
    if not data:
        return 0.0
    try:
        made = unix_time(str(json.loads(data).get("Created")))
    except (ValueError, AttributeError, RecursionError) as error:
        raise SourceError(f"the Docker Engine answered something that is no image: {data[:80]!r}") from error
    return made if made >= _OLDEST else 0.0
