"""Several gauges asked for at once, and the limits beside them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mailserver_exporter.report.model import State
from mailserver_exporter.report.prometheus import Prometheus, Sample

_SEVERITIES: tuple[State, ...] = ("info", "warning", "critical")

Limits = Mapping[State, float]


@dataclass(frozen=True)
class Gauges:
    """Samples at one time; ``metric`` in their labels names the metric.

    ``old`` is true where there were none any more when the period ended: these are the last ones of it.
    """

    samples: tuple[Sample, ...] = ()
    old: bool = False

    def __bool__(self) -> bool:
        """Say whether there are any."""
        return bool(self.samples)

    def matching(self, metric: str, /, **labels: Collection[str]) -> Iterator[Sample]:
        """Yield the samples of a metric with these values of labels."""
        for sample in self.samples:
            if sample.labels["metric"] == metric and all(
                sample.labels.get(name) == wanted if isinstance(wanted, str) else sample.labels.get(name) in wanted
                for name, wanted in labels.items()
            ):
                yield sample

    def value(self, metric: str, /, **labels: Collection[str]) -> float | None:
        """Return the highest of them, None where there is none."""
        return max((sample.value for sample in self.matching(metric, **labels)), default=None)

    def total(self, metric: str, /, **labels: Collection[str]) -> float | None:
        """Return the sum, None where there is none."""
        values = [sample.value for sample in self.matching(metric, **labels)]
        return sum(values) if values else None

    def by(self, label: str, metric: str, /, **labels: Collection[str]) -> dict[str, float]:
        """Return the highest by the value of a label."""
        found: dict[str, float] = {}
        for sample in self.matching(metric, **labels):
            name = sample.labels.get(label, "")
            found[name] = max(found.get(name, sample.value), sample.value)
        return dict(sorted(found.items()))

    def label(self, label: str, metric: str, /, **labels: Collection[str]) -> str:
        """Return the label of the series that is 1 (of an _info, or of a state), "" where there is none."""
        return next((s.labels.get(label, "") for s in self.matching(metric, **labels) if s.value == 1), "")

    def limits(self, name: str, /, **labels: Collection[str]) -> Limits:
        """Return the limits by severity of ``mailserver_threshold_NAME``."""
        found = self.by("severity", f"mailserver_threshold_{name}", **labels)
        return {severity: found[severity] for severity in _SEVERITIES if severity in found}


def gauges(
    prometheus: Prometheus, metrics: Sequence[str], limits: Sequence[str] = (), also: Sequence[str] = ()
) -> Gauges:
    """Return these gauges, the limits of these names, and what else is of use beside them. Raises PrometheusError."""

    def ask(shape: str, names: Sequence[str]) -> tuple[Sample, ...]:
        selector = f'{{__name__=~"{"|".join(names)}", $host}}'
        return tuple(prometheus.vector(f'label_replace({shape % selector}, "metric", "$1", "__name__", "(.+)")'))

    names = [*metrics, *also, *(f"mailserver_threshold_{limit}" for limit in limits)]
    found = Gauges(ask("%s", names))
    if any(sample.labels["metric"] in metrics for sample in found.samples):
        return found
    return Gauges(ask("last_over_time(%s[$period])", names), old=True)


def judged(value: float | None, limits: Limits, *, falling: bool = False) -> State:
    """Return the gravest severity whose limit a value is beyond, "" where it is beyond none."""
    if value is None:
        return ""
    beyond = [each for each, limit in limits.items() if (value < limit if falling else value > limit)]
    return max(beyond, key=_SEVERITIES.index, default="")
