"""The load averages, proc_loadavg(5)."""

from __future__ import annotations

from dataclasses import dataclass

from mailserver_exporter.sources import SourceError


@dataclass(frozen=True)
class LoadAverage:
    """Runnable and uninterruptible tasks, averaged over 1, 5 and 15 minutes."""

    one: float
    five: float
    fifteen: float


def parse(data: bytes) -> LoadAverage:
    """Parse the content of /proc/loadavg. Raises SourceError when it is not three numbers and more."""
    try:
        one, five, fifteen = map(float, data.split()[:3])
    except ValueError as error:
        raise SourceError(f"/proc/loadavg is not three numbers: {data[:80]!r}") from error
    return LoadAverage(one, five, fifteen)
