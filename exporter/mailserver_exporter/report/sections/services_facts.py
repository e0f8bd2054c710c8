"""What is known of the services: ports, compose services and systemd units, and of the exporter that watches them."""

from __future__ import annotations

from dataclasses import dataclass

from mailserver_exporter.report import boots, outages
from mailserver_exporter.report.gauges import gauges
from mailserver_exporter.report.outages import Availability, Measured
from mailserver_exporter.report.prometheus import Compared, Prometheus, key

_PROBES = ("target", "module")
_COMPOSE = ("project", "service")
_UNKNOWN = Compared(None, None, None)


@dataclass(frozen=True)
class Service:
    """One of them. ``kind`` is port, service or unit; ``where`` the port's module or the service's project.

    ``response`` is the median in seconds, ``slow_response`` what 95 % were faster than.
    """

    kind: str
    name: str
    where: str
    availability: Availability
    response: Compared = _UNKNOWN
    slow_response: float | None = None
    reason: str = ""

    @property
    def title(self) -> str:
        """What it is called."""
        return f"{self.name} ({self.where})" if self.where else self.name


@dataclass(frozen=True)
class Facts:
    """All services; ``failed`` are the units that systemd has given up, now and for some time of the period."""

    services: tuple[Service, ...]
    measured: Measured
    failed: tuple[str, ...] = ()
    failed_before: tuple[str, ...] = ()
    boots: tuple[float, ...] = ()
    stack: str = ""
    seconds: float = 86400.0


def measure(prometheus: Prometheus) -> Facts | None:
    """Return what is known of them, None where none is watched. Raises PrometheusError."""
    measured = outages.measured(prometheus)
    share = measured.ratio
    services = [
        *_ports(prometheus, share),
        *(
            Service("service", service, project, availability)
            for (project, service), availability in outages.ask(
                prometheus, "mailserver_service_up{$host}", _COMPOSE, share
            ).items()
        ),
        *(
            Service("unit", name, "", availability)
            for (name,), availability in outages.ask(
                prometheus, "mailserver_systemd_unit_active{$host}", ("name",), share
            ).items()
        ),
    ]
    states = 'node_systemd_unit_state{$host, state="failed"}'
    failed = {s.labels.get("name", "") for s in prometheus.vector(f"max by (name) ({states}) == 1")}
    ever = {
        s.labels.get("name", "") for s in prometheus.vector(f"max by (name) (max_over_time({states}[$period])) == 1")
    }
    if not services and not ever and measured.ratio is None:
        return None
    stack = gauges(prometheus, ["mailserver_mail_stack_info"])
    return Facts(
        tuple(services),
        measured,
        tuple(sorted(failed)),
        tuple(sorted(ever - failed)),
        boots.ask(prometheus),
        stack.label("mail_stack", "mailserver_mail_stack_info"),
        prometheus.period.seconds,
    )


def _ports(prometheus: Prometheus, share: float | None) -> list[Service]:
    found = outages.ask(prometheus, "probe_success{$host}", _PROBES, share)
    if not found:
        return []
    times = "max by (target, module) (quantile_over_time(QUANTILE, probe_duration_seconds{$host}[$period]))"
    medians = prometheus.compared_by(times.replace("QUANTILE", "0.5"), *_PROBES)
    slow = {key(s.labels, _PROBES): s.value for s in prometheus.vector(times.replace("QUANTILE", "0.95"))}
    reasons = {
        key(sample.labels, _PROBES): sample.labels.get("reason", "")
        for sample in prometheus.vector("max by (target, module, reason) (mailserver_probe_failure{$host}) == 1")
    }
    return [
        Service(
            "port", name[0], name[1], availability, medians.get(name, _UNKNOWN), slow.get(name), reasons.get(name, "")
        )
        for name, availability in found.items()
    ]
