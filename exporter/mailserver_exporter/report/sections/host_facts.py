"""What is known of the host: CPU, memory, swap and load, what used most of them, and when it was booted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailserver_exporter.report import boots, course
from mailserver_exporter.report.course import Points
from mailserver_exporter.report.gauges import Gauges, Limits, gauges
from mailserver_exporter.report.prometheus import DAY, Compared, Prometheus

# As rules/cpu.rules.yml, memory.rules.yml and load.rules.yml count.
_CPU = (
    '1 - sum(rate(node_cpu_seconds_total{$host, mode=~"idle|iowait"}[RANGE]))'
    " / sum(rate(node_cpu_seconds_total{$host}[RANGE]))"
)
_MEMORY = (
    "1 - sum(avg_over_time(node_memory_MemAvailable_bytes{$host}[RANGE]))"
    " / sum(avg_over_time(node_memory_MemTotal_bytes{$host}[RANGE]))"
)
_SWAP = (
    "1 - sum(FUNCTION(node_memory_SwapFree_bytes{$host}[$period]))"
    " / (sum(FUNCTION(node_memory_SwapTotal_bytes{$host}[$period])) > 0)"
)
_CORES = 'count(count by (cpu) (node_cpu_seconds_total{$host, mode="idle"}))'
_LOAD = (
    "max(FUNCTION(node_load5{$host}[RANGE])) / "
    'count(count by (cpu) (last_over_time(node_cpu_seconds_total{$host, mode="idle"}[RANGE])))'
)
# What is among the ten that use most for some of the time only used nothing in the rest, as far as is known.
_TOP = (
    "topk(6, sum by (process) (sum_over_time(mailserver_top_METRIC{$host}[$period]))"
    " / on () group_left () max(count_over_time(node_load1{$host}[$period])))"
)
_GAUGES = (
    "node_memory_MemAvailable_bytes",
    "node_memory_MemTotal_bytes",
    "node_memory_SwapFree_bytes",
    "node_memory_SwapTotal_bytes",
    "node_load5",
    "node_boot_time_seconds",
)
_MINUTES = 5.0
_STALLED = 0.05


@dataclass(frozen=True)
class Figure:
    """One value: now, its mean, its highest of five minutes and when; its course and that of the day before."""

    now: float | None
    mean: Compared
    highest: float | None = None
    highest_at: float | None = None
    limits: Limits = field(default_factory=dict)
    course: Points = ()
    before: Points = ()
    over_seconds: float = 0.0


@dataclass(frozen=True)
class Facts:
    """Ratios of 0 to 1, load per core; ``programs`` are (CPUs, bytes) by name, ``boots`` when it began to run."""

    cpu: Figure | None
    memory: Figure | None
    swap: Figure | None
    load: Figure | None
    cores: float | None
    memory_bytes: float | None
    swap_bytes: float | None
    up_since: float | None
    boots: tuple[float, ...]
    oom_kills: float
    io_stalled: float | None
    memory_stalled: float | None
    programs: Mapping[str, tuple[float, float]]
    step: float
    end: float
    old: bool = False


def measure(prometheus: Prometheus) -> Facts | None:
    """Return what is known of the host, None where it was not measured. Raises PrometheusError."""
    found = gauges(prometheus, _GAUGES, ["cpu_usage_ratio", "memory_usage_ratio", "load_per_core"])
    cpu = _figure(prometheus, _CPU, found.limits("cpu_usage_ratio"))
    if not found and cpu is None:
        return None
    memory = _figure(prometheus, _MEMORY, found.limits("memory_usage_ratio"))
    load = _figure(
        prometheus,
        _LOAD.replace("FUNCTION", "avg_over_time"),
        found.limits("load_per_core"),
        _LOAD.replace("FUNCTION", "max_over_time"),
    )
    cores = prometheus.value(_CORES)
    boot = found.value("node_boot_time_seconds")
    cpus, sizes = (
        {sample.labels.get("process", ""): sample.value for sample in prometheus.vector(_TOP.replace("METRIC", metric))}
        for metric in ("cpu_usage_ratio", "memory_bytes")
    )
    return Facts(
        cpu=cpu,
        memory=memory,
        swap=_swap(prometheus, found),
        load=load,
        cores=cores,
        memory_bytes=found.value("node_memory_MemTotal_bytes"),
        swap_bytes=found.value("node_memory_SwapTotal_bytes"),
        up_since=None if found.old else boot,
        boots=boots.ask(prometheus),
        oom_kills=_oom_kills(prometheus),
        io_stalled=prometheus.value("sum(rate(node_pressure_io_stalled_seconds_total{$host}[$period]))"),
        memory_stalled=prometheus.value("sum(rate(node_pressure_memory_stalled_seconds_total{$host}[$period]))"),
        programs={name: (cpus.get(name, 0.0), sizes.get(name, 0.0)) for name in {**cpus, **sizes}},
        step=course.step(prometheus.period),
        end=prometheus.period.end.timestamp(),
        old=found.old,
    )


def _figure(prometheus: Prometheus, query: str, limits: Limits, highest: str = "") -> Figure | None:
    """Return a figure by a query for the mean of a RANGE, and by one for the highest of it where that is another."""
    points = course.ask(prometheus, (highest or query).replace("RANGE", "$step"))
    if not points:
        return None
    top = max(points, key=lambda point: point[1])
    return Figure(
        now=prometheus.value(query.replace("RANGE", "5m")),
        mean=prometheus.compared(query.replace("RANGE", "$period")),
        highest=top[1],
        highest_at=top[0],
        limits=limits,
        course=points,
        before=course.ask(prometheus, (highest or query).replace("RANGE", "$step"), DAY),
        over_seconds=course.seconds_beyond(points, limits, course.step(prometheus.period)),
    )


def _swap(prometheus: Prometheus, found: Gauges) -> Figure | None:
    total, free = found.value("node_memory_SwapTotal_bytes"), found.value("node_memory_SwapFree_bytes")
    if not total or free is None:
        return None
    return Figure(
        now=None if found.old else 1 - free / total,
        mean=prometheus.compared(_SWAP.replace("FUNCTION", "avg_over_time")),
        highest=prometheus.value(_SWAP.replace("FUNCTION", "min_over_time")),
    )


def _oom_kills(prometheus: Prometheus) -> float:
    """Return how many processes outside of containers were killed for want of memory; the kernel counts all."""
    everywhere = prometheus.value("sum(increase(node_vmstat_oom_kill{$host}[$period]))") or 0.0
    inside = prometheus.value("sum(increase(container_oom_events_total{$host}[$period]))") or 0.0
    return max(0.0, round(everywhere, 0) - round(inside, 0))
