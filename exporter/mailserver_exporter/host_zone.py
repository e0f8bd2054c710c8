"""The time zone that the host's admin reads times in."""

from __future__ import annotations

import os
import re
from datetime import timezone, tzinfo
from zoneinfo import ZoneInfo

from mailserver_exporter.host import Host

_NAME = re.compile(r":?([A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,3})")


def host_zone(host: Host) -> tzinfo:
    """Return the zone that the environment names (``TZ``), else the host's own, localtime(5); without either UTC.

    A container without a zone of its own shows the host's.
    """
    given = _NAME.fullmatch(os.environ.get("TZ", ""))
    places = [f"/usr/share/zoneinfo/{given[1]}"] if given else []
    for place in (*places, "/etc/localtime"):
        try:
            with open(host.path(place), "rb") as file:
                return ZoneInfo.from_file(file)
        except (OSError, ValueError):
            continue  # what is missing or damaged is UTC to every other program, too
    return timezone.utc
