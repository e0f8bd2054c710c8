"""The time zone that the host's admin reads times in."""

from __future__ import annotations

import io
import os
import re
import struct
from datetime import datetime, timezone, tzinfo
from zoneinfo import ZoneInfo

from mailserver_exporter.host import Host
from mailserver_exporter.sources import SourceError, files

# The largest has 4 KB.
_MAX_BYTES = 1 << 20
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


def read(path: str, name: str | None = None) -> ZoneInfo:
    """Return the zone of a file, tzfile(5), called ``name``. Raises OSError, SourceError, and ValueError for damage."""
    data = files.read(path, _MAX_BYTES)
    try:
        # Without an end of line zoneinfo reads what was cut for ever.
        zone = ZoneInfo.from_file(io.BytesIO(data + b"\n"), name)
        # What is wrong in it may be found only when it is used.
        for month in range(12 * 12):
            datetime(2026 + month // 12, month % 12 + 1, 1, tzinfo=timezone.utc).astimezone(zone).utcoffset()
    except (struct.error, AssertionError, LookupError, OverflowError) as error:
        raise ValueError(f"{path} is no time zone: {error}") from error
    return zone


def _read(host: Host, path: str) -> tzinfo | None:
    try:
        return read(host.path(path))
    except (OSError, ValueError, SourceError):
        return None  # what is missing or damaged is UTC to every other program, too
