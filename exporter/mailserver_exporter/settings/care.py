"""The care of the host: other people's text files, updates, systemd's units, the clock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from mailserver_exporter.schema import Text
from mailserver_exporter.settings.types import Section

UnitName = Annotated[
    str,
    Text(
        r"[A-Za-z0-9:_.\\@-]{1,240}\.(service|socket|timer|mount|automount|swap|target|path|slice|scope|device)",
        "a unit with its type, such as postfix.service or certbot.timer",
    ),
]
Directory = Annotated[str, Text(r"/[^\0\n]*", "an absolute path, which may hold *, ? and [...]")]


@dataclass(frozen=True, kw_only=True)
class TextfileSection(Section):
    """Directories of ``*.prom`` files, with patterns; none given: where Debian's node_exporter looks."""

    directories: tuple[Directory, ...] = ()


@dataclass(frozen=True, kw_only=True)
class UpdatesSection(Section):
    """``root`` is where the Debian system is whose packages are watched, as the host sees it."""

    root: Path = Path("/")


@dataclass(frozen=True, kw_only=True)
class SystemdSection(Section):
    """``units`` must be active, whether seen before or not; ``socket`` is the system bus' or systemd's own."""

    units: tuple[UnitName, ...] = ()
    socket: Path | None = None
