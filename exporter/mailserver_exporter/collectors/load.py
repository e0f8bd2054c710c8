"""Load averages and what they are compared with."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors.base import Collector, Context, thresholds
from mailserver_exporter.sources import files, loadavg


class LoadCollector(Collector):
    """Load averages, as `cat /proc/loadavg` shows them.

    # HELP node_load1 1m load average.
    # TYPE node_load1 gauge
    node_load1 0.21
    node_load5 0.37
    node_load15 0.39
    mailserver_threshold_load_per_core{severity="critical"} 1.7
    """

    name = "load"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._newest = ""

    def collect(self) -> Iterator[Metric]:
        """Yield the three averages and their limits."""
        load = loadavg.parse(files.read(self.context.host.proc("loadavg")))
        self._newest = f"{load.one:.2f}, {load.five:.2f}, {load.fifteen:.2f} in the last 1, 5 and 15 minutes"
        yield GaugeMetricFamily("node_load1", "1m load average.", load.one)
        yield GaugeMetricFamily("node_load5", "5m load average.", load.five)
        yield GaugeMetricFamily("node_load15", "15m load average.", load.fifteen)
        yield thresholds(
            "load_per_core",
            "Limit of the 5m load average divided by the number of CPUs.",
            [({}, self.context.config.limits.load_per_core)],
        )

    def found(self) -> str:
        """Say what the averages are."""
        return self._newest
