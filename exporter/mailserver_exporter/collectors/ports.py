"""Whether the mail ports and the webmail greet, how fast, and how long their certificates last."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import NamedTuple

from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors import port_metrics
from mailserver_exporter.collectors.base import Collector, Context, Detection, Schedule, thresholds
from mailserver_exporter.collectors.mail_ports import IPV6_LOOPBACK, MailPorts
from mailserver_exporter.finding import Finding
from mailserver_exporter.sources.probe import Prober, Result, Target

log = logging.getLogger(__name__)

# STARTTLS, which shows the certificate, is done this often; in between the greeting is enough, and cheaper for both.
_TLS_SECONDS = 30.0
# On ::1 the same servers listen: unless listed, they are asked in each third round only, as long as all is well.
_IPV6_ROUNDS = 3


class PortsCollector(Collector):
    """Ports that must greet; `mailserver-exporter probe 25` tells the story of one.

    probe_success{module="smtp_starttls",target="127.0.0.1:25"} 1
    probe_duration_seconds{module="smtp_starttls",target="127.0.0.1:25"} 0.0031
    probe_ip_protocol{module="smtp_starttls",target="127.0.0.1:25"} 4
    probe_ssl_earliest_cert_expiry{module="smtp_starttls",target="127.0.0.1:25"} 1.8e+09
    probe_tls_version_info{module="smtp_starttls",target="127.0.0.1:25",version="TLS 1.3"} 1
    mailserver_probe_phase_duration_seconds{module="smtp_starttls",phase="tls",target="127.0.0.1:25"} 0.0021
    mailserver_probe_failure{module="smtp_starttls",reason="timeout",target="127.0.0.1:25"} 0
    mailserver_probe_starttls_success{module="smtp_starttls",target="127.0.0.1:25"} 1
    mailserver_threshold_certificate_remaining_seconds{module="smtp_tls",severity="critical",target="[::1]:465"} 6e5
    """

    name = "ports"
    schedule = Schedule(every=10, deadline=8)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._ports = MailPorts(context)
        self._prober = Prober()
        self._told: dict[str, tuple[bool, str]] = {}
        self._tls: dict[str, _Seen] = {}
        self._over_ipv6: dict[str, Result] = {}
        self._round = 0
        self._all_is_well = False

    def detect(self) -> Detection:
        """Found where mail ports are, or were."""
        return self._ports.detect()

    def collect(self) -> Iterator[Metric]:
        """Probe all at once and yield what is expected; a port that was never up has no series."""
        watched = self._ports.watched()
        results = self._probe(watched.targets.values())
        # A list in the configuration speaks for itself: what is taken off it is not missed.
        learns = not self.context.config.ports.targets
        up = {result.target.name for result in results if result.up and learns}
        expected = watched.named | self.context.expectations.expect("port", up)
        results = [self._with_tls(result) for result in results if result.target.name in expected]
        self._all_is_well = all(result.up and not result.message for result in results)
        for result in results:
            self._tell(result)
        self._told = {result.target.name: self._told[result.target.name] for result in results}
        shaken = {result.target.name for result in results if result.notes.get("starttls") and result.handshake}
        # Who writes down that a port speaks STARTTLS wants to be told when it does not.
        named = {target.name for target in watched.targets.values() if target.require_tls}
        expects_starttls = named | self.context.expectations.expect("starttls", shaken if learns else ())
        yield from port_metrics.families(results, expects_starttls)
        limit = self.context.config.limits.certificate_remaining_seconds
        yield thresholds(
            "certificate_remaining_seconds",
            "Limit of the time that a certificate has left.",
            [
                ({"target": result.target.label, "module": result.target.module}, limit)
                for result in results
                if result.expiry is not None
            ],
        )

    def found(self) -> str:
        """Say how many ports greet."""
        up = sum(up for up, _ in self._told.values())
        return f"{up} of {len(self._told)} answer" if self._told else "no port has answered yet"

    def findings(self) -> Iterator[Finding]:
        """Yield a line for each port that is down, or up with a fault."""
        for name, (up, message) in sorted(self._told.items()):
            if message or not up:
                address, _, module = name.partition("/")
                remedy = f"mailserver-exporter probe {address} --module {module} tells what happens"
                yield Finding("ports", "bad", f"{name} is {'up, but' if up else 'down'}: {message}", remedy)

    def _probe(self, targets: Collection[Target]) -> list[Result]:
        """Probe, or return what is known from a moment ago."""
        self._round += 1
        known = self._over_ipv6 if self._all_is_well and self._round % _IPV6_ROUNDS else {}
        results = self._prober.run([self._sparing(target) for target in targets if target.name not in known])
        if not known and not self.context.config.ports.targets:
            over_ipv6 = [result for result in results if result.target.host == IPV6_LOOPBACK]
            self._over_ipv6 = {result.target.name: result.without_story() for result in over_ipv6}
        return results + [known[target.name] for target in targets if target.name in known]

    def _sparing(self, target: Target) -> Target:
        """Leave STARTTLS out while what it shows is known from a moment ago."""
        seen = self._tls.get(target.name)
        if seen is None or target.require_tls or not target.module.endswith("_starttls"):
            return target
        return replace(target, ask_tls=time.monotonic() - seen.when >= _TLS_SECONDS)

    def _with_tls(self, result: Result) -> Result:
        """Keep what TLS showed of a port that is up, or add it; a fault makes it forgotten and asked again."""
        name = result.target.name
        if not result.up or result.message or result.notes.get("starttls") == 0:
            self._tls.pop(name, None)
        elif result.target.ask_tls:
            self._tls[name] = _Seen(result.without_story(), time.monotonic())
        elif name in self._tls:
            known = self._tls[name].result
            phases, notes = {**known.phases, **result.phases}, {**known.notes, **result.notes}
            return replace(result, handshake=known.handshake, phases=phases, notes=notes)
        return result

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


class _Seen(NamedTuple):
    result: Result
    when: float
