"""The finished report, in the reader's language: what the HTML, the plain text and the subject are made of.

Texts may hold anything that a host, a log or a hostile label says: who renders them escapes and bounds them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from mailserver_exporter.report.period import Period

State = Literal["", "good", "info", "warning", "critical"]
_ORDER: tuple[State, ...] = ("", "good", "info", "warning", "critical")


def worst(*states: State) -> State:
    """Return the gravest of several states, "" where there is none."""
    return max(states, key=_ORDER.index, default="")


@dataclass(frozen=True)
class Cell:
    """One field of a table; ``state`` colours it."""

    text: str
    state: State = ""


@dataclass(frozen=True)
class Table:
    """Rows below headings; the first column names the thing, numeric columns (by index) stand at the right.

    ``left_out`` says in words what was not shown where there were too many rows. ``stacked``: each name has a line of
    its own on a page.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""
    numeric: frozenset[int] = frozenset()
    left_out: str = ""
    stacked: bool = False


@dataclass(frozen=True)
class Line:
    """One line of a chart: (seconds since the epoch, value) in order; NaN is a gap, and so is what is missing."""

    label: str
    points: tuple[tuple[float, float], ...]
    faint: bool = False


@dataclass(frozen=True)
class Limit:
    """A limit that is drawn across a chart."""

    severity: State
    value: float


@dataclass(frozen=True)
class Chart:
    """A picture; ``unit`` is ratio, bytes, seconds or count, ``step`` the seconds between points."""

    name: str
    title: str
    unit: Literal["ratio", "bytes", "seconds", "count"]
    lines: tuple[Line, ...]
    step: float
    limits: tuple[Limit, ...] = ()
    description: str = ""
    """What the picture shows, in words, for who does not see it."""
    bars: bool = False
    """Counts, each of the ``step`` that ends with its point: bars, of which the lines' stand on each other."""


@dataclass(frozen=True)
class Section:
    """One subject; ``summary`` is its one line, ``was`` how grave it was within the period where that is over."""

    title: str
    summary: str
    state: State = ""
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()
    notes: tuple[str, ...] = ()
    was: State = ""


@dataclass(frozen=True)
class Action:
    """Something to do: what and why in one sentence, the first command where there is one, and the rule's name.

    An alert that fires is told under the subject (the name of a module of sections/) that it belongs to, unless an
    action there is about the same: ``about`` are the names by which to tell.
    """

    severity: State
    text: str
    command: str = ""
    rule: str = ""
    subject: str = ""
    about: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """All of it. ``verdict`` is one line; ``problems`` come before everything else (Prometheus unreachable ...)."""

    host: str
    period: Period
    made: datetime
    language: str
    state: State
    verdict: str
    subject: str
    problems: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()
    actions_left_out: str = ""
    sections: tuple[Section, ...] = field(default=())
