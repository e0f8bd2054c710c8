"""The report as HTML that mail programs show well: tables, inline styles, nothing from elsewhere.

All that is needed to look right is inline, because Gmail's app drops <style> for accounts that are not Google's;
what stands in <style> is for the dark and may be dropped. Autoescape is on: a text is never markup.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from mailserver_exporter.report.bounded import LEVELS, bounded
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.model import Report, State, Table
from mailserver_exporter.report.words import SIGNS, footer, period, shown, words

MOST_BYTES = 95_000
"""Gmail cuts at 102 KB; some programs rewrite what they are given and make it longer."""

_LONGEST_SOURCE = 150
_PHONE = 312
"""Pixels for a table on a phone of 360."""

_LETTER, _PADDING = 7.6, 12.0
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
    for level in LEVELS:
        report = bounded(report, level)
        sources = {chart.name: "x" * _LONGEST_SOURCE for section in report.sections for chart in section.charts}
        if len(page(report, sources).encode()) <= MOST_BYTES:
            break
    return report


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
        shown=shown,
        form=form,
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


def form(table: Table) -> str:
    """Return how a table fits a phone: "columns"; "stacked", names in lines of their own; or "list", all in words."""
    widths = [_width(table, column) for column in range(len(table.headings))]
    if sum(widths) <= _PHONE:
        return "columns"
    return "stacked" if sum(widths[1:]) <= _PHONE else "list"


def _width(table: Table, column: int) -> float:
    """Return how wide a column is at least: numbers are not broken, words between two of them."""
    texts: Sequence[str] = [shown(row[column]) for row in table.rows if column < len(row)]
    longest = max(map(len, texts), default=0)
    if column not in table.numeric:
        word = max((len(word) for text in texts for word in _WORDS.split(text)), default=0)
        longest = min(longest, max(word, 16))
    heading = max((len(word) for word in table.headings[column].split()), default=0)
    return max(longest, heading) * _LETTER + _PADDING
