"""How often and for how long things were down: from series that are 1 where something is up, else 0.

Only what was measured counts: the time in which nobody asked is neither up nor down.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailserver_exporter.report.period import Period
from mailserver_exporter.report.prometheus import Compared, Prometheus, Series, key

_UP = 'up{$host, job="mailserver-exporter"}'
_CELLS = 1440
_FINEST = 10
_SHORTEST_GAP = 90.0
# Of the worst it is told when; more are not told one by one anyway.
_TOLD = 20
_NAMED = 100

Key = tuple[str, ...]


@dataclass(frozen=True)
class Outage:
    """A time without interruption, in seconds since the epoch, and the seconds of it in which it was down."""

    begin: float
    end: float
    seconds: float


@dataclass(frozen=True)
class Availability:
    """How one thing was: ``ratio`` of the measured time, ``seconds`` down, how often it went down, longest and last."""

    now: bool | None
    ratio: Compared
    seconds: float
    interruptions: int
    outages: tuple[Outage, ...] = ()

    @property
    def longest(self) -> Outage | None:
        """The longest time that it was down, where that is known."""
        return max(self.outages, key=lambda outage: outage.seconds, default=None)


@dataclass(frozen=True)
class Measured:
    """When the exporter was asked: the share of the period, and from when to when it was not for more than a minute.

    ``since`` is when measuring began at all, where that was in the period; ``unanswered`` when it did not answer and
    ``silent_seconds`` for how long in all.
    """

    ratio: float | None = None
    gaps: tuple[tuple[float, float], ...] = ()
    since: float | None = None
    unanswered: tuple[Outage, ...] = ()
    silent_seconds: float = 0.0


def measured(prometheus: Prometheus) -> Measured:
    """Return when the exporter was asked. Raises PrometheusError."""
    period = prometheus.period
    start = period.start.timestamp()
    counts: dict[float, float] = {}
    for length in (max(60.0, period.seconds / _CELLS), max(300.0, period.seconds / _CELLS)):
        found = prometheus.matrix(f"sum(count_over_time({_UP}[{_range(length)}]))", length)
        # The first cell ends where the period begins.
        counts = {at: count for at, count in found[0].points if at > start + 0.5} if found else {}
        # Once a cell or less often is too seldom to tell a missing answer by.
        if not counts or statistics.median(counts.values()) > 1:
            break
    if not counts:
        return Measured()
    usual = statistics.median(counts.values())
    known = {round(at): min(1.0, count / usual) for at, count in counts.items()}
    ends = [start + (index + 1) * length for index in range(max(1, int(period.seconds / length + 1e-6)))]
    parts = [known.get(round(end), 0.0) for end in ends]
    gaps = _gaps(ends, parts, length)
    since = None
    if gaps and gaps[0][0] <= start and not prometheus.vector(f"last_over_time({_UP}[7d])", start):
        since = gaps.pop(0)[1]
    ratio = min(1.0, sum(parts) / len(ends))
    answered = ask(prometheus, _UP, (), ratio)
    return Measured(
        ratio, tuple(gaps), since, answered[()].outages if answered else (), answered[()].seconds if answered else 0.0
    )


def _gaps(ends: Sequence[float], parts: Sequence[float], length: float) -> list[tuple[float, float]]:
    """Return from when to when nothing was measured: empty cells, and as much of those around them as is missing."""
    around = {end: part for end, part in zip(ends, parts, strict=True) if 0 < part < 1}
    gaps = []
    for begin, end in _runs([end for end, part in zip(ends, parts, strict=True) if not part], length):
        before = (1 - around.get(begin, 1.0)) * length
        after = (1 - around.get(end + length, 1.0)) * length
        gaps.append((begin - before, end + after))
    return [gap for gap in gaps if gap[1] - gap[0] > _SHORTEST_GAP]


def ask(
    prometheus: Prometheus, selector: str, labels: Sequence[str], share: float | None = 1.0
) -> dict[Key, Availability]:
    """Return how everything that a selector finds was, by the values of these labels.

    ``share`` is that of the period in which the exporter was asked. Raises PrometheusError.
    """
    by = ", ".join(labels)

    def of(function: str, at: str = "") -> str:
        # What is there twice under these labels, as after an update, is up where one of them is.
        return f"max by ({by}) ({function}({selector}[$period]{at}))"

    ratios = prometheus.compared_by(of("avg_over_time"), *labels)
    known = {name: ratio for name, ratio in ratios.items() if ratio.now is not None}
    if not known:
        return {}
    now = _values(prometheus, f"max by ({by}) ({selector})", labels)
    hurt = sorted(
        (name for name, ratio in known.items() if (ratio.now or 0.0) < 1), key=lambda name: known[name].now or 0.0
    )
    down = _down(prometheus, selector, labels, hurt, share) if hurt else {}
    return {
        name: Availability(now[name] > 0 if name in now else None, ratio, *down.get(name, (0.0, 0, ())))
        for name, ratio in known.items()
    }


def _down(
    prometheus: Prometheus, selector: str, labels: Sequence[str], hurt: Sequence[Key], share: float | None
) -> dict[Key, tuple[float, int, tuple[Outage, ...]]]:
    """Return for how many seconds each of those was down that were, how often, and when, of the worst."""
    by, chosen = ", ".join(labels), _only(selector, labels, hurt)
    period = prometheus.period
    length = max(60.0, period.seconds / _CELLS)
    ratios = _values(prometheus, f"max by ({by}) (avg_over_time({chosen}[$period]))", labels)
    falls = _values(prometheus, f"max by ({by}) (resets({chosen}[$period]))", labels)
    first = _values(prometheus, f"max by ({by}) ({chosen})", labels, period.start.timestamp())
    # By time and not by samples, of which one series may have fewer than another.
    there = f"count_over_time(%s[$period:{length * 1000:.0f}ms])"
    counted = _values(prometheus, f"max by ({by}) ({there % chosen})", labels)
    asked = prometheus.value(f"max({there % _UP})")
    cells = f"max by ({by}) (avg_over_time({_only(selector, labels, hurt[:_TOLD])}[{_range(length)}:{_FINEST}s])) < 1"
    told = {key(series.labels, labels): _outages(series, length, period) for series in prometheus.matrix(cells, length)}
    result = {}
    for name in hurt:
        part = min(1.0, share * counted.get(name, 0.0) / asked) if share is not None and asked else 1.0
        # Of what was down when the period began, the fall was before.
        times = int(falls.get(name, 0.0)) + (first.get(name, 1.0) == 0)
        result[name] = ((1 - ratios.get(name, 1.0)) * part * period.seconds, max(1, times), told.get(name, ()))
    return result


def _only(selector: str, labels: Sequence[str], names: Sequence[Key]) -> str:
    """Return the selector for these series and few others, or as it is where there are too many to name them."""
    if len(names) > _NAMED:
        return selector
    matchers = [
        f'{label}=~"{"|".join(sorted({_quoted(name[index]) for name in names}))}"' for index, label in enumerate(labels)
    ]
    return selector.removesuffix("}") + ", " + ", ".join(matchers) + "}" if matchers else selector


def _quoted(text: str) -> str:
    """Return a text as a regular expression of RE2, within a string of PromQL."""
    return "".join(letter if letter.isascii() and letter.isalnum() else f"\\\\x{{{ord(letter):x}}}" for letter in text)


def _values(prometheus: Prometheus, query: str, labels: Sequence[str], at: float | None = None) -> Mapping[Key, float]:
    return {key(sample.labels, labels): sample.value for sample in prometheus.vector(query, at)}


def _range(length: float) -> str:
    # A millisecond short, see prometheus.py.
    return f"{length * 1000 - 1:.0f}ms"


def _runs(ends: Sequence[float], length: float) -> list[tuple[float, float]]:
    """Return from when to when cells follow each other, of which these are the ends."""
    runs: list[tuple[float, float]] = []
    for end in ends:
        if runs and end - length <= runs[-1][1] + 0.5:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((end - length, end))
    return runs


def _outages(series: Series, length: float, period: Period) -> tuple[Outage, ...]:
    start = period.start.timestamp()
    # The first cell ends where the period begins.
    cells = {at: (1 - value) * length for at, value in series.points if at > start + 0.5 and value < 1}
    found = []
    for begin, end in _runs(sorted(cells), length):
        parts = [down for at, down in sorted(cells.items()) if begin < at <= end + 0.5]
        # A sample holds until the next one: what is found at the end of a cell reaches into the one after it.
        first = begin + length - parts[0] + _FINEST
        if begin <= start and parts[0] >= length:
            first = start
        last = first + parts[0] if len(parts) == 1 else end - length + parts[-1] + _FINEST
        found.append(Outage(first, min(last, period.end.timestamp()), sum(parts)))
    return tuple(found)
