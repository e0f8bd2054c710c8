"""What the CPUs do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import astuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors.base import Collector, Context, thresholds
from mailserver_exporter.finding import counted
from mailserver_exporter.sources import files, procstat

_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_GUEST_MODES = ("user", "nice")
_IDLE = _MODES.index("idle")

# An idle counter that falls by more than this is a CPU that was taken out and put back; less is the kernel's rounding.
_HOTPLUG_SECONDS = 3.0


class CpuCollector(Collector):
    """CPU times and what the scheduler counts, as `cat /proc/stat` shows them, in seconds.

    node_cpu_seconds_total{cpu="0",mode="idle"} 1666.94
    node_cpu_guest_seconds_total{cpu="0",mode="user"} 0
    node_context_switches_total 495495
    node_intr_total 243691
    node_forks_total 13281
    node_procs_running 1
    node_procs_blocked 0
    mailserver_threshold_cpu_usage_ratio{severity="critical"} 0.9
    """

    name = "cpu"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._times: dict[str, tuple[float, ...]] = {}

    def collect(self) -> Iterator[Metric]:
        """Yield the times of each CPU, the counters of all, and the limits."""
        stat = procstat.parse(files.read(self.context.host.proc("stat")))
        self._times = {cpu: self._risen(cpu, astuple(times)) for cpu, times in stat.cpus.items()}
        yield from _times(self._times)
        yield CounterMetricFamily(
            "node_context_switches_total", "Total number of context switches.", stat.context_switches
        )
        yield CounterMetricFamily("node_intr_total", "Total number of interrupts serviced.", stat.interrupts)
        yield CounterMetricFamily("node_forks_total", "Total number of forks.", stat.forks)
        yield GaugeMetricFamily("node_procs_running", "Number of processes in runnable state.", stat.running)
        yield GaugeMetricFamily(
            "node_procs_blocked", "Number of processes blocked waiting for I/O to complete.", stat.blocked
        )
        yield thresholds(
            "cpu_usage_ratio",
            "Limit of the share of time that the CPUs are not idle.",
            [({}, self.context.config.limits.cpu_usage_ratio)],
        )

    def found(self) -> str:
        """Say how many CPUs there are."""
        return counted(len(self._times), "core")

    def _risen(self, cpu: str, new: tuple[float, ...]) -> tuple[float, ...]:
        """Keep the old value of what has fallen.

        The kernel's idle and iowait do step back now and then (proc_stat(5)), and rate() would take that for a counter
        that started anew, and show hours of CPU time in one interval.
        """
        old = self._times.get(cpu)
        if old is None or new[_IDLE] < old[_IDLE] - _HOTPLUG_SECONDS:
            return new
        return tuple(map(max, old, new))


def _times(times: Mapping[str, tuple[float, ...]]) -> Iterator[Metric]:
    seconds = CounterMetricFamily(
        "node_cpu_seconds_total", "Seconds the CPUs spent in each mode.", labels=["cpu", "mode"]
    )
    guest = CounterMetricFamily(
        "node_cpu_guest_seconds_total", "Seconds the CPUs spent in guests (VMs) for each mode.", labels=["cpu", "mode"]
    )
    for cpu, values in times.items():
        for mode, value in zip(_MODES, values, strict=False):
            seconds.add_metric([cpu, mode], value)
        for mode, value in zip(_GUEST_MODES, values[len(_MODES) :], strict=True):
            guest.add_metric([cpu, mode], value)
    yield from (seconds, guest)
