"""Backups in the report: the worst of each told once, copies and rehearsals of all together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailserver_exporter.report.sections import backups
from mailserver_exporter.report.sections.backups import Backup, Facts
from tests.support.report_counts import ENGLISH

HOUR, DAY = 3600.0, 86400.0
GOOD = Backup(
    name="data",
    present=True,
    kept=30,
    age=20 * HOUR,
    size=4.8e6,
    usual_size=4.8e6,
    copy_age=20 * HOUR,
    rehearsal_age=40 * DAY,
    readable=True,
    missing_parts=(),
    failed=False,
    age_limits={"warning": 26 * HOUR, "critical": 50 * HOUR},
    size_limits={"warning": 0.5},
    copy_limits={"warning": 50 * HOUR},
    rehearsal_limits={"info": 180 * DAY},
)


def rules(*found: Backup) -> list[tuple[str, str]]:
    return [(action.rule, action.severity) for action in backups.advise(Facts(found), ENGLISH)]


def test_a_good_backup_needs_nothing() -> None:
    section = backups.show(Facts((GOOD,)), ENGLISH)
    assert (section.state, section.summary) == ("good", "1 backup is good, the oldest was made 20\xa0h ago")
    assert [cell.text for cell in section.tables[0].rows[0]] == [
        *("data", "20\xa0h", "4.6\xa0MiB", "100%", "30", "20\xa0h ago", "40\xa0d ago", "good")
    ]
    assert rules(GOOD) == []


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (26, []),
        (26.1, [("backup-old", "warning")]),
        (50, [("backup-old", "warning")]),
        (50.1, [("backup-old", "critical")]),
    ],
)
def test_a_backup_that_only_grows_old_is_to_be_looked_at(hours: float, expected: list[tuple[str, str]]) -> None:
    assert rules(replace(GOOD, age=hours * HOUR)) == expected


@pytest.mark.parametrize(("size", "expected"), [(2.4e6, []), (2.3e6, [("backup-small", "warning")])])
def test_a_backup_that_is_half_as_large_lacks_something(size: float, expected: list[tuple[str, str]]) -> None:
    assert rules(replace(GOOD, size=size)) == expected


@pytest.mark.parametrize(
    ("rule", "backup"),
    [
        ("backup-missing", replace(GOOD, present=False, age=None, size=None)),
        ("backup-unreadable", replace(GOOD, readable=False)),
        ("backup-failed", replace(GOOD, failed=True)),
        ("backup-incomplete", replace(GOOD, missing_parts=("mysql.sql.gz",))),
    ],
)
def test_what_is_wrong_is_told(rule: str, backup: Backup) -> None:
    assert rules(backup) == [(rule, "warning")]
    section = backups.show(Facts((backup,)), ENGLISH)
    assert section.state == "warning"
    assert section.summary.startswith("data: ")


def test_what_follows_from_another_is_not_told_again() -> None:
    failed = replace(GOOD, failed=True, age=60 * HOUR, copy_age=60 * HOUR, size=1.0, missing_parts=("mail",))
    assert rules(failed) == [("backup-failed", "critical")]
    assert rules(replace(GOOD, age=60 * HOUR, copy_age=60 * HOUR)) == [("backup-old", "critical")]


@pytest.mark.parametrize(
    ("age", "expected"),
    [(50 * HOUR, []), (50 * HOUR + 1, [("backup-copy-old", "warning")]), (None, [("backup-copy-old", "warning")])],
)
def test_a_copy_that_is_missing_or_old_is_to_be_made(age: float | None, expected: list[tuple[str, str]]) -> None:
    assert rules(replace(GOOD, copy_age=age)) == expected


def test_where_no_copy_was_ever_expected_one_is_recommended() -> None:
    alone = replace(GOOD, copy_age=None, copy_limits={})
    assert rules(alone, replace(alone, name="configs")) == [("backup-without-copy", "info")]
    assert rules(alone, GOOD) == []


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (180 * DAY, []),
        (180 * DAY + 1, [("restore-not-rehearsed", "info")]),
        (None, [("restore-not-rehearsed", "info")]),
    ],
)
def test_a_restore_is_to_be_rehearsed_now_and_then(age: float | None, expected: list[tuple[str, str]]) -> None:
    assert rules(replace(GOOD, rehearsal_age=age)) == expected
    assert backups.show(Facts((replace(GOOD, rehearsal_age=age),)), ENGLISH).state == "good"


def test_many_sets_have_one_action_for_all_copies_and_the_bad_ones_come_first() -> None:
    many = [replace(GOOD, name=f"set{number:02}", copy_age=None) for number in range(20)]
    many[19] = replace(many[19], readable=False)
    assert rules(*many) == [("backup-unreadable", "warning"), ("backup-copy-old", "warning")]
    table = backups.show(Facts(tuple(many)), ENGLISH).tables[0]
    assert table.rows[0][0].text == "set19"
    assert (len(table.rows), table.left_out) == (15, "5 others")
