"""What Prometheus knows: its HTTP API (prometheus.io/docs/prometheus/latest/querying/api), asked about one host.

In a query ``$host`` stands for the matcher of this host and ``$period`` for the length of the report's period:
``increase(postfix_smtp_messages_processed_total{$host, status="sent"}[$period])``. That length is a millisecond short:
a range has both its ends before Prometheus 3.0 and only the later one since, and so both find the same in it.
"""

from __future__ import annotations

import http.client
import json
import math
import re
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from mailserver_exporter.report.period import Period
from mailserver_exporter.sources import https

T = TypeVar("T")

DAY, WEEK = 86400.0, 604800.0
_QUERY_SECONDS = 8.0
_ALL_SECONDS = 14.0
# Of numbers it makes ten times as much memory.
_MAX_BYTES = 4_000_000
# As many as it would give of one series, and as a large host has of all; they are kept until the charts are drawn.
_MAX_RESOLUTION, _MAX_POINTS = 11_000, 150_000
_COVERED = 0.75
_MAX_SAID = 300


class PrometheusError(Exception):
    """Prometheus does not answer, or not with what was asked for, in words for the admin."""


@dataclass(frozen=True)
class Sample:
    """One series and its value; ``labels`` without the name of the metric."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True)
class Series:
    """One series over time: (seconds since the epoch, value) in order, only where it has a value."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Compared:
    """A value now, a day and a week before; None where there was none, or most of that time was not measured."""

    now: float | None
    day_before: float | None
    week_before: float | None


class Prometheus:
    """One Prometheus, asked about ``instance`` in ``period``.

    Every method raises PrometheusError. All queries together have a time, so that the report comes without what is
    missing rather than not at all.
    """

    def __init__(self, url: str, instance: str, period: Period, seconds: float = _ALL_SECONDS) -> None:
        self.url = without_password(url).rstrip("/")
        self.instance = instance
        self.period = period
        self._deadline = time.monotonic() + seconds
        self._measured: dict[float, float | None] = {}
        # With the password, where it has one: not for others to read.
        self._api = f"{url.rstrip('/')}/api/v1"

    def vector(self, query: str, at: float | None = None) -> list[Sample]:
        """Return the series at a time, the end of the period unless told; NaN is left out, infinity is not."""
        moment = self.period.end.timestamp() if at is None else at
        result = self._ask("query", query, "vector", time=f"{moment:.3f}")
        samples = [Sample(_labels(each), float(each["value"][1])) for each in result]
        return [sample for sample in samples if not math.isnan(sample.value)]

    def value(self, query: str, at: float | None = None) -> float | None:
        """Return the value of a query that has one series or none."""
        samples = self.vector(query, at)
        if len(samples) > 1:
            raise PrometheusError(f"one series was expected, not {len(samples)}: {query}")
        return samples[0].value if samples else None

    def compared(self, query: str) -> Compared:
        """Return the value at the end of the period, of the day before and of the week before."""
        end = self.period.end.timestamp()
        earlier = (self.value(query, end - before) if self.covered(before) else None for before in (DAY, WEEK))
        return Compared(self.value(query), *earlier)

    def compared_by(self, query: str, *labels: str) -> dict[tuple[str, ...], Compared]:
        """Return the same for each of several series, by their values of these labels, which tell them apart."""
        end = self.period.end.timestamp()
        found = [
            {key(sample.labels, labels): sample.value for sample in self.vector(query, end - before)}
            if not before or self.covered(before)
            else {}
            for before in (0.0, DAY, WEEK)
        ]
        names = sorted(set().union(*found))
        return {name: Compared(*(values.get(name) for values in found)) for name in names}

    def measured(self, earlier: float = 0.0) -> float | None:
        """Return for which share of the period, or of one so many seconds earlier, it asked the host's exporter.

        None where it did not at all. To some minutes.
        """
        if earlier not in self._measured:
            step = max(1.0, self.period.seconds / 288)
            at = self.period.end.timestamp() - earlier
            found = self.value(f"count_over_time(max(up{{$host}})[$period:{step * 1000:.0f}ms])", at)
            self._measured[earlier] = min(1.0, found * step / self.period.seconds) if found else None
        return self._measured[earlier]

    def covered(self, earlier: float) -> bool:
        """Say whether enough of that time was measured to compare with it."""
        if self.measured() is None:
            # It does not say of itself when it asked, as where the figures came by another way.
            return True
        return (self.measured(earlier) or 0.0) >= _COVERED

    def matrix(self, query: str, step: float, earlier: float = 0.0, length: float | None = None) -> list[Series]:
        """Return the series over the period, or over one as long so many seconds ``earlier``, in its own time.

        With ``length`` over so many seconds to the end of the period instead.
        """
        end = self.period.end.timestamp() - earlier
        start = end - (self.period.seconds if length is None else length)
        times = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        result = self._ask("query_range", query, "matrix", **times)
        return [
            Series(_labels(each), tuple((float(at), float(value)) for at, value in each["values"])) for each in result
        ]

    def _ask(self, path: str, query: str, kind: str, **parameters: str) -> list[dict[str, Any]]:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise PrometheusError(f"{self.url} is too slow: not everything could be asked in time")
        matcher = "instance=" + json.dumps(self.instance, ensure_ascii=False)
        written = query.replace("$host", matcher).replace("$period", _length(self.period.seconds))
        timeout = min(left, _QUERY_SECONDS)
        form = urllib.parse.urlencode({"query": written, "timeout": f"{timeout:.1f}", **parameters}).encode()
        answer = self._post(f"{self._api}/{path}", form, timeout)
        return self._understood(lambda: _result(answer, kind, written))

    def _post(self, url: str, form: bytes, timeout: float) -> Any:
        try:
            # No redirect is followed: what is asked is for who was named only.
            answer = https.post(url, form, "application/x-www-form-urlencoded", timeout, _MAX_BYTES + 1)
            if len(answer.body) > _MAX_BYTES:
                raise ValueError(f"it says more than {_MAX_BYTES // 1_000_000} MB")  # noqa: TRY301 - told as the others
        except TimeoutError as error:
            raise PrometheusError(f"{self.url} does not answer as it should: timed out") from error
        except (http.client.HTTPException, OSError, ValueError) as error:
            raise PrometheusError(f"{self.url} does not answer as it should: {str(error)[:_MAX_SAID]}") from error
        try:
            # Prometheus explains in JSON what it refuses, with status 400, 422 or 503.
            return json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            if answer.status // 100 == 2:
                raise PrometheusError(f"{self.url} does not answer as it should: {error}") from error
            raise PrometheusError(f"{self.url} answers {answer.status} {answer.reason[:_MAX_SAID]}") from error

    def _understood(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except (LookupError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise PrometheusError(f"what answers at {self.url} is no Prometheus") from error


def without_password(url: str) -> str:
    """Return a URL as it may be shown: without user name and password."""
    return re.sub(r"^(\w+://).*@", r"\1", url)


def _result(answer: Any, kind: str, query: str) -> list[dict[str, Any]]:
    if answer["status"] != "success":
        raise PrometheusError(f"Prometheus refuses {query}: {str(answer['error'])[:_MAX_SAID]}")
    if answer["data"]["resultType"] != kind:
        raise TypeError
    result: list[dict[str, Any]] = answer["data"]["result"]
    points = [len(each["values"]) for each in result] if kind == "matrix" else []
    if max(points, default=0) > _MAX_RESOLUTION or sum(points) > _MAX_POINTS:
        raise PrometheusError(f"Prometheus answers {query} with more points than were asked for")
    # Here, so that what is foreign is noticed in one place.
    for each in result:
        _labels(each)
        for _, value in each["values"] if kind == "matrix" else [each["value"]]:
            float(value)
    return result


def _length(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000) - 1)}ms"


def key(labels: Mapping[str, str], names: Sequence[str]) -> tuple[str, ...]:
    """Return the values of these labels, empty where there is none."""
    return tuple(labels.get(name, "") for name in names)


def _labels(each: dict[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in each["metric"].items() if name != "__name__"}
