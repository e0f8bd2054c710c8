"""The report as HTML that mail programs show well: tables, inline styles, nothing from elsewhere.

All that is needed to look right is inline, because Gmail's app drops <style> for accounts that are not Google's;
what stands in <style> is for the dark and may be dropped. Autoescape is on: a text is never markup.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from mailserver_exporter.report.bounded import LEVELS, bounded
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.model import Cell, Report, State, Table
from mailserver_exporter.report.words import SIGNS, called, footer, named, period, shown, told, words

MOST_BYTES = 95_000
"""Gmail cuts at 102 KB; some programs rewrite what they are given and make it longer."""

_LONGEST_SOURCE = 150
_PHONE = 320
"""Pixels for a table on a phone of 360."""

_UNBROKEN, _LONG = 12, 24
_SPACE = "\N{NO-BREAK SPACE}"
_LETTER, _PADDING = 7.6, 12.0
# What stands in brackets, and a date of either language.
_TOGETHER = re.compile(r"\([^()]{1,18}\)|\d{1,2}\. \d{1,2}\.(?: \d\d:\d\d)?|\d{1,2} [A-Z][a-z]{2}(?: \d\d:\d\d)?")
_WORDS = re.compile(r"[ /-]")


@dataclass(frozen=True)
class Colours:
    """Of a state: its text on the light page, and the ground of its label."""

    text: str
    ground: str


COLOURS: Mapping[State, Colours] = {
    "": Colours("#4b5563", "#f3f4f6"),
    "good": Colours("#15703a", "#e8f5ec"),
    "info": Colours("#1d5fb4", "#e8f0fb"),
    "warning": Colours("#8f5200", "#fdf2dc"),
    "critical": Colours("#b42318", "#fdeceb"),
}


def fitted(report: Report) -> Report:
    """Return the report, shortened until its page is small enough, the least important first."""
    for bounds, others in LEVELS:
        shorter = bounded(report, bounds, others)
        sources = {chart.name: "x" * _LONGEST_SOURCE for section in shorter.sections for chart in section.charts}
        if len(page(shorter, sources).encode()) <= MOST_BYTES:
            break
    return shorter


def page(report: Report, sources: Mapping[str, str]) -> str:
    """Return the page of a report that is bounded already; ``sources`` say where the picture of a chart is, by name."""
    say = Language(report.language, report.period.zone)
    return _template().render(
        report=report,
        sources=sources,
        say=say,
        period=period(report, say),
        footer=footer(report, say),
        colours=COLOURS,
        signs=SIGNS,
        words=words(say),
        called=called,
        shown=shown,
        named=named,
        told=told,
        form=form,
        long=_long,
        glued=glued,
    )


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def glued(text: str) -> str:
    """Return a text that is not broken within what is short, such as "3 h 20 min", or within what is in brackets."""
    if len(text) <= _UNBROKEN:
        return text.replace(" ", _SPACE)
    return _TOGETHER.sub(lambda found: found[0].replace(" ", _SPACE), text)


def form(table: Table) -> str:
    """Return how a table fits a phone: "columns"; "stacked", names in lines of their own; or "list", all in words."""
    widths = [_width(table, column) for column in range(len(table.headings))]
    if sum(widths) <= _PHONE and not table.stacked:
        return "columns"
    return "stacked" if sum(widths[1:]) <= _PHONE else "list"


def _long(cell: Cell) -> bool:
    """Whether a cell has a word that may have to be broken; others are not, or columns get too narrow for theirs."""
    return any(len(word) > _LONG for word in cell.text.split())


def _width(table: Table, column: int) -> float:
    """Return how wide a column is at least: short numbers are not broken, others between their words."""
    texts = [shown(row[column]) for row in table.rows if column < len(row)]
    longest = max(map(len, texts), default=0)
    unbroken = _UNBROKEN if column in table.numeric else 16
    if longest > unbroken or column not in table.numeric:
        word = max((len(word) for text in texts for word in _WORDS.split(glued(text))), default=0)
        longest = min(longest, max(word, unbroken))
    heading = max((len(word) for word in table.headings[column].split()), default=0)
    return max(longest, heading) * _LETTER + _PADDING
