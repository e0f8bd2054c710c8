"""The time zone that the host's admin reads times in."""

from __future__ import annotations

import os
import re
from datetime import timezone, tzinfo
from zoneinfo import ZoneInfo

from mailserver_exporter.host import Host

_NAME = re.compile(r":?([A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,3})")


def host_zone(host: Host) -> tzinfo:
    """Return the zone that the environment names (``TZ``), else the host's own.

    A container without a zone of its own shows the host's.
    """
    given = _NAME.fullmatch(os.environ.get("TZ", ""))
    return (given and _read(host, f"/usr/share/zoneinfo/{given[1]}")) or own_zone(host)


def own_zone(host: Host) -> tzinfo:
    """Return the zone that the host's daemons write times in, localtime(5): UTC where it has none."""
    return _read(host, "/etc/localtime") or timezone.utc


def _read(host: Host, path: str) -> tzinfo | None:
    try:
        with open(host.path(path), "rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError):
        return None  # what is missing or damaged is UTC to every other program, too
