"""The daily report: when, to whom, in which language."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from mailserver_exporter.settings.types import Section, Url

Language = Literal["en", "de"]

_ZONES = "usr/share/zoneinfo"
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,40}(/[A-Za-z0-9_+-]{1,40}){0,3}")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)


@dataclass(frozen=True)
class ZoneName:
    """The name of a time zone (IANA) that this machine, or the host outside of our container, has."""

    def convert(self, value: object) -> str:
        """Return the name; raises ValueError with what is allowed."""
        if isinstance(value, str) and _ZONE.fullmatch(value) and any(_is_zone(f"{p}/{value}") for p in _places()):
            return value
        hint = "" if any(map(os.path.isdir, _places())) else "; there is no list of them here: apt-get install tzdata"
        raise ValueError(f"a time zone such as Europe/Berlin, as `timedatectl list-timezones` lists them{hint}")


@dataclass(frozen=True)
class ClockTime:
    """A time of day. YAML 1.1 reads 12:30 as the number 750, hence as it is written."""

    as_written = True

    def convert(self, value: object) -> str:
        """Return it as HH:MM; raises ValueError with what is allowed."""
        found = _CLOCK.fullmatch(str(value))
        if found is None:
            raise ValueError("a time of day from 00:00 to 23:59")
        return f"{int(found[1]):02}:{found[2]}"


@dataclass(frozen=True, kw_only=True)
class ReportSection(Section):
    """The report goes through the server of ``notifications.email``, and without ``to`` to its addressees.

    Without ``time_zone`` it is the host's, without ``prometheus_url`` what the environment or else this machine has.
    """

    at: Annotated[str, ClockTime()] = "02:00"
    time_zone: Annotated[str, ZoneName()] | None = None
    language: Language = "en"
    prometheus_url: Url | None = None
    to: tuple[str, ...] = ()

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield (key, message) for what is no address."""
        for address in self.to:
            if "@" not in address:
                yield "to", f"must be an e-mail address, not {address!r}"


def _places() -> list[str]:
    rootfs = os.environ.get("MAILSERVER_EXPORTER_PATH_ROOTFS", "").rstrip("/")
    return [f"/{_ZONES}"] + ([f"{rootfs}/{_ZONES}"] if rootfs else [])


def _is_zone(path: str) -> bool:
    """Say whether a file is one of tzfile(5)."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"TZif"
    except OSError:
        return False
