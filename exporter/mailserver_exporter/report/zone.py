"""The time zone of the report, with a name by which to notice that it has become another one."""

from __future__ import annotations

import os
from datetime import tzinfo

from mailserver_exporter.host import Host
from mailserver_exporter.host_zone import host_zone, read
from mailserver_exporter.sources import SourceError

_ZONES = "/usr/share/zoneinfo"


def find(host: Host, name: str | None) -> tuple[tzinfo, str]:
    """Return the zone of this name, or the host's own where there is none, and what it is called.

    The data is ours, or the host's where our container has none. Raises SourceError where neither has it.
    """
    if name is None:
        file = os.path.realpath(host.path("/etc/localtime"))
        return host_zone(host), os.environ.get("TZ") or file.rpartition("zoneinfo/")[2]
    for place in (f"{_ZONES}/{name}", host.path(f"{_ZONES}/{name}")):
        try:
            return read(place, name), name
        except (OSError, ValueError, SourceError):
            continue
    raise SourceError(f"there is no time zone {name}", remedy="apt-get install tzdata, or see report.time_zone")
