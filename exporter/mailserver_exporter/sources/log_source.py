"""What every log is read through, whether it is a file, the journal or a container's output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

MAX_LINE = 65536


@dataclass(frozen=True)
class Batch:
    """Complete lines without their newline, oldest first.

    ``dropped`` counts those that are not among them, because they were longer than MAX_LINE or could not be read.
    ``more`` says that reading on would find something now.
    """

    lines: list[bytes]
    dropped: int = 0
    more: bool = False


class LogSource(Protocol):
    """A log that is followed. Used by one thread at a time."""

    @property
    def name(self) -> str:
        """What the log is called in labels and messages: ``journal``, ``/var/log/mail.log``, ``container/NAME``."""

    def read(self, max_bytes: int) -> Batch:
        """Return what comes next, up to about ``max_bytes``; nothing new is an empty batch.

        Raises SourceError or OSError; a later call goes on where the last good one ended.
        """

    def position(self) -> Any:
        """Return as JSON where the lines end that ``read`` has returned: a new source made with it goes on there.

        None as long as nothing is known of the log.
        """

    def close(self) -> None:
        """Let go of files, connections and processes."""
