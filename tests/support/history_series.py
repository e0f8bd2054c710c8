"""Make series of two weeks, minute by minute where somebody looks, and write them as OpenMetrics."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import IO

DAY, HOUR, MINUTE = 86400, 3600, 60
# 02:00 on a Wednesday in Berlin: the same data on every day that the tests run.
END = 1794963600
DAYS = 14
FINE, COARSE = 60, 240
"""Seconds between samples: in the last two days and the day a week before; and in the rest, below the five minutes
for which Prometheus takes a sample as still true."""

Value = Callable[[float], float]


@dataclass(frozen=True)
class Span:
    """From ``start`` to before ``end``, seconds since the epoch."""

    start: float
    end: float

    def __contains__(self, at: object) -> bool:
        return isinstance(at, (int, float)) and self.start <= at < self.end


NEVER = Span(0, 0)


@dataclass(frozen=True)
class Series:
    """One series as it was recorded: NaN is where it has no sample."""

    name: str
    kind: str
    labels: Mapping[str, str]
    times: array[float]
    values: array[float]

    def points(self) -> list[tuple[float, float]]:
        """Return (seconds since the epoch, value) of each sample."""
        return [(at, value) for at, value in zip(self.times, self.values, strict=True) if not math.isnan(value)]


@dataclass
class Recorder:
    """Collects the series of one host.

    ``begin`` is when it was first recorded, ``down`` when the host (and with it the exporter) was down, ``blind`` when
    Prometheus itself recorded nothing. A counter begins anew at ``exporter_starts``, or at ``boots`` if it is the
    kernel's.
    """

    labels: Mapping[str, str]
    begin: float = END - DAYS * DAY
    down: Span = NEVER
    blind: Span = NEVER
    boots: tuple[float, ...] = ()
    exporter_starts: tuple[float, ...] = ()
    series: list[Series] = field(default_factory=list)

    def __post_init__(self) -> None:
        fine = (Span(END - 2 * DAY - HOUR, END + 1), Span(END - 8 * DAY - HOUR, END - 7 * DAY + 1))
        times = range(END - DAYS * DAY, END + 1, FINE)
        self.coarse = array("d", times[:: COARSE // FINE])
        self.fine = array("d", (at for at in times if at % COARSE == END % COARSE or any(at in span for span in fine)))

    def gauge(
        self, name: str, value: Value | float, /, *, coarse: bool = False, always: bool = False, **labels: str
    ) -> None:
        """Record a value at each time; ``always`` also while the host is down; NaN is no sample."""
        times = self.coarse if coarse else self.fine
        values: Iterable[float]
        if callable(value):
            values = (value(at) if self._recorded(at, always=always) else math.nan for at in times)
        else:
            values = (value if self._recorded(at, always=always) else math.nan for at in times)
        self._add(name, "gauge", labels, times, values)

    def counter(
        self,
        name: str,
        rate: Value | float,
        /,
        *,
        kernel: bool = False,
        whole: bool = True,
        coarse: bool = False,
        **labels: str,
    ) -> None:
        """Record a counter that rises by ``rate`` a second, give or take; ``whole`` counts events."""
        times = self.coarse if coarse else self.fine
        per_second = rate if callable(rate) else lambda _: rate
        chance = random.Random(f"{name}{sorted(labels.items())}")
        starts = sorted((*self.boots, *(() if kernel else self.exporter_starts)), reverse=True)
        values = array("d")
        # A kernel has counted since long before.
        count, last = (per_second(times[0]) * 40 * DAY if kernel else 0.0), times[0]
        if whole:
            count = float(int(count))
        for at in times:
            give_or_take = 0.6 + 0.8 * chance.random()
            if at < self.begin:
                count = 0.0
            elif starts and starts[-1] <= at:
                starts.pop()
                count = 0.0
            elif at not in self.down:
                count += per_second(at) * (at - last) * give_or_take
            last = at
            values.append((float(math.floor(count)) if whole else round(count, 3)) if self._recorded(at) else math.nan)
        self._add(name, "counter", labels, times, values)

    def _recorded(self, at: float, *, always: bool = False) -> bool:
        return at >= self.begin and at not in self.blind and (always or at not in self.down)

    def _add(
        self, name: str, kind: str, labels: Mapping[str, str], times: array[float], values: Iterable[float]
    ) -> None:
        # To Prometheus a label without a value is none.
        kept = {label: value for label, value in {**labels, **self.labels}.items() if value}
        self.series.append(Series(name, kind, kept, times, array("d", values)))


def write(series: Iterable[Series], span: Span, file: IO[str]) -> None:
    """Write the samples of a span as OpenMetrics, the series of a family together."""
    start, end = span.start, span.end
    families: dict[tuple[str, str], list[Series]] = {}
    for each in series:
        families.setdefault((each.name, each.kind), []).append(each)
    for (name, kind), members in sorted(families.items()):
        # What is a counter by its type but not by its name is of an unknown type to OpenMetrics.
        known = kind if kind != "counter" or name.endswith("_total") else "unknown"
        file.write(f"# TYPE {name.removesuffix('_total') if known == 'counter' else name} {known}\n")
        for each in members:
            labels = ",".join(f'{label}="{_escaped(value)}"' for label, value in sorted(each.labels.items()))
            head = f"{name}{{{labels}}} "
            file.writelines(
                f"{head}{value!r} {at:.0f}\n"
                for at, value in zip(each.times, each.values, strict=True)
                if start <= at < end and value == value  # not NaN
            )
    file.write("# EOF\n")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
