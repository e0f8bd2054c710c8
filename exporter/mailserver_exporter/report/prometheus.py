"""What Prometheus knows: its HTTP API (prometheus.io/docs/prometheus/latest/querying/api), asked about one host.

In a query ``$host`` stands for the matcher of this host and ``$period`` for the length of the report's period:
``increase(postfix_smtp_messages_processed_total{$host, status="sent"}[$period])``.
"""

from __future__ import annotations

import http.client
import json
import math
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from mailserver_exporter.report.period import Period

T = TypeVar("T")

DAY, WEEK = 86400.0, 604800.0
_QUERY_SECONDS = 8.0
_ALL_SECONDS = 14.0
_MAX_BYTES = 16_000_000


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
    """A value now, a day and a week before; None where there was none."""

    now: float | None
    day_before: float | None
    week_before: float | None


class Prometheus:
    """One Prometheus, asked about ``instance`` in ``period``.

    Every method raises PrometheusError. All queries together have a time, so that the report comes without what is
    missing rather than not at all.
    """

    def __init__(self, url: str, instance: str, period: Period, seconds: float = _ALL_SECONDS) -> None:
        self.url = url.rstrip("/")
        self.instance = instance
        self.period = period
        self._deadline = time.monotonic() + seconds
        # Not through a proxy of the environment: it is on this machine or beside it.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

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
        return Compared(*(self.value(query, end - before) for before in (0.0, DAY, WEEK)))

    def matrix(self, query: str, step: float, earlier: float = 0.0) -> list[Series]:
        """Return the series over the period, or over one as long so many seconds ``earlier``, in its own time."""
        start, end = self.period.start.timestamp() - earlier, self.period.end.timestamp() - earlier
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
        written = query.replace("$host", matcher).replace("$period", f"{self.period.seconds:.0f}s")
        timeout = min(left, _QUERY_SECONDS)
        form = urllib.parse.urlencode({"query": written, "timeout": f"{timeout:.1f}s", **parameters}).encode()
        answer = self._post(f"{self.url}/api/v1/{path}", form, timeout)
        return self._understood(lambda: _result(answer, kind, written))

    def _post(self, url: str, form: bytes, timeout: float) -> Any:
        try:
            with self._opener.open(urllib.request.Request(url, form), timeout=timeout) as reply:  # noqa: S310 - the configuration demands http or https
                return json.loads(reply.read(_MAX_BYTES))
        except urllib.error.HTTPError as error:
            # Prometheus explains in JSON what it refuses, with status 400, 422 or 503.
            with error:
                said = error.read(_MAX_BYTES)
            try:
                return json.loads(said)
            except ValueError:
                raise PrometheusError(f"{self.url} answers {error.code} {error.reason}") from error
        except (http.client.HTTPException, OSError, ValueError, RecursionError) as error:
            reason = getattr(error, "reason", None) or error
            raise PrometheusError(f"{self.url} does not answer as it should: {reason}") from error

    def _understood(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise PrometheusError(f"what answers at {self.url} is no Prometheus") from error


def _result(answer: Any, kind: str, query: str) -> list[dict[str, Any]]:
    if answer["status"] != "success":
        raise PrometheusError(f"Prometheus refuses {query}: {answer['error']}")
    if answer["data"]["resultType"] != kind:
        raise TypeError
    result: list[dict[str, Any]] = answer["data"]["result"]
    # Here, so that what is foreign is noticed in one place.
    for each in result:
        _labels(each)
        for _, value in each["values"] if kind == "matrix" else [each["value"]]:
            float(value)
    return result


def _labels(each: dict[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in each["metric"].items() if name != "__name__"}
