"""The axes of a chart: which values and which times are named, and how."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from mailserver_exporter.report.language import Language
from mailserver_exporter.report.period import Period

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
_CLOCK = (*(_MINUTE * part for part in (1, 2, 5, 10, 15, 30)), *(_HOUR * part for part in (1, 2, 3, 6, 12)))
_SPACE = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Scale:
    """A value axis from ``low`` to ``high``, with (value, text) where it is named."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]


def scale(unit: str, lowest: float, highest: float, *, whole: bool, say: Language, most: int = 5) -> Scale:
    """Return the axis that shows these values and zero in at most ``most`` steps; ``whole`` values get whole steps."""
    low, high = min(0.0, lowest), max(0.0, highest)
    if low == high:
        high = 1.0
    step = next(step for step in _steps(unit, (high - low) / most) if not whole or step >= 1)
    while (spanned := _spanned(low, high, step))[1] - spanned[0] > most:
        step = next(_steps(unit, step * 1.01))
    first, last = spanned
    values = [number * step for number in range(first, last + 1)]
    top = max(abs(values[0]), abs(values[-1]))
    return Scale(values[0], values[-1], tuple((value, _named(value, unit, step, top, say)) for value in values))


def _spanned(low: float, high: float, step: float) -> tuple[int, int]:
    # What is left of a float's last digit is no reason for one step more.
    return math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)


def _steps(unit: str, least: float) -> Iterator[float]:
    """Yield round steps that are not smaller than ``least``, which is above zero, from the smallest."""
    if unit == "seconds" and 1 < least <= _DAY:
        yield from (step for step in (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, *_CLOCK, _DAY) if step >= least)
    # Days go on by tens, bytes by powers of two.
    part = _DAY if unit == "seconds" and least > 1 else 1.0
    if unit == "bytes":
        yield from (2.0**power for power in range(max(0, math.ceil(math.log2(least))), 1023))
        return
    power = math.floor(math.log10(least / part))
    fair = (10.0**exponent * leading * part for exponent in range(power, 308) for leading in (1, 2, 5))
    yield from (step for step in fair if step >= least * (1 - 1e-9))


def _named(value: float, unit: str, step: float, top: float, say: Language) -> str:
    if unit == "ratio":
        return say.percent(value, _digits(step * 100))
    if unit == "bytes":
        size = min(max(0, math.floor(math.log2(top) / 10)), len(_UNITS) - 1)
        return f"{say.number(value / 1024**size, _digits(step / 1024**size))}{_SPACE}{_UNITS[size]}"
    if unit == "seconds" and step >= 1:
        return say.duration(value)
    text = say.number(value, _digits(step))
    return f"{text}{_SPACE}s" if unit == "seconds" else text


def amount(value: float, unit: str, say: Language) -> str:
    """Return a single value in words."""
    if unit == "ratio":
        return say.percent(value)
    if unit == "bytes":
        return say.bytes(value)
    return say.duration(value) if unit == "seconds" else say.number(value, 0 if value == int(value) else 1)


def _digits(step: float) -> int:
    """Return how many decimals a step of this size has, at most three."""
    return next((digits for digits in range(3) if math.isclose(step * 10**digits % 1, 0, abs_tol=1e-6)), 3)


def times(period: Period, most: int, say: Language) -> list[tuple[float, str]]:
    """Return at most ``most`` (epoch, text) on round hours or days of the period's zone; midnight tells its date."""
    start, end = period.start.timestamp(), period.end.timestamp()
    length = max(end - start, 1.0)
    for step in _CLOCK:
        if length / step <= most:
            ticks = [moment for moment in _clock(period, step) if start <= moment.timestamp() <= end]
            if len(ticks) <= most:
                return [(at.timestamp(), f"{at:%H:%M}" if at.hour or at.minute else say.day(at)) for at in ticks]
    days = next((days for days in (1, 2, 7, 14) if length / days / _DAY < most), math.ceil(length / _DAY / most))
    return [(at.timestamp(), say.day(at)) for at in _days(period, days)][:most]


def _clock(period: Period, step: float) -> Iterator[datetime]:
    """Yield what a clock shows as multiples of ``step``: some hours twice or never when the clock is put."""
    for midnight in _midnights(period):
        for part in range(int(_DAY / step)):
            shown = midnight.replace(tzinfo=None) + timedelta(seconds=part * step)
            found = {shown.replace(tzinfo=period.zone, fold=fold).timestamp() for fold in (0, 1)}
            for epoch in sorted(found):
                moment = datetime.fromtimestamp(epoch, period.zone)
                if moment.replace(tzinfo=None, fold=0) == shown:
                    yield moment


def _days(period: Period, days: int) -> Iterator[datetime]:
    for midnight in _midnights(period):
        # Counted from a Monday, so that weeks begin with one.
        if period.start <= midnight <= period.end and (midnight.toordinal() - 1) % days == 0:
            yield midnight


def _midnights(period: Period) -> Iterator[datetime]:
    day = period.start.astimezone(period.zone).date()
    while day <= period.end.date():
        yield datetime.combine(day, time(), period.zone)
        day += timedelta(days=1)
