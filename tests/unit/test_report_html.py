"""The report's page: escaped, small enough whatever comes, and without anything from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from mailserver_exporter.report import html
from mailserver_exporter.report.cleaned import cleaned
from mailserver_exporter.report.html import form, glued
from mailserver_exporter.report.model import Action, Cell, Report, Section, Table
from tests.support import reports

VOID = ("meta", "img", "br")


def shown(report: Report) -> str:
    short = html.fitted(report)
    return html.page(short, {chart.name: f"cid:{chart.name}@x" for each in short.sections for chart in each.charts})


class Reader(HTMLParser):
    """Collects what a page is made of; fails where what is opened is not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)


def row(*texts: str) -> tuple[Cell, ...]:
    return tuple(map(Cell, texts))


@pytest.mark.parametrize("make", [*reports.DAYS.values(), reports.hostile], ids=[*reports.DAYS, "hostile"])
def test_a_page_is_well_formed_and_asks_for_nothing_from_elsewhere(make: reports.Make) -> None:
    reader = Reader(shown(make()))
    sources = [value for _, attributes in reader.tags for name, value in attributes.items() if name in ("src", "href")]
    assert all(source and source.startswith("cid:") for source in sources)
    assert not {tag for tag, _ in reader.tags} & {"script", "link", "iframe", "form", "svg", "a", "object"}
    assert not [name for _, attributes in reader.tags for name in attributes if name.startswith("on")]
    assert not any("url(" in (attributes.get("style") or "") for _, attributes in reader.tags)
    assert all(attributes.get("alt") for tag, attributes in reader.tags if tag == "img")


def test_a_page_knows_its_language_and_the_dark() -> None:
    page = shown(reports.good("de"))
    assert '<html lang="de" dir="ltr">' in page
    assert '<meta name="color-scheme" content="light dark">' in page


def test_no_letter_is_smaller_than_14_pixels() -> None:
    page = shown(reports.bad()).replace("font-size:1px", "")
    assert min(int(size) for size in re.findall(r"font-size:(\d+)px", page)) == 14


def test_what_a_list_of_messages_previews_is_the_verdict() -> None:
    texts = [text.strip() for text in Reader(shown(reports.bad())).texts if text.strip()]
    assert texts[1].startswith(reports.bad().verdict)


def test_what_to_do_comes_right_below_the_verdict() -> None:
    page = shown(reports.bad())
    assert (
        page.index("<h1") < page.index("Recommended actions") < page.index("docker logs --tail 50") < page.index("Host")
    )


def test_hostile_texts_are_texts() -> None:
    page = shown(reports.hostile())
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00\x1b]", page)


def test_a_page_is_never_cut_by_gmail() -> None:
    assert len(shown(reports.hostile()).encode()) < 100_000
    quotes = Section("'" * 500, "'" * 5000, "critical", (Table(("'" * 99,) * 20, (row(*["'" * 999] * 20),) * 99),) * 20)
    notes = Section("<" * 500, "<" * 5000, "warning", (), (), ("<" * 5000,) * 50)
    actions = [Action("critical", '"' * 9000, '"' * 450)] * 50
    worst = reports.composed(reports.part(quotes, *actions), *(reports.part(each) for each in [quotes, notes] * 40))
    assert len(shown(worst).encode()) < 100_000


def test_of_500_containers_those_that_are_down_are_shown() -> None:
    rows = [reports.row(f"container-{n}", "running", state="") for n in range(500)]
    rows[470] = reports.row("container-470", "exited", state="critical")
    rows[490] = reports.row("container-490", "unhealthy", state="warning")
    section = Section("Containers", "", "critical", (Table(("Container", "State"), tuple(rows), left_out="3 are new"),))
    page = shown(reports.composed(reports.part(section)))
    assert page.count("container-") == 40
    assert (
        page.index("container-0<")
        < page.index("container-37<")
        < page.index("container-470")
        < page.index("container-490")
    )
    assert "460 more are not shown; 3 are new" in page


def test_what_is_well_is_shortened_before_what_is_not() -> None:
    table = Table(("Name", "State"), tuple(reports.row(f"thing-{n}", "x" * 150, state="") for n in range(40)))
    parts = [reports.part(Section(f"Part {n}", "", "warning" if n == 7 else "good", (table,))) for n in range(9)]
    short = html.fitted(reports.composed(*parts))
    kept = {section.title: len(section.tables[0].rows) for section in short.sections}
    assert kept.pop("Part 7") == 40
    assert set(kept.values()) == {25}


def test_more_than_ten_actions_are_counted() -> None:
    actions = [Action("warning", f"do {number}", f"run {number}") for number in range(14)]
    page = shown(reports.composed(reports.part(Section("Host", "", "warning"), *actions)))
    assert page.count("run ") == 10
    assert "4 more are not shown" in page


def test_a_command_that_is_too_long_is_left_out_and_never_cut() -> None:
    action = Action("warning", "do this", "rm --verbose " + "a" * 600)
    assert "rm --verbose" not in shown(reports.composed(reports.part(Section("Host", "", "warning"), action)))


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (Table(("Mail", "Period", "Before"), (row("sent", "1,204", "1,188"),), numeric=frozenset((1, 2))), "columns"),
        (Table(("Collector", "State"), (row("docker", "the socket cannot be read by this user"),)), "columns"),
        (reports.HOST_TABLE, "stacked"),
        (Table(("A", "B", "C"), (row("x" * 60, "y" * 30, "z" * 30),)), "list"),
        (Table(("A",), ()), "columns"),
    ],
    ids=["numbers", "words", "many numbers", "long words", "empty"],
)
def test_a_table_has_the_form_that_fits_a_phone(table: Table, expected: str) -> None:
    assert form(table) == expected


def test_what_belongs_together_is_not_broken() -> None:
    assert glued("3 h 20 min") == "3\xa0h\xa020\xa0min"
    assert glued("64% (21 Nov 14:05)") == "64% (21\xa0Nov\xa014:05)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\nSubject: b", "a Subject: b"),
        ("gnp\u202eexe\u200b.txt", "gnp exe .txt"),
        ("a\u2028b\x00c\ud800d", "a b c d"),
        ("1\xa0GiB", "1\xa0GiB"),
        ("o\u0308" + "\u0300" * 50, "o\u0308\u0300"),
        ("Grüße 🔥 שלום", "Grüße 🔥 שלום"),
        ("x" * 50, "x" * 19 + "…"),
        (" " * 9_000_000 + "x", ""),
    ],
)
def test_a_shown_text_is_one_line_without_what_cannot_be_seen(text: str, expected: str) -> None:
    assert cleaned(text, 20) == expected
