"""Whether others would accept the certificates that the mail ports and the webmail show."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter import errand
from mailserver_exporter.collectors.base import Collector, Context, Detection, Schedule
from mailserver_exporter.collectors.mail_ports import IPV6_LOOPBACK, LOOPBACK, MailPorts
from mailserver_exporter.finding import Finding
from mailserver_exporter.sources import certificate_files
from mailserver_exporter.sources.probe import Target

# Asking for TLS 1.0 and 1.1 leaves a line in the log of every server that refuses, as it should.
_LEGACY_SECONDS = 86400.0
_DEADLINE = 90.0


class CertificatesCollector(Collector):
    """The certificate of each TLS port that is up, looked at in an errand; see also the ports collector.

    What is the same on [::1] as on 127.0.0.1 has the series of 127.0.0.1 alone.

    mailserver_certificate_chain_valid{module="imap_tls",target="127.0.0.1:993"} 1
    mailserver_certificate_name_matches{module="imap_tls",target="127.0.0.1:993"} 1
    mailserver_certificate_matches_file{module="imap_tls",target="127.0.0.1:993"} 1
    mailserver_certificate_self_signed{module="imap_tls",target="127.0.0.1:993"} 0
    mailserver_certificate_key_bits{key_type="rsa",module="imap_tls",target="127.0.0.1:993"} 2048
    mailserver_certificate_signature_info{algorithm="ecdsa-with-SHA256",module="imap_tls",target="127.0.0.1:993"} 1
    mailserver_certificate_not_before_timestamp_seconds{module="imap_tls",target="127.0.0.1:993"} 1.7e+09
    mailserver_probe_legacy_tls_offered{module="imap_tls",target="127.0.0.1:993"} 0
    """

    name = "certificates"
    schedule = Schedule(every=600, deadline=_DEADLINE + 5)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._ports = MailPorts(context)
        # When each was asked, and whether it took it.
        self._legacy: dict[str, tuple[float, bool]] = {}
        self._findings: list[Finding] = []

    def detect(self) -> Detection:
        """Found where mail ports are, or were."""
        return self._ports.detect()

    def collect(self) -> Iterator[Metric]:
        """Look at all ports that must be up; one that is not is the ports collector's to tell."""
        self._findings = []
        targets = [t for t in self._ports.expected() if t.module.endswith(("_tls", "_starttls")) or t.module == "https"]
        now = time.monotonic()
        self._legacy = {name: found for name, found in self._legacy.items() if now - found[0] < _LEGACY_SECONDS}
        answer = errand.send("certificates", self._request(targets), _DEADLINE)
        ports: dict[str, Mapping[str, Any]] = answer["ports"]
        self._legacy |= {name: (now, port["legacy"]) for name, port in ports.items() if port["legacy"] is not None}
        self._findings = [Finding(self.name, "bad", problem) for problem in answer["problems"]]
        looked_at = [target for target in targets if target.name in ports and not _is_told(target, ports)]
        self._findings += _told(looked_at, ports)
        yield from _families(looked_at, ports)
        yield _gauge(
            "mailserver_probe_legacy_tls_offered",
            "Whether the port takes TLS 1.1 or older, which RFC 8996 forbids; asked once a day.",
            [(target, self._legacy[target.name][1]) for target in looked_at if target.name in self._legacy],
        )

    def findings(self) -> Iterable[Finding]:
        """Tell what clients would object to."""
        return self._findings

    def _request(self, targets: list[Target]) -> dict[str, Any]:
        section, host = self.context.config.certificates, self.context.host
        stack = self.context.mailstack.get()
        paths = [str(path) for path in section.files] or certificate_files.configured(stack, host.path)
        wanted = []
        for target in targets:
            fields = asdict(target)
            del fields["require_tls"], fields["ask_tls"]
            # The page does not matter here.
            fields["text"] = ""
            fields["legacy"] = target.name not in self._legacy
            fields["name"] = section.name or target.server_name or _name(target.host)
            wanted.append(fields)
        return {
            "targets": wanted,
            "files": [host.path(path) for path in paths],
            "ca_file": str(section.ca_file) if section.ca_file else None,
        }


def _name(host: str) -> str:
    """Return a host's name, nothing for an address: nobody promises a certificate for that."""
    return "" if ":" in host or host.replace(".", "").isdigit() else host


def _is_told(target: Target, ports: Mapping[str, Mapping[str, Any]]) -> bool:
    """Say whether the port shows the same on [::1] as on 127.0.0.1, of which all is told."""
    twin = ports.get(replace(target, host=LOOPBACK).name) if target.host == IPV6_LOOPBACK else None
    return twin is not None and twin["chain"] == ports[target.name]["chain"]


def _told(targets: list[Target], ports: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    for target in targets:
        port = ports[target.name]
        subject = f"certificate of {target.label}"
        if port["chain_valid"] is False:
            yield Finding(subject, "bad", f"clients would not trust it: {port['chain_problem']}")
        if port["name_matches"] is False:
            yield Finding(subject, "bad", "it is for another name than the mail server's")
        if port["matches_file"] is False:
            yield Finding(subject, "bad", "it is not the one on disk", "restart the service that shows it")


def _families(targets: list[Target], ports: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    known = [(target, ports[target.name]) for target in targets]
    for name, key, help_text in (
        (
            "chain_valid",
            "chain_valid",
            "Whether the chain leads to an authority that is trusted, dates left aside.",
        ),
        ("name_matches", "name_matches", "Whether the certificate is for the name of the mail server."),
        (
            "matches_file",
            "matches_file",
            "Whether the certificate is the one on disk, where one is for the same names; not so before a restart.",
        ),
        ("self_signed", "self_signed", "Whether the certificate names itself as its issuer."),
        ("not_before_timestamp_seconds", "not_before", "Begin of the certificate's validity in Unix time."),
    ):
        values = [(target, port[key]) for target, port in known if port[key] is not None]
        yield _gauge(f"mailserver_certificate_{name}", help_text, values)
    bits = GaugeMetricFamily(
        "mailserver_certificate_key_bits",
        "Length of the certificate's key in bits, 0 where it is not known.",
        labels=["target", "module", "key_type"],
    )
    signature = GaugeMetricFamily(
        "mailserver_certificate_signature_info",
        "With which algorithm the certificate is signed; always 1.",
        labels=["target", "module", "algorithm"],
    )
    for target, port in known:
        bits.add_metric([target.label, target.module, port["key_type"]], port["key_bits"])
        signature.add_metric([target.label, target.module, port["signature"]], 1)
    yield from (bits, signature)


def _gauge(name: str, help_text: str, values: list[tuple[Target, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_text, labels=["target", "module"])
    for target, value in values:
        family.add_metric([target.label, target.module], float(value))
    return family
