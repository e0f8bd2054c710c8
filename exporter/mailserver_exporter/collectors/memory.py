"""How the memory is used."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors.base import Collector, Context, thresholds
from mailserver_exporter.sources import files, meminfo


class MemoryCollector(Collector):
    """Every line of `cat /proc/meminfo`, sizes in bytes.

    node_memory_MemTotal_bytes 2.5276502016e+10
    node_memory_MemAvailable_bytes 2.48977408e+10
    node_memory_Active_anon_bytes 1.613824e+06
    node_memory_HugePages_Total 0
    mailserver_threshold_memory_usage_ratio{severity="critical"} 0.9
    """

    name = "memory"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._newest = (0, 0)

    def collect(self) -> Iterator[Metric]:
        """Yield a family for each line, and the limits."""
        memory = meminfo.parse(files.read(self.context.host.proc("meminfo")))
        self._newest = memory.bytes.get("MemTotal", 0), memory.bytes.get("MemAvailable", 0)
        for key, size in memory.bytes.items():
            yield _gauge(f"{key}_bytes", size)
        for key, count in memory.counts.items():
            yield _gauge(key, count)
        yield thresholds(
            "memory_usage_ratio",
            "Limit of the share of memory that is not available for new work.",
            [({}, self.context.config.limits.memory_usage_ratio)],
        )

    def found(self) -> str:
        """Say how much there is."""
        total, available = self._newest
        return f"{total / 2**30:.1f} GiB, {available / 2**30:.1f} GiB of it available"


def _gauge(key: str, value: int) -> GaugeMetricFamily:
    field = key.replace("(", "_").replace(")", "")
    return GaugeMetricFamily(f"node_memory_{field}", f"Memory information field {field}.", value)
