"""How often something happened: whole numbers from what counters said at some times."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone

import pytest

from mailserver_exporter.report.counts import Counted, counted, program, step, total
from mailserver_exporter.report.period import Period
from mailserver_exporter.report.prometheus import Compared, Series

PERIOD = Period.before(datetime(2026, 11, 18, 1, tzinfo=timezone.utc))
START = PERIOD.start.timestamp()
SENT = {"metric": "postfix_sent_total"}
KEY = tuple(SENT.items())


def series(*readings: float, begin: float = 0, **labels: str) -> Series:
    """Return a counter read every five minutes from ``begin`` seconds after the period's start."""
    points = tuple((START + begin + 300 * place, value) for place, value in enumerate(readings))
    return Series({**SENT, **labels}, points)


def number(found: Counted, **labels: str) -> float | None:
    return found.number(SENT["metric"], **labels)


def test_the_number_is_what_a_counter_rose_by() -> None:
    assert number(counted([series(100, 100, 103, 110)], PERIOD)) == 10


def test_after_a_reset_it_began_at_zero() -> None:
    assert number(counted([series(100, 105, 2, 4)], PERIOD)) == 5 + 2 + 2


def test_what_it_had_reached_before_the_reset_counts() -> None:
    assert number(counted([series(100, 105, 2, 4)], PERIOD, peaks={START + 600: {KEY: 108}})) == 5 + 3 + 2 + 2


def test_a_peak_below_the_reading_before_is_no_loss() -> None:
    assert number(counted([series(100, 105, 2, 4)], PERIOD, peaks={START + 600: {KEY: 2}})) == 5 + 2 + 2


def test_the_last_reading_before_the_period_is_where_it_starts_from() -> None:
    assert number(counted([series(130, 131, begin=7200)], PERIOD, {KEY: 100})) == 31


def test_what_appears_later_than_others_of_its_program_began_at_zero() -> None:
    found = counted([series(50, 50, 50, dsn="5.1.1"), series(1, 3, begin=300, dsn="5.2.2")], PERIOD)
    assert number(found) == 3
    assert number(found, dsn="5.2.2") == 3


def test_what_appears_with_all_of_its_program_begins_with_what_it_says() -> None:
    other = Series({"metric": "mailserver_sshd_logins_total"}, ((START, 3.0), (START + 86400, 4.0)))
    found = counted([series(5_000_000, 5_000_001, begin=7200), other], PERIOD)
    assert number(found) == 1
    assert found.since == {"postfix": START + 7200, "sshd": START}


def test_a_counter_that_never_moves_is_zero_and_one_that_is_not_watched_is_none() -> None:
    found = counted([series(7, 7)], PERIOD)
    assert number(found) == 0
    assert number(found, dsn="5.1.1") == 0
    assert found.number("mailserver_sshd_logins_total") is None


@pytest.mark.parametrize(("begin", "most"), [(0, True), (8640, True), (8700, False)])
def test_a_period_is_compared_with_if_a_tenth_of_it_at_most_is_missing(begin: float, most: bool) -> None:
    assert counted([series(1, begin=begin)], PERIOD).knows_most(SENT["metric"]) is most


def test_each_hour_has_what_was_learned_of_in_it() -> None:
    bars = counted([series(*range(100, 389))], PERIOD).per_bar(SENT["metric"])
    assert [end - START for end, _ in bars] == [3600 * hour for hour in range(1, 25)]
    assert [value for _, value in bars] == [12] * 24


def test_an_hour_without_a_reading_is_a_gap_and_what_it_held_in_no_bar() -> None:
    begun, gone_on = series(0, 4, 5), series(90, 91, begin=3 * 3600 + 300)
    found = counted([Series(SENT, begun.points + gone_on.points)], PERIOD)
    values = [value for _, value in found.per_bar(SENT["metric"])]
    assert values[0] == 5
    assert math.isnan(values[1])
    assert math.isnan(values[2])
    assert values[3] == 1
    assert number(found) == 91


def test_a_long_period_has_a_bar_a_day_and_a_reading_an_hour() -> None:
    week = Period.before(PERIOD.end, timedelta(days=7))
    begin = week.start.timestamp()
    points = tuple((begin + 3600 * hour, float(hour)) for hour in range(169))
    bars = counted([Series(SENT, points)], week).per_bar(SENT["metric"])
    assert [value for _, value in bars] == [24] * 7
    assert step(week) == 3600


@pytest.mark.parametrize("seconds", [60, 301, 3601, 86400, 82800, 90000, 2678400 + 7])
def test_the_last_reading_is_at_the_end_whatever_the_length(seconds: int) -> None:
    period = Period.before(PERIOD.end, timedelta(seconds=seconds))
    readings = round(period.seconds / step(period))
    assert 0 <= period.seconds - readings * step(period) < 1


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        ("mailserver_postfix_deliveries_total", "postfix"),
        ("postfix_smtpd_connects_total", "postfix"),
        ("mailserver_mailcow_ui_login_failures_total", "mailcow_ui"),
        ("f2b_jail_failed_total", "f2b"),
    ],
)
def test_metrics_of_one_program_are_known_together(metric: str, name: str) -> None:
    assert program(metric) == name


def test_a_sum_leaves_out_what_is_not_known() -> None:
    assert total(Compared(1, None, None), Compared(2, 3, None)) == Compared(3, 3, None)
