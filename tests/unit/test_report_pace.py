"""When nothing will be left: the pace of the usual day, whatever a single one did."""

from __future__ import annotations

import pytest

from mailserver_exporter.report.pace import days_left, per_day, taken, today_per_day

DAY = 86400.0


def days(*left: float) -> list[tuple[float, float]]:
    """Return what was left on days that follow each other."""
    return [(number * DAY, value) for number, value in enumerate(left)]


def test_steady_growth_is_its_own_pace() -> None:
    assert per_day(days(100, 98, 96, 94, 92, 90, 88, 86)) == 2


def test_one_large_file_is_no_pace() -> None:
    assert per_day(days(100, 100, 100, 60, 60, 60, 60, 60)) == 0


def test_a_great_cleaning_does_not_hide_the_growth() -> None:
    assert per_day(days(50, 49, 48, 98, 97, 96, 95, 94)) == 1


def test_what_shrinks_has_a_negative_pace() -> None:
    assert per_day(days(10, 12, 14, 16)) == -2


def test_days_that_were_not_measured_are_spread() -> None:
    assert per_day([(0, 100), (DAY, 98), (4 * DAY, 92), (5 * DAY, 90)]) == 2


@pytest.mark.parametrize("left", [days(), days(5), days(5, 4), days(5, 4, 3)])
def test_less_than_three_losses_are_no_pace(left: list[tuple[float, float]]) -> None:
    assert per_day(left) is None


@pytest.mark.parametrize(
    ("left", "pace", "expected"),
    [(90, 10, 9), (0, 10, 0), (-1, 10, 0), (90, 0, None), (90, -1, None), (90, None, None), (None, 10, None)],
)
def test_how_long_it_lasts(left: float | None, pace: float | None, expected: float | None) -> None:
    assert days_left(left, pace) == expected


def hours(*left: float) -> list[tuple[float, float]]:
    """Return what was left every three hours."""
    return [(number * DAY / 8, value) for number, value in enumerate(left)]


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        ((100, 98, 96, 94, 92, 90, 88, 86, 84), 16),
        # One large file; a backup that is made at night and moved away; what is written in the mornings and rotated.
        ((100, 100, 100, 100, 40, 40, 40, 40, 40), 0),
        ((100, 80, 60, 100, 100, 100, 100, 100, 100), 0),
        ((100, 90, 80, 70, 100, 100, 100, 100, 100), 0),
        ((100, 98, 96, 94, 92, 90), None),
    ],
    ids=["sustained", "one file", "a staged backup", "a morning", "too short"],
)
def test_a_day_has_a_pace_of_its_own_where_most_of_it_had_it(left: tuple[float, ...], expected: float | None) -> None:
    assert today_per_day(hours(*left)) == expected


@pytest.mark.parametrize(
    ("usual", "today", "left", "expected"),
    [
        (1, 46, 12, 46),
        (None, 46, 12, 46),
        (-3, 46, 12, 46),
        # Not far faster; far faster, but there is room for long; slower; not known.
        (1, 2, 12, 1),
        (1, 3, 90, 1),
        (5, 1, 12, 5),
        (1, None, 12, 1),
        (None, None, 12, None),
        (1, 46, None, 1),
    ],
)
def test_the_day_counts_where_it_is_far_faster_and_little_time_is_left(
    usual: float | None, today: float | None, left: float | None, expected: float | None
) -> None:
    assert taken(usual, today, left) == expected
