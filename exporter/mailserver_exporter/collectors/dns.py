"""What the DNS says of the mail domains and the mail host."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter import errand
from mailserver_exporter.collectors import dns_request
from mailserver_exporter.collectors.base import Collector, Context, Detection, Schedule
from mailserver_exporter.finding import Finding
from mailserver_exporter.settings.dns import DnsSeverity

# Kind of expectation.
MAIL_DOMAIN = "mail_domain"
_LOOKUP_SECONDS = 60.0
_ERRAND_SECONDS = 80.0
_SHOWN = 4
_VALUES = {"good": 1.0, "bad": 0.0}


class DnsCollector(Collector):
    """DNS records, as `dig MX example.org`, `dig TXT _dmarc.example.org` and the like show them, judged.

    # HELP mailserver_dns_check Whether the DNS is as mail needs it; absent where the lookup failed ...
    # TYPE mailserver_dns_check gauge
    mailserver_dns_check{check="mx",domain="example.org"} 1
    mailserver_dns_check{check="spf",domain="example.org"} 0
    mailserver_dns_check{check="ptr",domain="mail.example.org"} 1
    mailserver_dns_check_error{check="mx",domain="example.org"} 0
    mailserver_dns_spf_info{all="-all",domain="example.org"} 1
    mailserver_dns_spf_lookups{domain="example.org"} 4
    mailserver_dns_dkim_key_bits{domain="example.org",selector="dkim",type="rsa"} 2048
    mailserver_dns_dmarc_info{domain="example.org",policy="reject"} 1
    mailserver_dns_mta_sts_info{domain="example.org",mode="enforce"} 1
    mailserver_dns_last_check_timestamp_seconds 1.79e+09
    mailserver_threshold_dns_check{check="mx",severity="critical"} 1

    The checks of the mail host (a, aaaa, ptr, tlsa, caa) have its name as their domain. Asked once an hour, and every
    five minutes while something is wrong, so that what was mended is soon seen.
    """

    name = "dns"
    schedule = Schedule(every=300, deadline=90)

    # Seconds that what was all right is good for.
    max_age = 3500.0

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._results: list[dict[str, Any]] = []
        self._ignored: list[str] = []
        self._found: dict[str, str] = {}
        self._checked = 0.0
        self._next = float("-inf")

    def detect(self) -> Detection:
        """Say whether a domain is configured or a mail stack is here that may have some."""
        section = self.context.config.dns
        if section.domains:
            return Detection(True, f"{len(section.domains)} domains named in the configuration")
        kind = self.context.mailstack.get().kind
        if kind != "none":
            return Detection(True, f"the domains of {kind}")
        return Detection(False, "no mail stack found, and no dns.domains in the configuration")

    def collect(self) -> Iterator[Metric]:
        """Ask when it is time; yield what was found then."""
        if time.monotonic() >= self._next:
            self._ask()
        return self._families()

    def _ask(self) -> None:
        section = self.context.config.dns
        domains = {domain.name: domain for domain in dns_request.domains(self.context)}
        self._found = {domain.name: domain.where for domain in domains.values()}
        known = self.context.expectations.expect(MAIL_DOMAIN, ()) if not section.domains else frozenset(domains)
        for name in known - domains.keys():
            domains[name] = dns_request.MailDomain(name, (), "seen before")
        request = {
            **dns_request.base(self.context, _LOOKUP_SECONDS),
            "smtp": self._port_25(),
            "checks": list(section.severity.watched()),
            "domains": [
                {"name": each.name, "selectors": each.selectors, "tentative": each.name not in known}
                for each in domains.values()
            ],
        }
        answer = errand.send("dns", request, _ERRAND_SECONDS)
        self._results, self._ignored = answer["results"], answer["ignored"]
        self._checked = time.time()
        if not section.domains:
            self.context.expectations.expect(MAIL_DOMAIN, domains.keys() - set(self._ignored))
        calm = all(result["state"] in ("good", "absent") for result in self._results)
        self._next = time.monotonic() + (self.max_age if calm else 0.0)

    def _port_25(self) -> tuple[str, int] | None:
        """Return where our own port 25 is reached from here."""
        for target in self.context.config.ports.targets:
            if target.protocol == "smtp" and target.tls == "starttls":
                return target.host, target.port
        stack = self.context.mailstack.get()
        host = stack.hosts.get("SMTP_PORT", self.context.config.ports.host)
        return (host, stack.ports.get("SMTP_PORT", 25)) if stack.kind != "none" else None

    def _families(self) -> Iterator[Metric]:
        labels = ["domain", "check"]
        check = GaugeMetricFamily(
            "mailserver_dns_check",
            "Whether the DNS is as mail needs it; absent where the lookup failed or nothing is offered.",
            labels=labels,
        )
        error = GaugeMetricFamily(
            "mailserver_dns_check_error",
            "Whether the lookups of the check failed, so that it knows nothing.",
            labels=labels,
        )
        for result in self._results:
            key = [result["domain"], result["check"]]
            if (value := _VALUES.get(result["state"])) is not None:
                check.add_metric(key, value)
            error.add_metric(key, float(result["state"] == "error"))
        yield from (check, error)
        yield from _info_families(self._results)
        yield GaugeMetricFamily(
            "mailserver_dns_last_check_timestamp_seconds", "When the DNS was asked last.", self._checked
        )
        limit = GaugeMetricFamily(
            "mailserver_threshold_dns_check",
            "Value below which a check of the DNS is an alert of this severity.",
            labels=["check", "severity"],
        )
        for name, severity in self.context.config.dns.severity.watched().items():
            limit.add_metric([name, severity], 1)
        yield limit

    def findings(self) -> Iterator[Finding]:
        """Tell each thing that is wrong, and of each domain what is right."""
        fine: dict[str, list[str]] = {}
        missing: dict[str, list[str]] = {}
        failed: dict[str, list[str]] = {}
        for result in self._results:
            subject = f"dns {result['domain']}"
            if result["state"] == "bad":
                yield Finding(subject, "bad", f"{result['check']}: {result['detail']}", result["remedy"])
            elif result["state"] == "error":
                failed.setdefault(result["detail"], []).append(f"{result['check']} of {result['domain']}")
            elif result["state"] == "good":
                fine.setdefault(subject, []).append(result["check"])
            elif not result["info"].get("moot"):
                missing.setdefault(subject, []).append(result["detail"])
        for reason, checks in failed.items():
            # One resolver that is down fails them all for one reason.
            known = ", ".join(checks[:_SHOWN]) + (f" and {len(checks) - _SHOWN} more" if len(checks) > _SHOWN else "")
            yield Finding(
                "dns", "bad", f"{reason}; not known: {known}", "see that the resolver answers, or dns.resolver"
            )
        for subject, checks in fine.items():
            where = self._found.get(subject.removeprefix("dns "))
            origin = f" (found in {where})" if where else ""
            yield Finding(subject, "good", f"{', '.join(checks)}{origin}")
        for subject, details in missing.items():
            yield Finding(subject, "off", "; ".join(details))
        left_out = DnsSeverity().watched().keys() - self.context.config.dns.severity.watched().keys()
        if left_out:
            yield Finding("dns", "off", f"left out by dns.severity: {', '.join(sorted(left_out))}")
        for name in self._ignored:
            detail = f"found in {self._found.get(name, '?')}, but has no MX: not taken for a mail domain"
            yield Finding(f"dns {name}", "off", detail)


def _info_families(results: Iterable[Mapping[str, Any]]) -> Iterator[Metric]:
    """Yield what was found, of each domain that was judged; ``absent`` stands for what is not offered."""
    spf = GaugeMetricFamily(
        "mailserver_dns_spf_info", "How the SPF record ends; the value is always 1.", labels=["domain", "all"]
    )
    lookups = GaugeMetricFamily(
        "mailserver_dns_spf_lookups", "DNS lookups that the SPF record needs; 10 are allowed.", labels=["domain"]
    )
    bits = GaugeMetricFamily(
        "mailserver_dns_dkim_key_bits", "Length of the DKIM key.", labels=["domain", "selector", "type"]
    )
    dmarc = GaugeMetricFamily(
        "mailserver_dns_dmarc_info", "The DMARC policy; the value is always 1.", labels=["domain", "policy"]
    )
    sts = GaugeMetricFamily(
        "mailserver_dns_mta_sts_info", "The MTA-STS mode; the value is always 1.", labels=["domain", "mode"]
    )
    for result in results:
        if result["state"] == "error":
            continue
        domain, info = result["domain"], result["info"]
        if result["check"] == "spf":
            spf.add_metric([domain, info.get("all") or "absent"], 1)
            if "lookups" in info:
                lookups.add_metric([domain], info["lookups"])
        elif result["check"] == "dkim":
            for key in info.get("keys", ()):
                bits.add_metric([domain, key["selector"], key["type"]], key["bits"])
        elif result["check"] == "dmarc":
            dmarc.add_metric([domain, info.get("policy", "absent")], 1)
        elif result["check"] == "mta_sts":
            sts.add_metric([domain, info.get("mode", "absent")], 1)
    yield from (spf, lookups, bits, dmarc, sts)
