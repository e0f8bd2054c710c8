"""When a report is due."""

from __future__ import annotations

import itertools
from datetime import datetime, time, timezone
from zoneinfo import ZoneInfo

import pytest

from mailserver_exporter.report.schedule import Done, Schedule, due

BERLIN = ZoneInfo("Europe/Berlin")
UTC = timezone.utc
HOUR, DAY = 3600.0, 86400.0


def at(text: str, zone: ZoneInfo | timezone = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def daily(clock: str = "02:00", zone: ZoneInfo | timezone = BERLIN) -> Schedule:
    return Schedule(time.fromisoformat(clock), zone, f"{clock} {zone}")


def run(schedule: Schedule, moments: list[float], done: Done | None = None) -> tuple[list[float], Done]:
    """Look at each of these times, as a process that makes each report that is due; return which it made."""
    done = done or Done()
    made = []
    for now in moments:
        moment, done = due(schedule, now, done)
        if moment is not None:
            made.append(moment)
            done = done.plus(schedule, moment)
    return made, done


def every(seconds: float, start: float, end: float) -> list[float]:
    return [start + number * seconds for number in range(int((end - start) / seconds) + 1)]


def test_the_first_start_makes_none_for_the_time_before_it() -> None:
    made, done = run(daily(), every(30, at("2026-11-22 14:00"), at("2026-11-23 01:59:59")))
    assert made == []
    assert run(daily(), [at("2026-11-23 02:00")], done)[0] == [at("2026-11-23 02:00")]


def test_there_is_one_a_day_however_often_it_is_looked() -> None:
    made, _ = run(daily(), every(300, at("2026-11-22 14:00"), at("2026-11-25 14:00")))
    assert made == [at(f"2026-11-{day} 02:00") for day in (23, 24, 25)]


def test_a_run_that_was_missed_is_made_late_and_once() -> None:
    _, done = run(daily(), [at("2026-11-22 14:00"), at("2026-11-23 02:00")])
    made, done = run(daily(), every(30, at("2026-11-24 11:00"), at("2026-11-24 12:00")), done)
    assert made == [at("2026-11-24 02:00")]


def test_of_several_that_were_missed_only_the_newest_is_made() -> None:
    _, done = run(daily(), [at("2026-11-01 14:00")])
    made, _ = run(daily(), every(30, at("2026-11-22 01:00"), at("2026-11-22 03:00")), done)
    assert made == [at("2026-11-21 02:00"), at("2026-11-22 02:00")]


@pytest.mark.parametrize(
    ("clock", "start", "days"),
    [
        ("02:30", "2026-03-27 12:00", 4),  # not on 29 March
        ("02:30", "2026-10-23 12:00", 4),  # twice on 25 October
        ("00:00", "2026-03-27 12:00", 4),
        ("23:59", "2026-10-23 12:00", 4),
    ],
)
def test_there_is_one_a_day_when_the_clocks_change(clock: str, start: str, days: int) -> None:
    begin = at(start)
    made, _ = run(daily(clock), every(60, begin, begin + days * DAY + HOUR))
    assert len(made) == days
    assert len({datetime.fromtimestamp(moment, BERLIN).date() for moment in made}) == days
    assert all(later - earlier >= 23 * HOUR for earlier, later in itertools.pairwise(made))


def test_a_time_that_does_not_exist_is_as_much_later_as_the_clocks_go_forward() -> None:
    assert daily("02:30").next(at("2026-03-29 00:00")) == at("2026-03-29 03:30")


def test_a_time_that_exists_twice_is_the_first_one() -> None:
    moment = daily("02:30").next(at("2026-10-25 00:00"))
    assert datetime.fromtimestamp(moment, BERLIN).isoformat() == "2026-10-25T02:30:00+02:00"
    assert daily("02:30").next(moment) == at("2026-10-26 02:30")


def test_a_day_that_a_zone_leaves_out_has_none() -> None:
    """Samoa went from 29 to 31 December 2011: where the same happens again, nothing is made twice."""
    apia = ZoneInfo("Pacific/Apia")
    begin = datetime(2011, 12, 28, 12, tzinfo=apia).timestamp()
    schedule = daily("02:00", apia)
    times = {schedule.next(moment) for moment in every(600, begin, begin + 4 * DAY)}
    assert all(later - earlier >= 23 * HOUR for earlier, later in itertools.pairwise(sorted(times)))


@pytest.mark.parametrize("wrong", [0.0, 100 * DAY, 4_294_967_295.0, -5.0])
def test_a_clock_that_was_not_set_makes_nothing_and_changes_nothing(wrong: float) -> None:
    _, done = run(daily(), [at("2026-11-22 14:00")])
    assert due(daily(), wrong, done) == (None, done)
    assert due(daily(), wrong, Done()) == (None, Done())
    assert run(daily(), [wrong, at("2026-11-23 02:00:30")], done)[0] == [at("2026-11-23 02:00")]


def test_a_clock_in_the_far_future_makes_one_and_no_day_goes_without_afterwards() -> None:
    _, done = run(daily(), [at("2026-11-22 14:00"), at("2026-11-23 02:00")])
    made, done = run(daily(), every(30, at("2038-01-19 03:00"), at("2038-01-19 03:20")), done)
    assert len(made) == 1
    made, _ = run(daily(), every(300, at("2026-11-23 12:00"), at("2026-11-26 12:00")), done)
    assert made == [at(f"2026-11-{day} 02:00") for day in (24, 25, 26)]


def test_a_first_start_in_the_far_future_is_forgotten() -> None:
    _, done = run(daily(), [at("2038-01-19 03:00")])
    made, _ = run(daily(), every(300, at("2026-11-23 12:00"), at("2026-11-24 12:00")), done)
    assert made == [at("2026-11-24 02:00")]


def test_a_clock_that_goes_back_over_the_time_makes_no_second_one() -> None:
    _, done = run(daily(), [at("2026-11-22 14:00"), at("2026-11-23 02:00:30")])
    assert run(daily(), every(30, at("2026-11-23 01:30"), at("2026-11-23 03:00")), done)[0] == []


def test_a_clock_that_jumps_to_and_fro_makes_no_flood() -> None:
    _, done = run(daily(), [at("2026-11-22 14:00")])
    there_and_back = [at("2026-11-22 15:00"), at("2026-11-24 15:00"), at("2026-11-20 15:00")] * 1000
    made, _ = run(daily(), there_and_back, done)
    assert len(made) == 1


def test_another_time_that_has_passed_today_makes_no_second_one() -> None:
    _, done = run(daily("02:00"), [at("2026-11-22 14:00"), at("2026-11-23 02:00")])
    made, done = run(daily("08:00"), every(60, at("2026-11-23 10:00"), at("2026-11-24 09:00")), done)
    assert made == [at("2026-11-24 08:00")]


def test_another_time_that_is_still_to_come_today_is_kept() -> None:
    """Who wants to see it work sets it to the next minute."""
    _, done = run(daily("02:00"), [at("2026-11-22 14:00"), at("2026-11-23 02:00")])
    made, _ = run(daily("10:02"), every(30, at("2026-11-23 10:00"), at("2026-11-23 10:05")), done)
    assert made == [at("2026-11-23 10:02")]


def test_a_host_that_moves_to_another_zone_gets_no_second_one_that_day() -> None:
    _, done = run(daily("02:00"), [at("2026-11-22 14:00"), at("2026-11-23 02:00")])
    made, _ = run(daily("02:00", UTC), every(60, at("2026-11-23 10:00"), at("2026-11-24 02:30", UTC)), done)
    assert made == [at("2026-11-24 02:00", UTC)]


def test_another_time_does_not_excuse_a_day_without_one() -> None:
    _, done = run(daily("02:00"), [at("2026-11-22 14:00"), at("2026-11-23 02:00")])
    assert run(daily("08:00"), [at("2026-11-25 09:00")], done)[0] == [at("2026-11-25 08:00")]


def test_what_is_remembered_is_bounded() -> None:
    _, done = run(daily(), every(HOUR, at("2026-01-01 14:00"), at("2026-06-01 14:00")))
    assert len(done.times) <= 16
