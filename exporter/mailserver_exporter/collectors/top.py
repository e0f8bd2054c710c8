"""Which programs use the CPU and the memory."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors.base import Collector, Context, Detection, Schedule
from mailserver_exporter.sources.processes import Snapshot

SHOWN = 10


class TopCollector(Collector):
    """The ten process names with most CPU and most memory, all processes of a name together, as `top` shows them.

    mailserver_top_cpu_usage_ratio{process="rspamd"} 0.42
    mailserver_top_memory_bytes{process="clamd"} 1.31e+09

    CPU is what was used between two scans, so the first run after a start has none.
    """

    name = "top"
    # As `processes`, which see for why.
    schedule = Schedule(every=15, deadline=10)
    max_age = 10.0

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._table = context.process_table
        self._before: Snapshot | None = None
        self._cpu: Mapping[str, float] = {}

    def detect(self) -> Detection:
        """Say whether the processes of all users can be seen."""
        if self._table.is_complete():
            return Detection(True, "the processes of all users")
        return Detection(
            False, f"{self._table.proc} is mounted with hidepid, run the exporter as root to see all processes"
        )

    def collect(self) -> Iterator[Metric]:
        """Yield both lists."""
        now = self._table.snapshot(self.max_age)
        if self._before is None or now.taken > self._before.taken:
            self._cpu = cpu_usage(self._before, now)
            self._before = now
        cpu = GaugeMetricFamily(
            "mailserver_top_cpu_usage_ratio",
            "CPUs that all processes of this name used lately, 1 is one core; the ten names that use most.",
            labels=["process"],
        )
        for name, ratio in _most(self._cpu):
            cpu.add_metric([name], ratio)
        yield cpu
        memory = GaugeMetricFamily(
            "mailserver_top_memory_bytes",
            "Resident memory (RSS) of all processes of this name, pages that they share counted for each of them; "
            "the ten names that use most.",
            labels=["process"],
        )
        resident: defaultdict[str, int] = defaultdict(int)
        for process in now.processes.values():
            resident[process.name] += process.resident_bytes
        for name, size in _most(resident):
            memory.add_metric([name], size)
        yield memory


def cpu_usage(before: Snapshot | None, now: Snapshot) -> dict[str, float]:
    """Return the CPUs that each process name used between two snapshots, 1 is one core; nothing without a first one.

    What a process used that began and ended in between, or ended since, is not known.
    """
    if before is None:
        return {}
    used: defaultdict[str, float] = defaultdict(float)
    for pid, process in now.processes.items():
        old = before.processes.get(pid)
        same = old is not None and old.started == process.started
        used[process.name] += process.cpu_seconds - (old.cpu_seconds if old and same else 0.0)
    seconds = now.taken - before.taken
    return {name: max(value, 0.0) / seconds for name, value in used.items()}


def _most(values: Mapping[str, float]) -> list[tuple[str, float]]:
    using = (item for item in values.items() if item[1] > 0)
    return heapq.nlargest(SHOWN, using, key=lambda item: (item[1], item[0]))
