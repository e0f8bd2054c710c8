"""Backups: which directories hold them, and what each must contain."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from mailserver_exporter.schema import Seconds, Text
from mailserver_exporter.settings.types import Section

# Also what `backup-mark` takes, because its marks belong to a set by name.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NAME_IN_WORDS = "a name of up to 64 letters, digits, dots, dashes and underscores, such as configs"

FileName = Annotated[str, Text(r"[^/]+", "a file name, where * stands for anything")]


@dataclass(frozen=True, kw_only=True)
class BackupSet:
    """One directory of backups.

    ``pattern`` says which of its entries count, by default those with a date in their name. ``parts`` are file names
    that each backup must have. ``copy`` is where the same backups are a second time, on another machine.
    """

    path: Path
    pattern: FileName | None = None
    parts: tuple[FileName, ...] = ()
    copy: Path | None = None


@dataclass(frozen=True, kw_only=True)
class BackupsSection(Section):
    """``sets``, where given, is the whole list; a backup that changed within ``quiet`` is still being written."""

    quiet: Annotated[float, Seconds(minimum=0.1)] = 120
    sets: Mapping[str, BackupSet] = field(default_factory=dict)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield (key, message) for names that cannot be given to ``backup-mark``."""
        for name in self.sets:
            if not NAME.fullmatch(name):
                yield "sets", f"must have as key {NAME_IN_WORDS}, not {name[:60]!r}"
