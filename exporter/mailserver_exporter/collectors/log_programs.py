"""The programs whose logs are read: what their lines look like, who counts them, and under which names.

The list below is all there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from prometheus_client.metrics_core import Metric

from mailserver_exporter.sources.tally import Tally


class Parser(Protocol):
    """Counts lines into a tally and returns how many it understood; may remember lines, as long as that is bounded."""

    def __call__(self, lines: Sequence[bytes], tally: Tally, /) -> int: ...


@dataclass(frozen=True)
class Program:
    """One program.

    ``ident`` is a regular expression for the start of ``ident[pid]: message``, the form in which the parser gets the
    lines; without one, it gets them as they are. ``service`` is its service in mailcow's compose project. ``idents``
    and ``files`` say where it is found on a host: what it calls itself in the journal, and the usual files.
    """

    name: str
    parser: Callable[[], Parser]
    families: Callable[[Tally], Iterator[Metric]]
    ident: bytes = b""
    service: str = ""
    idents: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


PROGRAMS: tuple[Program, ...] = ()
