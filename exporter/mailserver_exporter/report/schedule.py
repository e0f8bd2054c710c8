"""When a report is due: pure, by what the clock says and which ones are done.

There is one report for each day of the calendar, at the same time of day. Where that time does not exist, because the
clocks go forward, it is as much later as they do; where it exists twice, it is the first one (PEP 495).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, tzinfo

# What is older than this program, or far beyond it, is no time but a clock that was not set.
_EARLIEST, _LATEST = 1_735_689_600.0, 4_102_444_800.0
# With another schedule there is no second report for a day that has one.
_SAME_DAY = 20 * 3600.0
_KEPT = 16


@dataclass(frozen=True)
class Schedule:
    """Daily ``at`` a time of the zone; ``name`` is another one where that changes."""

    at: time
    zone: tzinfo
    name: str

    def newest(self, now: float) -> float:
        """Return the newest time that is not after ``now``, in seconds since the epoch as all times here."""
        return max(each for each in self._around(now) if each <= now)

    def next(self, now: float) -> float:
        """Return the next one after ``now``."""
        return min(each for each in self._around(now) if each > now)

    def _around(self, now: float) -> list[float]:
        today = datetime.fromtimestamp(now, self.zone).date()
        return [self._of(today + timedelta(days=days)) for days in range(-2, 3)]

    def _of(self, day: date) -> float:
        return datetime.combine(day, self.at, self.zone).timestamp()


@dataclass(frozen=True)
class Done:
    """The reports that are no longer due: those that were made, and those of before the first start.

    The last ones, in the order in which they were made, by the schedule of this name.
    """

    schedule: str = ""
    times: tuple[float, ...] = ()

    def plus(self, schedule: Schedule, moment: float) -> Done:
        """Return the same with one more."""
        return Done(schedule.name, tuple(dict.fromkeys((*self.times, moment)))[-_KEPT:])


def plausible(now: float) -> bool:
    """Say whether this can be what the time is; a machine without a clock begins in 1970."""
    return _EARLIEST <= now < _LATEST


def due(schedule: Schedule, now: float, done: Done) -> tuple[float | None, Done]:
    """Return the time of the report that is due, if one is, and what is done, which may have become more.

    Only the newest of several that were missed is due. None is that was to be made before the first start, or that
    only another schedule would have asked for today. What was made while the clock was in the future
    counts when that time has come, and not before: so no day but that one goes without.
    """
    if not plausible(now):
        return None, done
    newest = schedule.newest(now)
    known = [moment for moment in done.times if moment <= now]
    if not known:
        return None, done.plus(schedule, newest)
    if done.schedule != schedule.name:
        if newest - max(known) < _SAME_DAY:
            return None, done.plus(schedule, max(newest, *known))
        done = replace(done, schedule=schedule.name)
    return (newest if newest > max(known) else None), done
