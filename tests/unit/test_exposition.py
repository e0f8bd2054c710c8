"""The text format, held against prometheus_client's own writer."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    StateSetMetricFamily,
    SummaryMetricFamily,
    UnknownMetricFamily,
)
from prometheus_client.metrics_core import Metric

from mailserver_exporter.exposition import encode

HOSTILE = [
    "",
    "plain",
    'quo"te',
    "new\nline",
    "back\\slash",
    "\\n",
    '\\"\n',
    "ümläut ✓ 🎉",
    "\u202e",
    "\x00\x1b",
    "}{,=",
]
VALUES = [0, 1, -1, 0.1, 1e300, 1e-300, 1234567, 12345678.9, 1.7953055666941895e9, math.inf, -math.inf, math.nan, True]


def families() -> list[Metric]:
    gauge = GaugeMetricFamily("a_gauge", 'Help with \\ and\nnew line and "quotes".', labels=["zebra", "ant"])
    for value in HOSTILE:
        gauge.add_metric([value, value[::-1]], 1)
    numbers = GaugeMetricFamily("b_numbers", "Numbers.", labels=["n"])
    for position, number in enumerate(VALUES):
        numbers.add_metric([str(position)], number)
    counter = CounterMetricFamily("c_things", "A counter.", labels=["kind"])
    counter.add_metric(["x"], 5)
    histogram = HistogramMetricFamily("d_age_seconds", "A histogram.", labels=["queue"])
    histogram.add_metric(["active"], [("1.0", 1), ("10.0", 3), ("+Inf", 4)], 55.5)
    info = InfoMetricFamily("e_build", "An info.", value={"version": "1.2"})
    states = StateSetMetricFamily("f_state", "A set.", value={"up": True, "down": False})
    summary = SummaryMetricFamily("g_time_seconds", "A summary.", count_value=3, sum_value=1.5)
    return [
        *(gauge, numbers, counter, histogram, info, states, summary),
        UnknownMetricFamily("h_unknown", "Untyped.", 7),
        GaugeMetricFamily("i_empty", "No series.", labels=["x"]),
    ]


class Fixed:
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self.metrics = list(metrics)

    def collect(self) -> Iterable[Metric]:
        return self.metrics


@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
def test_writes_what_prometheus_client_writes(family: Metric) -> None:
    registry = CollectorRegistry()
    registry.register(Fixed([family]))  # type: ignore[arg-type]
    assert encode([family]) == generate_latest(registry)


def test_a_value_that_is_no_text_is_refused() -> None:
    broken = GaugeMetricFamily("broken", "A gauge.", labels=["name"])
    broken.add_metric(["\udcff"], 1)
    with pytest.raises(UnicodeEncodeError):
        encode([broken])
