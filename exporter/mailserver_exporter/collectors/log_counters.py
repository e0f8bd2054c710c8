"""Families from what logs were counted into."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily

from mailserver_exporter.sources.tally import Tally


def counter(tally: Tally, name: str, help_text: str) -> CounterMetricFamily:
    """Return the family of a counter without labels, 0 where nothing was counted."""
    return CounterMetricFamily(name, help_text, tally.get((name,), 0))


def counters(tally: Tally, name: str, help_text: str, label: str, values: Iterable[str]) -> CounterMetricFamily:
    """Return the family of a counter with one label, which has no values but these, each present from the start."""
    family = CounterMetricFamily(name, help_text, labels=[label])
    for value in values:
        family.add_metric([value], tally.get((name, value), 0))
    return family
