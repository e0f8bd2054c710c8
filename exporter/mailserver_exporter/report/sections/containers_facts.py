"""What is known of the containers. Asked as a whole: there may be hundreds, and each query reads all of their day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mailserver_exporter.report.gauges import gauges
from mailserver_exporter.report.prometheus import DAY, WEEK, Compared, Prometheus

# A restart by hand only shows in the start; one of several between two scrapes only in Docker's own count.
_RESTARTS = (
    "max by (name) (round(increase(mailserver_container_restarts_total{$host}[$period]))"
    ' or label_replace(changes(container_start_time_seconds{$host}[$period]), "of", "start", "", "")) > 0'
)
_INFO = "mailserver_container_info{$host}"
_RUNNING = 'mailserver_container_state{$host, state="running"}'
_AGE = "time() - max by (name) (mailserver_container_image_created_timestamp_seconds{$host})"
_OLD = f"({_AGE}) > on (name) min by (name) (mailserver_threshold_container_image_age_seconds{{$host}})"
_LOUD = 0.9
_STOPPED = ("exited", "dead")


@dataclass(frozen=True)
class Container:
    """One of them: bytes, ratios of 0 to 1, seconds. ``state`` is "" where it is not known now."""

    name: str
    state: str = ""
    service: str = ""
    unhealthy: bool = False
    exit_code: float = 0.0
    restarts: float = 0.0
    oom_kills: float = 0.0
    running: float = 1.0
    down_seconds: float = 0.0
    memory_highest: float | None = None
    memory_limit: float | None = None

    @property
    def stopped(self) -> bool:
        """Whether it has ended with an error and ran before: leftovers of long ago are no fault."""
        return self.state in _STOPPED and self.exit_code != 0 and self.running > 0

    @property
    def near_limit(self) -> bool:
        """Whether it came near its memory limit."""
        return self.memory_highest is not None and self.memory_highest > _LOUD

    @property
    def notable(self) -> bool:
        """Whether there is something to tell."""
        trouble = self.unhealthy or self.restarts > 0 or self.oom_kills > 0 or self.near_limit or self.stopped
        return trouble or self.state in ("restarting", "paused", "removing")


@dataclass(frozen=True)
class Facts:
    """All of them; ``memory`` and ``cpu`` are bytes and CPUs, ``old_images`` their age."""

    containers: tuple[Container, ...]
    restarts: Compared
    memory: Mapping[str, float]
    cpu: Mapping[str, float]
    old_images: Mapping[str, float]
    answers: bool | None = None
    stack: str = ""
    end: float = 0.0


def measure(prometheus: Prometheus) -> Facts | None:
    """Return what is known of them, None where Docker is not watched. Raises PrometheusError."""
    answers = prometheus.value(
        'max(last_over_time(mailserver_collector_success{$host, collector="containers"}[$period]))'
    )
    # A whole day of hundreds is only read where there is nothing new.
    found = prometheus.vector(_INFO) or prometheus.vector(f"last_over_time({_INFO}[$period])")
    infos = {sample.labels.get("name", ""): sample.labels.get("service", "") for sample in found}
    if answers is None and not infos:
        return None
    states = {
        sample.labels.get("name", ""): sample.labels.get("state", "")
        for sample in prometheus.vector("max by (name, state) (mailserver_container_state{$host}) == 1")
    }

    def by_name(query: str, at: float | None = None) -> dict[str, float]:
        return {sample.labels.get("name", ""): sample.value for sample in prometheus.vector(query, at)}

    restarts = by_name(_RESTARTS)
    running = by_name(f"max by (name) (avg_over_time({_RUNNING}[$period])) < 1")
    counted = by_name(f"max by (name) (count_over_time({_RUNNING}[$period]))") if any(running.values()) else {}
    exit_codes = by_name("max by (name) (mailserver_container_exit_code{$host}) != 0")
    unhealthy = by_name('max by (name) (mailserver_container_health{$host, status="unhealthy"}) == 1')
    killed = by_name("round(sum by (name) (increase(container_oom_events_total{$host}[$period]))) > 0")
    limits = "max by (name) (last_over_time(container_spec_memory_limit_bytes{$host}[1h]) > 0)"
    highest = by_name(
        f"max by (name) (max_over_time(container_memory_working_set_bytes{{$host}}[$period])) / {limits} > {_LOUD}"
    )
    with_limit = by_name(limits) if killed or highest else {}
    asked = max(counted.values(), default=0.0)
    share = (prometheus.measured() or 1.0) * prometheus.period.seconds
    containers = [
        Container(
            name,
            states.get(name, ""),
            infos.get(name, ""),
            name in unhealthy,
            exit_codes.get(name, 0.0),
            restarts.get(name, 0.0),
            killed.get(name, 0.0),
            running.get(name, 1.0),
            (1 - running.get(name, 1.0)) * counted.get(name, 0.0) / asked * share if asked else 0.0,
            highest.get(name),
            with_limit.get(name),
        )
        for name in sorted({**infos, **states, **restarts, **killed})
    ]
    stack = gauges(prometheus, ["mailserver_mail_stack_info"])
    return Facts(
        tuple(containers),
        _total(prometheus, sum(restarts.values())),
        by_name("max by (name) (container_memory_working_set_bytes{$host})"),
        by_name("sum by (name) (rate(container_cpu_usage_seconds_total{$host}[$period]))"),
        by_name(_OLD),
        None if answers is None else answers > 0,
        stack.label("mail_stack", "mailserver_mail_stack_info"),
        prometheus.period.end.timestamp(),
    )


def _total(prometheus: Prometheus, now: float) -> Compared:
    """Return all restarts; a day on which containers were counted and none was restarted has 0."""
    end = prometheus.period.end.timestamp()
    before = []
    for earlier in (DAY, WEEK):
        known = prometheus.covered(earlier) and prometheus.value(
            "count(last_over_time(mailserver_container_restarts_total{$host}[$period]))", end - earlier
        )
        before.append((prometheus.value(f"sum({_RESTARTS})", end - earlier) or 0.0) if known else None)
    return Compared(now, *before)
