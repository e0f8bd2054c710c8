"""How the figures of containers are named: as cAdvisor names them (lib/metrics/prometheus.go), with name and image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.sources.cgroup import DeviceIO, Spec, Usage
from mailserver_exporter.sources.container_resources import Resources
from mailserver_exporter.sources.netdev import Traffic

_LABELS = ("name", "image")


class Measured(NamedTuple):
    """The resources of one container, under the labels they are exported with; devices are already named."""

    labels: tuple[str, str]
    resources: Resources
    devices: tuple[tuple[str, DeviceIO], ...]


class _Figure(NamedTuple):
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily]
    name: str
    help: str
    value: Callable[[Usage], float | None]


_COUNTER, _GAUGE = CounterMetricFamily, GaugeMetricFamily

_USAGE = (
    _Figure(_COUNTER, "cpu_user_seconds_total", "CPU time consumed in user mode.", lambda u: u.cpu_user_seconds),
    _Figure(_COUNTER, "cpu_system_seconds_total", "CPU time consumed in the kernel.", lambda u: u.cpu_system_seconds),
    _Figure(_GAUGE, "memory_usage_bytes", "Memory in use, page cache included.", lambda u: u.memory_bytes),
    _Figure(
        _GAUGE,
        "memory_working_set_bytes",
        "Memory in use without inactive page cache.",
        lambda u: u.memory_working_set_bytes,
    ),
    _Figure(_GAUGE, "memory_rss", "Anonymous memory, in bytes.", lambda u: u.memory_rss_bytes),
    _Figure(_GAUGE, "memory_cache", "Page cache, in bytes.", lambda u: u.memory_cache_bytes),
    _Figure(_GAUGE, "memory_mapped_file", "Mapped files, in bytes.", lambda u: u.memory_mapped_file_bytes),
    _Figure(_GAUGE, "memory_swap", "Swap in use, in bytes.", lambda u: u.memory_swap_bytes),
    _Figure(_GAUGE, "memory_max_usage_bytes", "Most memory that was ever in use.", lambda u: u.memory_max_bytes),
    _Figure(_COUNTER, "memory_failcnt", "How often the memory limit was hit.", lambda u: u.memory_failures),
    _Figure(_GAUGE, "threads", "Threads in the container.", lambda u: u.threads),
)
_THROTTLING = (
    _Figure(_COUNTER, "cpu_cfs_periods_total", "Enforcement periods of the CPU limit.", lambda u: u.cfs_periods),
    _Figure(
        _COUNTER,
        "cpu_cfs_throttled_periods_total",
        "Periods in which the CPU limit was hit.",
        lambda u: u.cfs_throttled_periods,
    ),
    _Figure(
        _COUNTER,
        "cpu_cfs_throttled_seconds_total",
        "Time for which the CPU limit held the container up.",
        lambda u: u.cfs_throttled_seconds,
    ),
)
_QUOTA: tuple[tuple[str, str, Callable[[Spec], float]], ...] = (
    ("spec_cpu_quota", "CPU limit, in microseconds per period.", lambda s: s.cpu_quota_microseconds),
    ("spec_cpu_period", "Enforcement period of the CPU limit, in microseconds.", lambda s: s.cpu_period_microseconds),
)
_SPEC: tuple[tuple[str, str, Callable[[Spec], float]], ...] = (
    ("spec_memory_limit_bytes", "Memory limit, 0 without one.", lambda s: s.memory_limit_bytes),
    ("spec_memory_reservation_limit_bytes", "Memory reservation, 0 without one.", lambda s: s.memory_reservation_bytes),
    ("spec_memory_swap_limit_bytes", "Limit of swap (v1: memory and swap).", lambda s: s.memory_swap_limit_bytes),
    ("threads_max", "Most threads that are allowed, 0 without a limit.", lambda s: s.threads_max),
)
_NETWORK: tuple[tuple[str, str, Callable[[Traffic], float]], ...] = (
    ("receive_bytes_total", "Bytes received.", lambda t: t.receive_bytes),
    ("receive_packets_total", "Packets received.", lambda t: t.receive_packets),
    ("receive_packets_dropped_total", "Packets dropped while receiving.", lambda t: t.receive_drop),
    ("receive_errors_total", "Errors while receiving.", lambda t: t.receive_errs),
    ("transmit_bytes_total", "Bytes transmitted.", lambda t: t.transmit_bytes),
    ("transmit_packets_total", "Packets transmitted.", lambda t: t.transmit_packets),
    ("transmit_packets_dropped_total", "Packets dropped while transmitting.", lambda t: t.transmit_drop),
    ("transmit_errors_total", "Errors while transmitting.", lambda t: t.transmit_errs),
)
_IO: tuple[tuple[str, str, Callable[[DeviceIO], float]], ...] = (
    ("reads_bytes_total", "Bytes read from the device.", lambda d: d.read_bytes),
    ("writes_bytes_total", "Bytes written to the device.", lambda d: d.write_bytes),
    ("reads_total", "Reads from the device.", lambda d: d.reads),
    ("writes_total", "Writes to the device.", lambda d: d.writes),
)


def families(measured: Sequence[Measured]) -> Iterator[Metric]:
    """Yield the resource families; what a kernel does not tell of a container has no series."""
    cpu = _COUNTER("container_cpu_usage_seconds_total", "CPU time consumed.", labels=(*_LABELS, "cpu"))
    processes = _GAUGE("container_processes", "Processes in the container.", labels=_LABELS)
    for labels, resources, _ in measured:
        cpu.add_metric((*labels, "total"), resources.usage.cpu_seconds)
        processes.add_metric(labels, resources.processes)
    yield from (cpu, processes)
    yield from _usage(_USAGE, measured)
    # As cAdvisor does: nothing of a CPU limit without one, because a quota of 0 would mean that nothing may run.
    limited = [entry for entry in measured if entry.resources.spec.cpu_quota_microseconds > 0]
    yield from _usage(_THROTTLING, limited)
    yield from _limits(_QUOTA, limited)
    yield from _limits(_SPEC, measured)
    yield from _traffic(measured)
    yield from _io(measured)


def _usage(figures: Iterable[_Figure], measured: Sequence[Measured]) -> Iterator[Metric]:
    for kind, name, text, value in figures:
        family = kind(f"container_{name}", text, labels=_LABELS)
        for labels, resources, _ in measured:
            if (number := value(resources.usage)) is not None:
                family.add_metric(labels, number)
        yield family


def _limits(
    limits: Iterable[tuple[str, str, Callable[[Spec], float]]], measured: Sequence[Measured]
) -> Iterator[Metric]:
    for name, text, limit in limits:
        family = _GAUGE(f"container_{name}", text, labels=_LABELS)
        for labels, resources, _ in measured:
            family.add_metric(labels, limit(resources.spec))
        yield family


def _traffic(measured: Sequence[Measured]) -> Iterator[Metric]:
    for name, text, count in _NETWORK:
        family = _COUNTER(f"container_network_{name}", text, labels=(*_LABELS, "interface"))
        for labels, resources, _ in measured:
            for interface, traffic in resources.interfaces.items():
                family.add_metric((*labels, interface), count(traffic))
        yield family


def _io(measured: Sequence[Measured]) -> Iterator[Metric]:
    for name, text, amount in _IO:
        family = _COUNTER(f"container_fs_{name}", text, labels=(*_LABELS, "device"))
        for labels, _, devices in measured:
            for device, figures in devices:
                family.add_metric((*labels, device), amount(figures))
        yield family
