"""When nothing will be left: the pace of the usual day, whatever a single one did."""

from __future__ import annotations

import pytest

from mailserver_exporter.report.pace import days_left, per_day

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
