"""The collector of the DNS: what it asks for, when, and what it makes of the answer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mailserver_exporter import errand
from mailserver_exporter.collectors.dns import DnsCollector
from mailserver_exporter.config import Config
from mailserver_exporter.schema import ConfigError, read_text
from tests.support.contexts import context
from tests.support.metrics import Exposition
from tests.support.tools import ROOT

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "exporter")}
YAML = "dns: {resolver: 192.0.2.53, hostname: mail.example.org, domains: [{name: example.org, dkim_selectors: [dkim]}]}"


class Errands:
    """Stands for the process: keeps what was asked, and gives the answers it was made with, the last one again."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.asked: list[dict[str, Any]] = []
        self._answers = list(answers)

    def send(self, name: str, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        assert name == "dns"
        assert request["seconds"] < seconds < DnsCollector.schedule.deadline
        self.asked.append(request)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def result(check: str, state: str, domain: str = "example.org", **info: Any) -> dict[str, Any]:
    detail = f"{check} is {state}"
    return {"domain": domain, "check": check, "state": state, "detail": detail, "remedy": "", "info": info}


def answer(*results: dict[str, Any], ignored: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"results": list(results), "ignored": list(ignored), "validating": True}


def checks(found: Exposition, name: str = "mailserver_dns_check") -> dict[str, float]:
    return {sample.labels["check"]: sample.value for sample in found.all(name)}


def test_good_is_1_bad_is_0_and_what_is_not_known_or_not_offered_is_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = [result("mx", "good"), result("spf", "bad"), result("dkim", "error"), result("mta_sts", "absent")]
    monkeypatch.setattr(errand, "send", Errands(answer(*results)).send)

    found = Exposition.of(DnsCollector(context(tmp_path, YAML)).collect())

    assert checks(found) == {"mx": 1, "spf": 0}
    assert checks(found, "mailserver_dns_check_error") == {"mx": 0, "spf": 0, "dkim": 1, "mta_sts": 0}


def test_what_was_found_is_exported_besides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [{"selector": "dkim", "type": "rsa", "bits": 2048, "weak": False}]
    results = [
        result("spf", "good", all="~all", lookups=4),
        result("dkim", "good", keys=keys),
        result("dmarc", "bad"),
        result("mta_sts", "good", mode="enforce"),
        result("spf", "error", "example.net"),
    ]
    monkeypatch.setattr(errand, "send", Errands(answer(*results)).send)

    found = Exposition.of(DnsCollector(context(tmp_path, YAML)).collect())

    assert [sample.labels for sample in found.all("mailserver_dns_spf_info")] == [
        {"domain": "example.org", "all": "~all"}
    ]
    assert found.value("mailserver_dns_spf_lookups", domain="example.org") == 4
    assert found.value("mailserver_dns_dkim_key_bits", selector="dkim", type="rsa") == 2048
    assert found.value("mailserver_dns_dmarc_info", policy="absent") == 1
    assert found.value("mailserver_dns_mta_sts_info", mode="enforce") == 1


def test_severities_are_series_and_none_leaves_a_check_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    errands = Errands(answer())
    monkeypatch.setattr(errand, "send", errands.send)
    yaml = YAML.replace("hostname:", "severity: {tls_rpt: none, spf: critical}, hostname:")

    found = Exposition.of(DnsCollector(context(tmp_path, yaml)).collect())

    severities = {s.labels["check"]: s.labels["severity"] for s in found.all("mailserver_threshold_dns_check")}
    assert severities["spf"] == "critical"
    assert severities["dmarc"] == "warning"
    assert "tls_rpt" not in severities
    assert set(errands.asked[0]["checks"]) == severities.keys()


def test_the_dns_is_asked_once_an_hour_and_at_each_run_while_something_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errands = Errands(answer(result("mx", "bad")), answer(result("mx", "error")), answer(result("mx", "good")))
    monkeypatch.setattr(errand, "send", errands.send)
    collector = DnsCollector(context(tmp_path, YAML))
    values = [checks(Exposition.of(collector.collect())).get("mx") for _ in range(5)]
    assert values == [0, None, 1, 1, 1]
    assert len(errands.asked) == 3


def test_a_detected_domain_needs_an_mx_once_and_is_expected_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    (root / "etc/postfix").mkdir(parents=True)
    (root / "etc/postfix/main.cf").write_text(
        "myhostname = mail.example.org\nmydestination = old.example, host.example\n"
    )
    (root / "etc/resolv.conf").write_text("nameserver 192.0.2.53\n")
    errands = Errands(answer(result("mx", "bad"), ignored=("host.example",)))
    monkeypatch.setattr(errand, "send", errands.send)

    collector = DnsCollector(context(tmp_path / "state", "", root))
    assert collector.detect().found
    collector.collect()
    (root / "etc/postfix/main.cf").write_text("myhostname = mail.example.org\nmydestination = host.example\n")
    collector.collect()

    first, second = ({each["name"]: each["tentative"] for each in asked["domains"]} for asked in errands.asked)
    assert first == {"old.example": True, "host.example": True, "example.org": True}
    assert second == {"old.example": False, "host.example": True, "example.org": False}
    assert any("not taken for a mail domain" in finding.detail for finding in collector.findings())


def test_every_fault_is_a_finding_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = [result("mx", "good"), result("spf", "bad"), result("dkim", "error"), result("tls_rpt", "absent")]
    monkeypatch.setattr(errand, "send", Errands(answer(*results)).send)
    collector = DnsCollector(context(tmp_path, YAML))
    collector.collect()
    found = [(finding.subject, finding.state, finding.detail) for finding in collector.findings()]
    assert found == [
        ("dns example.org", "bad", "spf: spf is bad"),
        ("dns", "bad", "dkim is error; not known: dkim of example.org"),
        ("dns example.org", "good", "mx (found in dns.domains)"),
        ("dns example.org", "off", "tls_rpt is absent"),
    ]


def test_a_resolver_that_is_down_is_one_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = [{**result(f"check{number}", "error"), "detail": ". SOA: no answer"} for number in range(12)]
    monkeypatch.setattr(errand, "send", Errands(answer(*results)).send)
    collector = DnsCollector(context(tmp_path, YAML))
    collector.collect()
    [found] = collector.findings()
    assert found.state == "bad"
    assert found.detail.startswith(". SOA: no answer; not known: check0 of example.org, ")
    assert found.detail.endswith(" and 8 more")


def test_the_resident_process_never_loads_the_dns_library() -> None:
    code = "import sys, mailserver_exporter.cli, mailserver_exporter.app; print('dns' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    assert done.stdout == "False\n"


def test_port_25_is_where_the_configuration_or_the_stack_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    errands = Errands(answer())
    monkeypatch.setattr(errand, "send", errands.send)
    ports = (
        "\nports: {targets: [{port: 465, protocol: smtp, tls: implicit}, {port: 2525, protocol: smtp, tls: starttls}]}"
    )
    DnsCollector(context(tmp_path, YAML + ports)).collect()
    DnsCollector(context(tmp_path, YAML + "\nmail_stack: {kind: none}")).collect()
    assert [asked["smtp"] for asked in errands.asked] == [("127.0.0.1", 2525), None]


def test_a_bare_host_is_not_asked_about(tmp_path: Path) -> None:
    assert not DnsCollector(context(tmp_path, "", tmp_path)).detect().found


@pytest.mark.parametrize(
    ("yaml", "complaint"),
    [
        ("dns: {resolver: dns.example.org}", "dns.resolver: must be an IP address"),
        ("dns: {addresses: [mail.example.org]}", "dns.addresses: must be IP addresses"),
        ("dns: {domains: [{name: 'user@example.org'}]}", "dns.domains[0].name: must be a domain"),
        ("dns: {domains: [{name: example.org, dkim_selectors: ['a b']}]}", "must be a DKIM selector"),
        ("dns: {severity: {mx: off}}", "must be one of critical, warning, info, none"),
        ("blocklists: {lists: [spamhaus]}", "blocklists.lists[0]: must be a domain"),
    ],
)
def test_what_is_wrong_in_the_configuration_is_told(yaml: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_text(yaml, "config.yml", Config())
    assert complaint in str(caught.value)
