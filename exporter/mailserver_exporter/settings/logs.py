"""Where the logs are that events are counted from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from mailserver_exporter.schema import Text
from mailserver_exporter.settings.types import Section

PROGRAMS = ("postfix", "dovecot", "sshd", "sogo", "netfilter", "php-fpm")

LogName = Annotated[
    str,
    Text(
        r"journal|none|/.*[^/]|container/[A-Za-z0-9][A-Za-z0-9_.-]*",
        "journal, the absolute path of a file, container/NAME, or none",
    ),
]


@dataclass(frozen=True, kw_only=True)
class LogsSection(Section):
    """``sources`` says for a program where its log is, instead of looking for it; ``none`` leaves the program out."""

    sources: Mapping[str, LogName] = field(default_factory=dict)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield (key, message) for programs that are not known."""
        for program in self.sources:
            if program not in PROGRAMS:
                yield "sources", f"knows no program {program!r}; allowed here: {', '.join(PROGRAMS)}"
