"""Pressure stall information, Documentation/accounting/psi.rst of the kernel."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailserver_exporter.sources import SourceError

_LINE = re.compile(rb"(some|full) .*?total=(\d+)")


@dataclass(frozen=True)
class Pressure:
    """How long tasks have waited for one resource, in seconds since boot; None where the kernel does not say.

    ``some``: at least one task waited. ``full``: all tasks that were not idle waited.
    """

    some: float | None
    full: float | None


def parse(data: bytes) -> Pressure:
    """Parse a file of /proc/pressure. Raises SourceError when no line of it is of the known form."""
    totals = {kind: int(total) / 1e6 for kind, total in _LINE.findall(data)}
    if not totals:
        raise SourceError(f"a file of /proc/pressure cannot be understood: {data[:80]!r}")
    return Pressure(totals.get(b"some"), totals.get(b"full"))
