"""Read an exposition and look things up in it."""

from __future__ import annotations

from collections.abc import Iterable

import requests
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from mailserver_exporter.exposition import encode


class Exposition:
    """A parsed text exposition."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families: dict[str, Metric] = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples: list[Sample] = [sample for family in self.families.values() for sample in family.samples]

    @classmethod
    def of(cls, families: Iterable[Metric]) -> Exposition:
        """Make one from what a collector yields, through the exporter's own encoder."""
        return cls(encode(families).decode())

    @classmethod
    def scrape(cls, url: str, timeout: float = 15) -> Exposition:
        """Fetch one; raises requests.RequestException."""
        answer = requests.get(url, timeout=timeout)
        answer.raise_for_status()
        return cls(answer.text)

    def all(self, name: str, /, **labels: str) -> list[Sample]:
        """Return the samples of a name whose labels include these."""
        return [s for s in self.samples if s.name == name and labels.items() <= s.labels.items()]

    def value(self, name: str, /, **labels: str) -> float:
        """Return the value of the one sample that matches; raises AssertionError when there is not exactly one."""
        found = self.all(name, **labels)
        assert len(found) == 1, f"{name}{labels or ''}: {len(found)} series: {found}"
        return found[0].value

    def names(self) -> set[str]:
        """Return all sample names."""
        return {sample.name for sample in self.samples}
