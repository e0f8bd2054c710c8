"""Counts of a report's period as if Prometheus had told them, for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone

from mailserver_exporter.report.counts import Counted, Counter, Counts, Gain, program
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.period import Period
from mailserver_exporter.report.prometheus import DAY, WEEK

PERIOD = Period.before(datetime(2026, 11, 18, 1, tzinfo=timezone.utc))
END = PERIOD.end.timestamp()
ENGLISH, GERMAN = Language("en", timezone.utc), Language("de", timezone.utc)

Row = tuple[str, dict[str, str], tuple[float | None, float | None, float | None]]


def of(metric: str, now: float | None, day: float | None = None, week: float | None = None, /, **labels: str) -> Row:
    """Return one counter, how often it counted in the period, the day and the week before; None was not watched."""
    return metric, {name.rstrip("_"): value for name, value in labels.items()}, (now, day, week)


def counts(*rows: Row) -> Counts:
    """Return these counters."""
    return Counts(*(_counted(rows, column, earlier) for column, earlier in enumerate((0.0, DAY, WEEK))))


def _counted(rows: Iterable[Row], column: int, earlier: float) -> Counted:
    period = PERIOD.earlier(earlier)
    start, end = period.start.timestamp(), period.end.timestamp()
    found, since = [], {}
    for metric, labels, numbers in rows:
        number = numbers[column]
        if number is not None:
            found.append(Counter({"metric": metric, **labels}, (Gain(end - 300, end, number),)))
            since[program(metric)] = start
    return Counted(period, tuple(found), since, dict.fromkeys(since, (start, end)))
