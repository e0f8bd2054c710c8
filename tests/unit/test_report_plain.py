"""The report's text says what its page says."""

from __future__ import annotations

import re

import pytest

from mailserver_exporter.report import html, plain
from mailserver_exporter.report.model import Cell, Report, Section, Table
from mailserver_exporter.report.words import shown
from tests.support import reports


def squeezed(text: str) -> str:
    return " ".join(text.split())


def said(report: Report) -> str:
    return plain.text(html.fitted(report))


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("name", reports.DAYS)
def test_it_says_all_that_the_page_says(name: str, language: str) -> None:
    make = {"good": reports.good, "bad": reports.bad, "without_prometheus": reports.without_prometheus}.get(name)
    report = html.fitted(make(language) if make else reports.DAYS[name]())
    text = squeezed(plain.text(report))
    told = [report.verdict, report.host, *(action.text for action in report.actions)]
    told += [action.command for action in report.actions]
    for section in report.sections:
        told += [section.title, section.summary, *section.notes]
        for table in section.tables:
            told += [
                table.title,
                table.left_out,
                *table.headings[1:],
                *(shown(cell) for row in table.rows for cell in row),
            ]
    page = squeezed(re.sub("<[^>]+>", " ", html.page(report, {c.name: "" for s in report.sections for c in s.charts})))
    for each in told:
        assert squeezed(each) in text, each
        if not re.search("[<>&'\"]", each):
            assert squeezed(each) in page, each


@pytest.mark.parametrize("make", [*reports.DAYS.values(), reports.hostile], ids=[*reports.DAYS, "hostile"])
def test_no_line_is_longer_than_78_but_what_has_no_spaces_and_commands(make: reports.Make) -> None:
    for line in said(make()).splitlines():
        assert len(line) <= 78 or line.startswith("    ") or " " not in line.strip(), line


def test_numbers_stand_below_each_other() -> None:
    lines = said(reports.good()).splitlines()
    at = lines.index("Mail                         Period  Day before  Week before")
    assert lines[at + 1 : at + 3] == [
        "received from other servers   1,204       1,188        1,301",
        "received from users             315         290          344",
    ]


def test_a_table_that_is_too_wide_is_told_in_words() -> None:
    row = (Cell("mailcowdockerized-postfix-mailcow-1"), Cell("exited (137)", "critical"), Cell(""), Cell("x" * 30))
    table = Table(("Container", "State", "Memory", "Image"), (row,))
    text = said(reports.composed(reports.part(Section("Containers", "", "critical", (table,)))))
    assert f"mailcowdockerized-postfix-mailcow-1: State ✖ exited (137), Image {'x' * 30}" in squeezed(text)


def test_a_state_is_a_word_and_a_sign() -> None:
    text = said(reports.bad("de"))
    assert "Containers (✖ kritisch)" in text
    assert "▲ Warnung: /var/lib/docker" in text
