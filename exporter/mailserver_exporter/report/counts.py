"""How often something happened: whole numbers from counters, with the day and the week before.

PromQL's increase() extrapolates to the ends of its range: of 3 messages it makes 3.0004, and of one that came as the
first of its kind none. Here the counters are read every five minutes and their steps added up:

- a number is what the counter was when the period ended minus what it was when it began;
- after a reset the counter began at 0; how far it had come until then is asked for, to a scrape;
- a series that appears while others of the same program are known (an SMTP status that was never seen before) began at
  0, too; what appears together with all others begins with what it says first;
- what was counted while nobody asked is of the day in which it was learned of, so each is counted once.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mailserver_exporter.report.period import Period
from mailserver_exporter.report.prometheus import DAY, WEEK, Compared, Prometheus, Series

_STEP = 300.0
_HOUR = 3600.0
# From this length on a chart has a bar a day, and counters are read every hour.
_LONG = 2 * DAY
# How much of an earlier period may be missing at its start where it is compared with.
_MISSING = 0.1
# So many resets are looked at closely.
_RESETS = 5

Labels = Mapping[str, str]
Key = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Gain:
    """So many more between two readings."""

    begin: float
    end: float
    number: float


@dataclass(frozen=True)
class Counter:
    """One series in one period; its ``labels`` hold the name of its metric as ``metric``."""

    labels: Labels
    gains: tuple[Gain, ...]

    @property
    def number(self) -> float:
        """How many there were."""
        return sum(gain.number for gain in self.gains)


@dataclass(frozen=True)
class Counted:
    """All counters of one period; ``since`` says from when on each program is known, ``readings`` when it was."""

    period: Period
    counters: tuple[Counter, ...] = ()
    since: Mapping[str, float] = field(default_factory=dict)
    readings: Mapping[str, Collection[float]] = field(default_factory=dict)

    def matching(self, metric: str, /, **labels: Collection[str]) -> Iterator[Counter]:
        """Yield the counters of a metric with these values of labels."""
        for counter in self.counters:
            if counter.labels["metric"] == metric and all(
                _holds(counter.labels.get(name, ""), wanted) for name, wanted in labels.items()
            ):
                yield counter

    def number(self, metric: str, /, **labels: Collection[str]) -> float | None:
        """Return how many there were, None where its program was not watched."""
        if program(metric) not in self.since:
            return None
        return sum(counter.number for counter in self.matching(metric, **labels))

    def knows_most(self, metric: str) -> bool:
        """Say whether so much of the period is known that another can be compared with it."""
        since = self.since.get(program(metric), math.inf)
        return since - self.period.start.timestamp() <= _MISSING * self.period.seconds

    def per_bar(self, *metrics: str, **labels: Collection[str]) -> list[tuple[float, float]]:
        """Return (end, number) of each hour, or of each day of a long period; all metrics are of one program.

        NaN is an hour in which nothing was read. What was learned of only hours later is in none.
        """
        start, length = self.period.start.timestamp(), bar(self.period)
        bars = max(1, math.ceil(self.period.seconds / length - 1e-6))
        numbers = [math.nan] * bars

        def place(moment: float) -> int:
            return min(bars - 1, max(0, math.ceil((moment - start) / length - 1e-6) - 1))

        for moment in self.readings.get(program(metrics[0]), ()):
            if moment > start:
                numbers[place(moment)] = 0.0
        for gain in (each for name in metrics for counter in self.matching(name, **labels) for each in counter.gains):
            if gain.end - gain.begin <= length:
                numbers[place(gain.end)] += gain.number
        return [(start + (index + 1) * length, number) for index, number in enumerate(numbers)]


@dataclass(frozen=True)
class Counts:
    """What was counted in the period of the report, the day before and the week before."""

    now: Counted
    day_before: Counted
    week_before: Counted

    @classmethod
    def none(cls, period: Period) -> Counts:
        """Return what is known where nothing was counted."""
        return cls(*(Counted(period.earlier(earlier)) for earlier in (0.0, DAY, WEEK)))

    def __bool__(self) -> bool:
        """Say whether anything is known of the period."""
        return bool(self.now.since)

    def watches(self, metric: str) -> bool:
        """Say whether the program of the metric was watched in the period."""
        return program(metric) in self.now.since

    def of(self, metric: str, /, **labels: Collection[str]) -> Compared:
        """Return how many there were; an earlier period of which much is missing is not compared with."""
        before = (
            each.number(metric, **labels) if each.knows_most(metric) else None
            for each in (self.day_before, self.week_before)
        )
        return Compared(self.now.number(metric, **labels), *before)

    def by(self, label: str, metric: str, /, **labels: Collection[str]) -> dict[str, Compared]:
        """Return how many there were by the value of a label, of all values of these three periods."""
        periods = (self.now, self.day_before, self.week_before)
        found = {counter.labels.get(label, "") for each in periods for counter in each.matching(metric, **labels)}
        return {value: self.of(metric, **{**labels, label: value}) for value in sorted(found)}


def total(*numbers: Compared) -> Compared:
    """Return the sum; what is None adds nothing, and the sum of nothing but None is None."""
    return Compared(
        *(
            sum(known) if (known := [number for number in column if number is not None]) else None
            for column in zip(*((each.now, each.day_before, each.week_before) for each in numbers), strict=True)
        )
    )


def count(prometheus: Prometheus, metrics: Sequence[str], labels: Sequence[str] = ()) -> Counts:
    """Return what these counters counted by these labels, in one query a period. Raises PrometheusError."""
    kept = ", ".join(("metric", *labels))
    selector = f'{{__name__=~"{"|".join(metrics)}", $host}}'
    query = f'sum by ({kept}) (label_replace(%s, "metric", "$1", "__name__", "(.+)"))'
    periods = []
    for earlier in (0.0, DAY, WEEK):
        period = prometheus.period.earlier(earlier)
        found = prometheus.matrix(query % selector, step(period), earlier)
        start = period.start.timestamp()
        known: dict[Key, float] = {}
        if any(not series.points or series.points[0][0] > start + 1 for series in found):
            # Only where something is missing at the start: it reads a whole day.
            for sample in prometheus.vector(query % f"last_over_time({selector}[1d])", start):
                known[_key(sample.labels)] = sample.value
        peak = f"max_over_time(({query % selector})[{step(period) * 1000 - 1:.0f}ms:5s])"
        peaks = {
            moment: {_key(each.labels): each.value for each in prometheus.vector(peak, moment)}
            for moment in _resets(found)
        }
        periods.append(counted(found, period, known, peaks))
    return Counts(*periods)


def _resets(found: Sequence[Series]) -> list[float]:
    """Return at which readings counters had begun anew, the first ones where there are many."""
    moments = {
        at for series in found for (_, before), (at, value) in itertools.pairwise(series.points) if value < before
    }
    return sorted(moments)[:_RESETS]


def step(period: Period) -> float:
    """Return the seconds between two readings: about five minutes, about an hour in a long period."""
    wanted = _STEP if period.seconds <= _LONG else _HOUR
    readings = max(1, round(period.seconds / wanted))
    # Rounded down to what the API takes, so that the last one is at the period's end.
    return max(0.001, math.floor(period.seconds / readings * 1000) / 1000)


def counted(
    found: Sequence[Series],
    period: Period,
    known: Mapping[Key, float] | None = None,
    peaks: Mapping[float, Mapping[Key, float]] | None = None,
) -> Counted:
    """Return what the readings of a period tell.

    ``known`` is what some said last before it, ``peaks`` how far some had come before the reset that a reading shows.
    """
    known, peaks = known or {}, peaks or {}
    start = period.start.timestamp()
    since: dict[str, float] = {}
    readings: dict[str, set[float]] = {}
    for series in found:
        begin = start if _key(series.labels) in known else series.points[0][0]
        name = program(series.labels["metric"])
        since[name] = min(since.get(name, math.inf), begin)
        readings.setdefault(name, set()).update(moment for moment, _ in series.points)
    counters = []
    for series in found:
        key = _key(series.labels)
        own = {moment: values[key] for moment, values in peaks.items() if key in values}
        counters.append(Counter(series.labels, tuple(_gains(series, start, since, known.get(key), own))))
    return Counted(period, tuple(counters), since, readings)


def _gains(
    series: Series, start: float, since: Mapping[str, float], before: float | None, peaks: Mapping[float, float]
) -> Iterator[Gain]:
    points = list(series.points)
    at, value = points[0]
    if before is not None:
        at, value = start, before
    elif at > since[program(series.labels["metric"])]:
        # Where its program was known already, it began in between.
        at, value = max(start, at - _STEP), 0.0
    for moment, reading in points:
        gain = reading - value
        if gain < 0:
            gain = reading + max(0.0, peaks.get(moment, value) - value)
        if gain > 0:
            yield Gain(at, moment, gain)
        at, value = moment, reading


def bar(period: Period) -> float:
    """Return the seconds of one bar of a chart."""
    return _HOUR if period.seconds <= _LONG else DAY


def program(metric: str) -> str:
    """Return which program a metric is of: what is counted of one appears and vanishes together."""
    words = metric.removeprefix("mailserver_").split("_")
    return "_".join(words[:2]) if words[0] == "mailcow" else words[0]


def _holds(value: str, wanted: Collection[str]) -> bool:
    return value == wanted if isinstance(wanted, str) else value in wanted


def _key(labels: Labels) -> Key:
    return tuple(sorted(labels.items()))
