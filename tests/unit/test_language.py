"""The reader's language: every text has its German, numbers and times read as the language writes them."""

from __future__ import annotations

import ast
import math
import string
from collections.abc import Iterator
from datetime import timedelta, timezone
from pathlib import Path

import pytest

from mailserver_exporter import report
from mailserver_exporter.report.german import GERMAN
from mailserver_exporter.report.language import NONE, Language

ENGLISH, BERLIN = Language("en", timezone.utc), Language("de", timezone(timedelta(hours=1)))


def texts() -> Iterator[str]:
    """Yield the texts that the report's modules say: the literals given to ``say``, ``marked`` and ``say.count``."""
    assert report.__file__ is not None
    for file in Path(report.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            function = node.func
            if isinstance(function, ast.Name) and function.id in ("say", "marked"):
                yield node.args[0].value if isinstance(node.args[0], ast.Constant) else ""
            elif isinstance(function, ast.Attribute) and function.attr == "count" and len(node.args) == 3:
                yield from (each.value for each in node.args[1:] if isinstance(each, ast.Constant))


def test_every_text_has_its_german() -> None:
    assert sorted(set(texts()) - GERMAN.keys() - {""}) == []


@pytest.mark.parametrize("english", sorted(GERMAN))
def test_a_german_text_names_the_same_values(english: str) -> None:
    def names(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}

    assert names(GERMAN[english]) == names(english)


@pytest.mark.parametrize(
    ("value", "english", "german"),
    [
        (0, "0%", "0\xa0%"),
        (0.93, "93%", "93\xa0%"),
        (0.9999, "99%", "99\xa0%"),
        (1, "100%", "100\xa0%"),
        (None, NONE, NONE),
        (math.nan, NONE, NONE),
    ],
)
def test_a_share(value: float | None, english: str, german: str) -> None:
    assert (ENGLISH.percent(value), BERLIN.percent(value)) == (english, german)


def test_what_is_not_all_of_it_is_never_all_of_it() -> None:
    assert ENGLISH.percent(0.999999, 2) == "99.99%"


@pytest.mark.parametrize(
    ("value", "english", "german"),
    [
        (0, "0 B", "0 B"),
        (1536, "1.5 KiB", "1,5 KiB"),
        (1023.9 * 2**20, "1.0 GiB", "1,0 GiB"),
        (-5 << 20, "-5.0 MiB", "-5,0 MiB"),
    ],
)
def test_an_amount(value: float, english: str, german: str) -> None:
    assert [text.replace("\xa0", " ") for text in (ENGLISH.bytes(value), BERLIN.bytes(value))] == [english, german]


@pytest.mark.parametrize(
    ("value", "english"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (75, "1 min 15 s"),
        (3600 * 3 + 1200, "3 h 20 min"),
        (86400 * 4 + 7200, "4 d 2 h"),
        (86400 * 40 + 7200, "40 d"),
        (-75, "-1 min 15 s"),
        (math.inf, NONE),
    ],
)
def test_a_length_of_time(value: float, english: str) -> None:
    assert ENGLISH.duration(value).replace("\xa0", " ") == english
    assert BERLIN.duration(value) == ENGLISH.duration(value)


def test_large_numbers_are_grouped() -> None:
    assert (ENGLISH.number(1234567.5, 1), BERLIN.number(1234567.5, 1)) == ("1,234,567.5", "1.234.567,5")


def test_times_are_shown_in_the_readers_zone() -> None:
    assert (ENGLISH.moment(1795355100), BERLIN.moment(1795355100)) == ("22 Nov 13:45", "22. 11. 14:45")


def test_what_is_filled_in_never_counts_as_a_text() -> None:
    assert ENGLISH("{name} is gone", name="{name}{0}") == "{name}{0} is gone"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e308, -1e308, 2.0**63, 253402300800.0])
def test_a_figure_beyond_all_measure_is_short_and_no_error(value: float) -> None:
    for say in (ENGLISH, BERLIN):
        for text in (say.number(value), say.percent(value), say.bytes(value), say.duration(value), say.moment(value)):
            assert 0 < len(text) < 30
    assert ENGLISH.moment(value) == NONE
