"""Whether the mail ports and the webmail greet, and how long their certificates last."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors.base import Collector, Context, Detection, Schedule, thresholds
from mailserver_exporter.mailstack import Stack
from mailserver_exporter.settings.mail import PortTarget
from mailserver_exporter.sources import listening
from mailserver_exporter.sources.probe import MODULES, REASONS, Prober, Result, Target

log = logging.getLogger(__name__)

# Each port, what mailcow.conf calls it, and how to speak to it.
_PORTS = (
    (25, "SMTP_PORT", "smtp_starttls"),
    (465, "SMTPS_PORT", "smtp_tls"),
    (587, "SUBMISSION_PORT", "smtp_starttls"),
    (143, "IMAP_PORT", "imap_starttls"),
    (993, "IMAPS_PORT", "imap_tls"),
    (110, "POP_PORT", "pop3_starttls"),
    (995, "POPS_PORT", "pop3_tls"),
    (8443, "HTTPS_PORT", "https"),
)
_LOOPBACK = "127.0.0.1"
# STARTTLS, which shows the certificate, is done this often; in between the greeting is enough, and cheaper for both.
_CERTIFICATE_SECONDS = 60.0
_NAME = re.compile(r"\[?(?P<host>[^\[\]/]+)\]?:(?P<port>\d{1,5})/(?P<module>\w+)")


class PortsCollector(Collector):
    """Ports that must greet; `mailserver-exporter probe 25` tells the story of one.

    probe_success{module="smtp_starttls",target="127.0.0.1:25"} 1
    probe_duration_seconds{module="smtp_starttls",target="127.0.0.1:25"} 0.0031
    probe_ssl_earliest_cert_expiry{module="smtp_starttls",target="127.0.0.1:25"} 1.8e+09
    mailserver_probe_failure{module="smtp_starttls",reason="timeout",target="127.0.0.1:25"} 0
    mailserver_threshold_certificate_remaining_seconds{module="smtp_tls",severity="critical",target="[::1]:465"} 6e5
    """

    name = "ports"
    schedule = Schedule(every=10, deadline=8)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._prober = Prober()
        self._told: dict[str, tuple[bool, str]] = {}
        self._certificates: dict[str, _Certificate] = {}

    def detect(self) -> Detection:
        """Found: targets or a host in the configuration, a mail stack, a port seen before, or one that listens now."""
        section = self.context.config.ports
        if section.targets or section.webmail_port or section.host != _LOOPBACK:
            return Detection(True, "named in the configuration")
        stack = self.context.mailstack.get()
        if stack.kind != "none":
            return Detection(True, f"the ports of {stack.kind}")
        if seen := self.context.expectations.expect("port", ()):
            return Detection(True, f"{len(seen)} ports seen before")
        proc = self.context.host.proc
        found = listening.ports((proc("self/net/tcp"), proc("self/net/tcp6"))) & {port for port, _, _ in _PORTS}
        if found:
            return Detection(True, "listening: " + ", ".join(map(str, sorted(found))))
        return Detection(False, "nothing listens on " + ", ".join(str(port) for port, _, _ in _PORTS))

    def collect(self) -> Iterator[Metric]:
        """Probe all at once and yield what is expected; a port that was never up has no series."""
        watched = self._targets()
        results = self._prober.run([self._sparing(target) for target in watched.targets.values()])
        # A list in the configuration speaks for itself: what is taken off it is not missed.
        learns = not self.context.config.ports.targets
        up = {result.target.name for result in results if result.up and learns}
        expected = watched.named | self.context.expectations.expect("port", up)
        results = [result for result in results if result.target.name in expected]
        for result in results:
            self._note_certificate(result)
            self._tell(result)
        yield from self._families(results)
        limit = self.context.config.limits.certificate_remaining_seconds
        yield thresholds(
            "certificate_remaining_seconds",
            "Limit of the time that a certificate has left.",
            [
                ({"target": result.target.label, "module": result.target.module}, limit)
                for result in results
                if self._expiry(result) is not None
            ],
        )

    def _families(self, results: list[Result]) -> Iterator[Metric]:
        labels = ["target", "module"]
        success = GaugeMetricFamily("probe_success", "Whether the port greeted as its protocol demands.", labels=labels)
        duration = GaugeMetricFamily(
            "probe_duration_seconds", "How long it took until the outcome was known.", labels=labels
        )
        expiry = GaugeMetricFamily(
            "probe_ssl_earliest_cert_expiry",
            "Earliest end of validity among the certificates that the port presented, in Unix time.",
            labels=labels,
        )
        failure = GaugeMetricFamily(
            "mailserver_probe_failure", "Why the probe failed; all 0 where it did not.", labels=[*labels, "reason"]
        )
        for result in results:
            key = [result.target.label, result.target.module]
            success.add_metric(key, float(result.up))
            duration.add_metric(key, result.seconds)
            if (ends := self._expiry(result)) is not None:
                expiry.add_metric(key, ends)
            for reason in REASONS:
                failure.add_metric([*key, reason], float(reason == result.reason))
        yield from (success, duration, expiry, failure)

    def _expiry(self, result: Result) -> float | None:
        certificate = self._certificates.get(result.target.name)
        return certificate.expiry if certificate is not None else None

    def _targets(self) -> _Watched:
        """Return what to probe, and the names of what is expected whether or not it was ever up."""
        section = self.context.config.ports
        if section.targets:
            targets = _by_name(map(_configured, section.targets))
            return _Watched(targets, set(targets))
        stack = self.context.mailstack.get()
        usual = [self._usual(stack, *port) for port in _PORTS]
        targets = _by_name(usual)
        if stack.kind == "mailcow":
            return _Watched(targets, set(targets))
        for name in self.context.expectations.expect("port", ()):
            if name not in targets and (target := _remembered(name)):
                targets[name] = target
        return _Watched(targets, {usual[-1].name} if section.webmail_port else set())

    def _usual(self, stack: Stack, port: int, name: str, module: str) -> Target:
        section = self.context.config.ports
        host = stack.hosts.get(name, section.host) if section.host == _LOOPBACK else section.host
        port = stack.ports.get(name, port)
        if module == "https" and section.webmail_port:
            port = section.webmail_port
        return Target(host, port, module, server_name=stack.hostname)

    def _sparing(self, target: Target) -> Target:
        """Leave STARTTLS out while the certificate is known from a moment ago."""
        known = self._certificates.get(target.name)
        if known is None or target.require_tls or not target.module.endswith("_starttls"):
            return target
        return replace(target, ask_tls=time.monotonic() - known.seen >= _CERTIFICATE_SECONDS)

    def _note_certificate(self, result: Result) -> None:
        """Keep the certificate of a port that is up; forget it with the first fault, so that it is read again then."""
        name = result.target.name
        if not result.up or result.message:
            self._certificates.pop(name, None)
        elif result.target.ask_tls:
            self._certificates[name] = _Certificate(result.expiry, time.monotonic())

    def _tell(self, result: Result) -> None:
        """Log a change, not every repeat."""
        name = result.target.name
        state = (result.up, result.message if result.up else str(result.reason))
        before = self._told.get(name)
        self._told[name] = state
        if state == before:
            return
        if not result.up:
            log.warning("port %s is down: %s: %s", name, result.reason, result.message)
        elif result.message:
            log.warning("port %s is up, but: %s", name, result.message)
        elif before is None:
            log.info("port %s is up", name)
        else:
            log.info("port %s is up again", name)


class _Certificate(NamedTuple):
    expiry: float | None
    seen: float


class _Watched(NamedTuple):
    targets: dict[str, Target]
    named: set[str]


def _by_name(targets: Iterable[Target]) -> dict[str, Target]:
    return {target.name: target for target in targets}


def _configured(target: PortTarget) -> Target:
    if target.protocol in ("http", "https"):
        module = "https" if target.protocol == "https" or target.tls == "implicit" else "http"
    else:
        module = target.protocol + {"none": "", "starttls": "_starttls", "implicit": "_tls"}[target.tls]
    # Who writes down that a port speaks STARTTLS wants to be told when it does not.
    return Target(target.host, target.port, module, require_tls=target.tls == "starttls", path=target.path)


def _remembered(name: str) -> Target | None:
    """Return the target that an expectation's name stands for, None when it is no such name."""
    match = _NAME.fullmatch(name)
    if match is None or match["module"] not in MODULES or not 0 < int(match["port"]) < 65536:
        return None
    return Target(match["host"], int(match["port"]), match["module"])
