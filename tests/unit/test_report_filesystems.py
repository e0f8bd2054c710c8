"""What is told and advised about file systems: each rule on both sides of its edge, one thing for each of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timezone
from typing import Any

import pytest

from mailserver_exporter.report.language import NONE, Language
from mailserver_exporter.report.model import Line
from mailserver_exporter.report.prometheus import Compared
from mailserver_exporter.report.sections import filesystems
from mailserver_exporter.report.sections.filesystems import Facts, Filesystem

GIB = 2.0**30
ENGLISH, GERMAN = Language("en", timezone.utc), Language("de", timezone.utc)
LIMITS: dict[Any, float] = {"warning": 0.8, "critical": 0.9}


def filesystem(used: float = 0.5, **changes: Any) -> Filesystem:
    """Return a file system of 100 GiB."""
    usual = Filesystem(
        "/var/vmail", 100 * GIB, (1 - used) * 100 * GIB, Compared(used, used - 0.01, used - 0.07), 0.2, LIMITS
    )
    return replace(usual, **changes)


def advised(given: Filesystem) -> tuple[str, str] | None:
    """Return the rule and the severity of what is advised about one."""
    actions = list(filesystems.advise(Facts((given,)), ENGLISH))
    assert len(actions) < 2
    return (actions[0].rule, actions[0].severity) if actions else None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (filesystem(0.8), None),
        (filesystem(0.8001), ("filesystem-over-its-limit", "warning")),
        (filesystem(0.9001), ("filesystem-over-its-limit", "critical")),
        (filesystem(days=14.0), None),
        (filesystem(days=13.9), ("filesystem-full-within-14-days", "warning")),
        (filesystem(inodes=0.8), None),
        (filesystem(inodes=0.81), ("filesystem-inodes-over-limit", "warning")),
        (filesystem(inodes=0.95, usage=Compared(None, None, None)), ("filesystem-inodes-over-limit", "critical")),
        (filesystem(fault="missing"), ("filesystem-missing", "critical")),
        (filesystem(fault="silent"), ("filesystem-silent", "critical")),
        (filesystem(fault="read-only"), ("filesystem-read-only", "critical")),
        # One thing for one file system, the gravest.
        (filesystem(0.95, days=1.0, inodes=0.99), ("filesystem-over-its-limit", "critical")),
        (filesystem(0.95, days=1.0, fault="read-only"), ("filesystem-read-only", "critical")),
        # What has no limit, such as a CD, is full and may be.
        (filesystem(1.0, days=0.0, limits={}), None),
    ],
)
def test_one_thing_is_advised(given: Filesystem, expected: tuple[str, str] | None) -> None:
    assert advised(given) == expected


def test_it_is_said_how_much_to_free() -> None:
    (action,) = filesystems.advise(Facts((filesystem(0.87),)), ENGLISH)
    assert action.text == "/var/vmail is 87% full: free 7.0\xa0GiB to get below 80%."
    assert action.command == "du -xh -d2 /var/vmail | sort -h | tail -20"


def test_what_is_reserved_for_root_is_not_to_be_freed() -> None:
    # df(1): 100 GiB, of which 5 are reserved; 90 used of 95.
    given = filesystem(0.5, usage=Compared(90 / 95, None, None), available=5 * GIB)
    (action,) = filesystems.advise(Facts((given,)), ENGLISH)
    assert "free 14\xa0GiB to get below 80%" in action.text


def test_it_is_said_when_it_will_be_full() -> None:
    (soon,) = filesystems.advise(Facts((filesystem(days=8.6),)), ENGLISH)
    assert soon.text == "/var/vmail is full in 9 days at this pace: see what grows."
    (full,) = filesystems.advise(Facts((filesystem(0.85, days=0.5),)), ENGLISH)
    assert full.text.endswith("to get below 80%. At this pace it is full within a day.")
    (german,) = filesystems.advise(Facts((filesystem(days=1.0),)), GERMAN)
    assert german.text == "/var/vmail ist bei diesem Tempo in 1 Tag voll: nachsehen, was wächst."


def test_a_hostile_name_is_no_command() -> None:
    (action,) = filesystems.advise(Facts((filesystem(0.95, mountpoint="/mnt/$(reboot) 'x"),)), ENGLISH)
    assert action.command == "du -xh -d2 '/mnt/$(reboot) '\"'\"'x' | sort -h | tail -20"


@pytest.mark.parametrize(
    ("days", "text"),
    [(None, NONE), (0.0, "within a day"), (1.2, "in 1 day"), (20, "in 20 days"), (365, "in over a year")],
)
def test_the_time_until_it_is_full(days: float | None, text: str) -> None:
    (row,) = filesystems.show(Facts((filesystem(days=days),)), ENGLISH).tables[0].rows
    assert row[5].text == text


def test_of_forty_those_that_need_attention_come_first_and_the_rest_is_counted() -> None:
    many = [filesystem(0.3 + number / 100, mountpoint=f"/mnt/{number}") for number in range(38)]
    full = filesystem(0.95, mountpoint="/full")
    gone = filesystem(0.1, mountpoint="/gone", fault="missing")
    facts = Facts(tuple(sorted([*many, full, gone], key=filesystems._gravity)))
    section = filesystems.show(facts, ENGLISH)
    (table,) = section.tables
    assert [row[0].text for row in table.rows[:3]] == ["/full", "/gone (not mounted)", "/mnt/37"]
    assert (len(table.rows), table.left_out, section.state) == (15, "25 more, less full", "critical")


def test_beyond_five_one_thing_is_advised_for_all_others() -> None:
    actions = list(filesystems.advise(Facts(tuple(filesystem(0.85, mountpoint=f"/{n}") for n in range(40))), ENGLISH))
    assert len(actions) == 6
    assert actions[-1].rule == "more-filesystems-need-attention"
    assert actions[-1].text == "35 more file systems need attention, see the table."
    assert len(actions[-1].about) == 35


def test_what_is_not_measured_any_more_is_neither_good_nor_bad() -> None:
    section = filesystems.show(Facts((filesystem(0.95),), old=True), ENGLISH)
    assert section.state == ""
    assert section.notes == ("The file systems were not measured any more when the period ended.",)


def test_limits_are_drawn_where_all_have_the_same() -> None:
    lines = (Line("/a", ((0, 0.5),)), Line("/b", ((0, 0.4),)))
    same = (filesystem(0.5, mountpoint="/a"), filesystem(0.4, mountpoint="/b"))
    (chart,) = filesystems.show(Facts(same, lines), ENGLISH).charts
    assert [limit.value for limit in chart.limits] == [0.8, 0.9]
    other = (same[0], replace(same[1], limits={"warning": 0.5}))
    (chart,) = filesystems.show(Facts(other, lines), ENGLISH).charts
    assert chart.limits == ()
    assert chart.description == "/a: 50%, /b: 40%"


def test_the_summary_names_the_fullest_and_the_first_to_be_full() -> None:
    slow, fast = filesystem(0.7, mountpoint="/a", days=90.0), filesystem(0.6, mountpoint="/b", days=20.0)
    assert filesystems.show(Facts((slow, fast)), ENGLISH).summary == (
        "/a is the fullest: 70%; at its pace /b is full in 20 days"
    )
    gone = filesystem(mountpoint="/c", usage=Compared(None, None, None), size=None, available=None, fault="missing")
    assert filesystems.show(Facts((gone, slow)), ENGLISH).summary.startswith("1 does not work; /a is the fullest: 70%")


@pytest.mark.parametrize(("full", "rest"), [(5, []), (6, ["more-filesystems-need-attention"])])
def test_beyond_five_one_thing_is_advised_for_the_rest(full: int, rest: list[str]) -> None:
    given = tuple(filesystem(0.85, mountpoint=f"/srv/{number}") for number in range(full))
    assert [action.rule for action in filesystems.advise(Facts(given), ENGLISH)][5:] == rest
