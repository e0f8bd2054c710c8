"""What the page and the text have in common: the signs and words of a state, of which colour is never the only one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailserver_exporter import __version__
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.model import Cell, Chart, Report, Section, State, Table

SIGNS: Mapping[State, str] = {"": "", "good": "✓", "info": "•", "warning": "▲", "critical": "✖"}
_SPACE = "\N{NO-BREAK SPACE}"


def words(say: Language) -> Mapping[State, str]:
    """Return how a state is called."""
    return {
        "": "",
        "good": say("good"),
        "info": say("note"),
        "warning": say("warning"),
        "critical": say("critical"),
    }


def called(section: Section, say: Language) -> str:
    """Return how the state of a section is called: as it is now, or what it was and is no more."""
    over: Mapping[State, str] = {"warning": say("had a warning"), "critical": say("was critical")}
    return over.get(section.was) or words(say)[section.state]


def shown(cell: Cell) -> str:
    """Return the text of a cell, with its sign where it is grave."""
    return f"{SIGNS[cell.state]}{_SPACE}{cell.text}" if cell.state in ("warning", "critical") else cell.text


def period(report: Report, say: Language) -> str:
    """Return what time the report is about."""
    start, end = report.period.start.timestamp(), report.period.end.timestamp()
    return say("{start} to {end}", start=say.moment(start), end=f"{say.moment(end)} {report.period.end.tzname()}")


def footer(report: Report, say: Language) -> str:
    """Return by whom and when the report was made."""
    return say(
        "Made by mailserver-exporter {version} on {date} at {time}.",
        version=__version__,
        date=say.date(report.made),
        time=f"{report.made:%H:%M} {report.made.tzname()}",
    )


def told(chart: Chart) -> str:
    """Return what a picture shows, for who does not see it."""
    if chart.description.startswith(chart.title):
        return chart.description
    return f"{chart.title}: {chart.description}" if chart.description else chart.title


def named(table: Table, row: Sequence[Cell]) -> list[tuple[str, Cell]]:
    """Return what a row says, but its name, each with its heading; what is empty is left out."""
    return [
        (table.headings[at] if at < len(table.headings) else "", cell)
        for at, cell in enumerate(row)
        if at and cell.text
    ]
