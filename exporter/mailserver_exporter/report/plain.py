"""The report as text: what the page says, in lines of at most 78 characters, which a phone shows without scrolling."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from mailserver_exporter.report.language import Language
from mailserver_exporter.report.model import Action, Report, Section, Table
from mailserver_exporter.report.words import SIGNS, called, footer, named, period, shown, told, words

WIDTH = 78
_GAP = "  "


def text(report: Report) -> str:
    """Return the text of a report that is bounded already."""
    say = Language(report.language, report.period.zone)
    # Wide spaces have kept a number and its unit in one line; nobody could search for them.
    return "\n".join(_lines(report, say)).replace("\N{NO-BREAK SPACE}", " ") + "\n"


def _lines(report: Report, say: Language) -> Iterator[str]:
    yield from _wrapped(report.host)
    yield from _wrapped(period(report, say))
    yield ""
    yield from _wrapped(f"{SIGNS[report.state]} {report.verdict}".strip())
    for problem in report.problems:
        if problem not in report.verdict:
            yield ""
            yield from _wrapped(f"{SIGNS['warning']} {problem}")
    if report.actions:
        yield from _heading(say("Recommended actions"), "=")
        for action in report.actions:
            yield from _action(action, say)
        yield from _wrapped(report.actions_left_out)
    for section in report.sections:
        yield from _section(section, say)
    yield ""
    yield "--"
    yield from _wrapped(footer(report, say))


def _heading(title: str, line: str) -> Iterator[str]:
    yield ""
    yield from _wrapped(title)
    yield line * min(len(title), WIDTH)


def _action(action: Action, say: Language) -> Iterator[str]:
    word = words(say)[action.severity]
    sign = f"{SIGNS[action.severity]} {word}: ".lstrip() if word else ""
    yield from _wrapped(f"{sign}{action.text}", more="  ")
    if action.command:
        # Not broken, so that it can be copied.
        yield f"    {action.command}"


def _section(section: Section, say: Language) -> Iterator[str]:
    word = called(section, say)
    yield from _heading(f"{section.title} ({SIGNS[section.state]} {word})" if word else section.title, "=")
    yield from _wrapped(section.summary)
    for table in section.tables:
        if table.rows or table.left_out:
            yield ""
            yield from _wrapped(table.title and f"{table.title}:")
            yield from _table(table)
            yield from _wrapped(table.left_out)
    for chart in section.charts:
        yield ""
        yield from _wrapped(f"[{told(chart)}]")
    if section.notes:
        yield ""
    for note in section.notes:
        yield from _wrapped(note)


def _table(table: Table) -> Iterator[str]:
    lines = [list(table.headings), *([shown(cell) for cell in row] for row in table.rows)]
    count = len(table.headings)
    widths = [max(len(line[at]) for line in lines if at < len(line)) for at in range(count)]
    if all(len(line) == count for line in lines) and sum(widths) + len(_GAP) * (count - 1) <= WIDTH:
        for line in lines if any(table.headings) else lines[1:]:
            padded = (
                text.rjust(width) if at in table.numeric else text.ljust(width)
                for at, (text, width) in enumerate(zip(line, widths, strict=True))
            )
            yield _GAP.join(padded).rstrip()
        return
    for row in table.rows:
        values = ", ".join(f"{heading} {shown(cell)}".lstrip() for heading, cell in named(table, row))
        name = shown(row[0]) if row else ""
        yield from _wrapped(f"{name}: {values}" if values else name, more="  ")


def _wrapped(text: str, more: str = "") -> Iterator[str]:
    yield from textwrap.wrap(
        text, WIDTH, subsequent_indent=more, break_on_hyphens=False, break_long_words=False, drop_whitespace=True
    )
