"""The course of one value over the period: points of some minutes each, and how long it was beyond a limit."""

from __future__ import annotations

from mailserver_exporter.report.gauges import Limits
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.model import Line
from mailserver_exporter.report.period import Period
from mailserver_exporter.report.prometheus import DAY, Prometheus

Points = tuple[tuple[float, float], ...]

_POINTS = 288
_SHORTEST = 60.0
_SEVERITIES = ("warning", "critical", "info")


def step(period: Period, points: int = _POINTS) -> float:
    """Return the seconds of one point: 5 minutes of a day, and never less than several scrapes."""
    return max(_SHORTEST, period.seconds / points)


def ask(prometheus: Prometheus, query: str, earlier: float = 0.0) -> Points:
    """Return the points of a query with one series; ``$step`` in it is the time of one point.

    Raises PrometheusError.
    """
    length = step(prometheus.period)
    # A millisecond short, see prometheus.py.
    series = prometheus.matrix(query.replace("$step", f"{length * 1000 - 1:.0f}ms"), length, earlier)
    start = prometheus.period.start.timestamp() - earlier
    # A point tells of the time before it: the first one of the time before the period.
    return tuple(point for point in series[0].points if point[0] > start + 1) if series else ()


def lines(label: str, now: Points, before: Points, say: Language) -> tuple[Line, ...]:
    """Return the lines of a chart: this day's, and faintly the day before."""
    shifted = tuple((at + DAY, value) for at, value in before)
    faint = (Line(say("day before"), shifted, faint=True),) if shifted else ()
    return (Line(label, now), *faint)


def bound(limits: Limits) -> float | None:
    """Return the limit from which on something is to be done, or else noticed; None without any."""
    return next((limits[severity] for severity in _SEVERITIES if severity in limits), None)  # type: ignore[index]


def seconds_beyond(points: Points, limits: Limits, length: float) -> float:
    """Return for how long the value was above that limit, to the length of a point."""
    limit = bound(limits)
    return sum(value > limit for _, value in points) * length if limit is not None else 0.0
