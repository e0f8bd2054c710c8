"""A report that fits into a message: its texts cleaned, its tables cut where there are too many rows, and told so.

Gmail cuts what is longer than 102 KB, in the midst of it; we leave out the least important in its place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from mailserver_exporter.report.cleaned import cleaned
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.model import Action, Cell, Chart, Report, Section, State, Table, worst

T = TypeVar("T")

_GRAVE: tuple[State, ...] = ("warning", "critical")
_VERDICT, _SUBJECT, _HOST, _TITLE = 300, 180, 100, 60
_PROBLEMS, _SECTIONS, _COLUMNS = 5, 30, 10
_UNSAFE = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Bounds:
    """How much is shown: rows of a table, characters of a cell, and how many of each in a section."""

    rows: int
    text: int
    actions: int = 10
    tables: int = 8
    charts: int = 4
    notes: int = 6
    command: int = 500


_LEVELS = (
    Bounds(rows=40, text=200),
    Bounds(rows=25, text=160),
    Bounds(rows=15, text=120),
    Bounds(rows=10, text=80),
    Bounds(rows=6, text=60, tables=4, notes=4),
    Bounds(rows=3, text=50, tables=3, charts=3, notes=3),
    Bounds(rows=3, text=50, tables=1, charts=2, notes=2),
    Bounds(rows=2, text=40, tables=1, charts=1, notes=0, command=200),
    Bounds(rows=0, text=40, tables=0, charts=1, notes=0, command=200),
)
LEVELS = tuple(
    (_LEVELS[grave], _LEVELS[other])
    for grave, other in ((0, 0), (0, 1), (0, 3), (1, 4), (2, 5), (3, 6), (4, 7), (5, 8), (6, 8), (7, 8), (8, 8))
)
"""What is shown of sections in which something is grave, and of others: from all to the least, which always fits."""


def bounded(report: Report, bounds: Bounds, others: Bounds) -> Report:
    """Return the report with no more than this, of sections where nothing is grave no more than ``others``."""
    say = Language(report.language, report.period.zone)
    sections = report.sections
    if len(sections) > _SECTIONS:
        sections = _graver(sections, [section.state for section in sections], _SECTIONS)
    names: set[str] = set()
    return replace(
        report,
        host=cleaned(report.host, _HOST),
        verdict=cleaned(report.verdict, _VERDICT),
        subject=cleaned(report.subject, _SUBJECT),
        problems=tuple(cleaned(problem, _VERDICT) for problem in report.problems[:_PROBLEMS]),
        actions=tuple(_action(action, bounds) for action in report.actions[: bounds.actions]),
        actions_left_out=_left_out(len(report.actions) - bounds.actions, report.actions_left_out, say),
        sections=tuple(_section(each, bounds if each.state in _GRAVE else others, names, say) for each in sections),
    )


def _action(action: Action, bounds: Bounds) -> Action:
    # Half a command is worse than none that is too long.
    command = cleaned(action.command, bounds.command + 1)
    if len(command) > bounds.command:
        command = ""
    return replace(action, text=cleaned(action.text, bounds.text * 2), command=command)


def _section(section: Section, bounds: Bounds, names: set[str], say: Language) -> Section:
    return replace(
        section,
        title=cleaned(section.title, _TITLE),
        summary=cleaned(section.summary, bounds.text * 2),
        tables=tuple(_table(table, bounds, say) for table in section.tables[: bounds.tables]),
        charts=tuple(_chart(chart, names) for chart in section.charts[: bounds.charts]),
        notes=tuple(cleaned(note, bounds.text * 2) for note in section.notes[: bounds.notes]),
    )


def _table(table: Table, bounds: Bounds, say: Language) -> Table:
    rows = _graver(table.rows, [worst(*(cell.state for cell in row)) for row in table.rows], bounds.rows)
    return replace(
        table,
        title=cleaned(table.title, _TITLE),
        headings=tuple(cleaned(heading, _TITLE) for heading in table.headings[:_COLUMNS]),
        rows=tuple(tuple(Cell(cleaned(cell.text, bounds.text), cell.state) for cell in row[:_COLUMNS]) for row in rows),
        left_out=_left_out(len(table.rows) - len(rows), cleaned(table.left_out, bounds.text * 2), say),
    )


def _chart(chart: Chart, names: set[str]) -> Chart:
    """Return the chart with a name of its own that is fit for a file and a Content-ID."""
    name = stem = _UNSAFE.sub("-", chart.name.lower())[:40].strip("-") or "chart"
    while name in names:
        name = f"{stem}-{len(names)}"
    names.add(name)
    return replace(
        chart,
        name=name,
        title=cleaned(chart.title, _TITLE),
        description=cleaned(chart.description, _VERDICT),
        lines=tuple(replace(line, label=cleaned(line.label, _TITLE)) for line in chart.lines),
    )


def _graver(items: Sequence[T], states: Sequence[State], most: int) -> tuple[T, ...]:
    """Return as many as may be, in their order: the critical before the warnings, and these before the first ones."""
    by_gravity = sorted(range(len(items)), key=lambda at: -_gravity(states[at]))
    return tuple(items[at] for at in sorted(by_gravity[:most]))


def _gravity(state: State) -> int:
    return _GRAVE.index(state) + 1 if state in _GRAVE else 0


def _left_out(number: int, already: str, say: Language) -> str:
    if number <= 0:
        return already
    text = say.count(number, "{number} more is not shown", "{number} more are not shown")
    return f"{text}; {already}" if already else text
