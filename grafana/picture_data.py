"""Ask Prometheus what a panel asks, with Grafana's variables filled in."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# timeInterval of provisioning/datasources/prometheus.yml.
SCRAPE_INTERVAL = 10


@dataclass(frozen=True)
class Series:
    """What Grafana draws as one line, bar or row: its name and (time, value), oldest first."""

    name: str
    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]

    @property
    def last(self) -> float:
        """The newest value."""
        return self.points[-1][1]


@dataclass(frozen=True)
class Span:
    """The time that is looked at, in seconds of Unix time, and the distance of the points."""

    start: float
    end: float

    @property
    def step(self) -> int:
        """As Grafana chooses it for a panel of some 700 pixels: no finer than what is measured."""
        return max(SCRAPE_INTERVAL, int((self.end - self.start) / 700))

    @property
    def rate_interval(self) -> int:
        """``$__rate_interval``: at least four scrapes, whatever the step."""
        return max(self.step + SCRAPE_INTERVAL, 4 * SCRAPE_INTERVAL)


class QueryError(Exception):
    """Prometheus refuses a query; the message says which and why."""


class Source:
    """A Prometheus; ``hosts`` is what the variable ``$instance`` stands for, by default all there are."""

    def __init__(self, url: str, hosts: tuple[str, ...] = ()) -> None:
        self._url = url.rstrip("/")
        self.hosts = hosts or self._all_hosts()

    def panel(self, panel: Mapping[str, Any], span: Span) -> list[Series]:
        """Return the series of all targets of a panel; raises QueryError, and OSError where nobody answers."""
        return [series for target in panel["targets"] for series in self.target(target, span)]

    def target(self, target: Mapping[str, Any], span: Span) -> list[Series]:
        """Return the series of one target."""
        expression = self.filled_in(target["expr"], span)
        if target.get("instant"):
            found = self._ask("query", {"query": expression, "time": span.end})
        else:
            times = {"start": span.start, "end": span.end, "step": span.step}
            found = self._ask("query_range", {"query": expression, **times})
        return [
            Series(_name(target.get("legendFormat", ""), result["metric"]), result["metric"], tuple(_points(result)))
            for result in found["result"]
        ]

    def filled_in(self, expression: str, span: Span) -> str:
        """Return an expression as Grafana sends it: the hosts that are chosen become a regular expression."""
        hosts = "|".join(re.escape(host).replace("\\", "\\\\") for host in self.hosts)
        return expression.replace("$__rate_interval", f"{span.rate_interval}s").replace("$instance", f"({hosts})")

    def _all_hosts(self) -> tuple[str, ...]:
        return tuple(self._ask("label/instance/values", {"match[]": "mailserver_exporter_build_info"}))

    def _ask(self, what: str, parameters: Mapping[str, object]) -> Any:
        url = f"{self._url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            raise QueryError(f"{parameters.get('query', what)}: {said}") from error


def _points(result: Mapping[str, Any]) -> Iterator[tuple[float, float]]:
    for time, value in result["values"] if "values" in result else [result["value"]]:
        yield float(time), float(value)


def _name(legend: str, labels: Mapping[str, str]) -> str:
    """Return what Grafana's legend says: ``{{label}}`` filled in, without a format all labels."""
    if legend:
        return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda match: labels.get(match[1], ""), legend)
    shown = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()) if name != "__name__")
    return f"{labels.get('__name__', '')}{{{shown}}}"
