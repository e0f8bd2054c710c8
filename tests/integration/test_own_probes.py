"""A server that nobody but the exporter talks to: what it is asked, in vain or not, must not look like an attack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mailserver_exporter.collectors.certificates import CertificatesCollector
from mailserver_exporter.collectors.logs import LogsCollector
from mailserver_exporter.collectors.ports import PortsCollector
from mailserver_exporter.collectors.roundtrip import RoundtripCollector
from tests.support import certificates
from tests.support.contexts import context
from tests.support.mailserver import MailServer
from tests.support.metrics import Exposition
from tests.support.processes import wait_for

PROBE, PASSWORD = "probe@example.org", "geheim"
PROBES = 20
# What the rules look at, in rules/dovecot.rules.yml and rules/mail_flow.rules.yml.
ALERTED: list[tuple[str, dict[str, str]]] = [
    ("mailserver_dovecot_errors_total", {}),
    ("mailserver_dovecot_login_failures_total", {"reason": "auth_failed"}),
    ("mailserver_postfix_deliveries_total", {"status": "bounced"}),
    ("mailserver_postfix_deliveries_total", {"status": "deferred"}),
    ("mailserver_postfix_remote_rejections_total", {}),
    ("postfix_smtpd_sasl_authentication_failures_total", {}),
]
# And what somebody may well make a rule of.
QUIET: list[tuple[str, dict[str, str]]] = [
    ("mailserver_dovecot_messages_total", {"level": "warning"}),
    ("mailserver_dovecot_messages_total", {"level": "error"}),
    # Warnings of smtpd answer those who ask whether it still speaks TLS 1.0, as the posture check does.
    *(("mailserver_postfix_log_messages_total", {"level": level}) for level in ("error", "fatal", "panic")),
    ("postfix_smtpd_messages_rejected_total", {}),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailServer]:
    pem = certificates.write_chain(tmp_path / "certificate.pem")
    with MailServer(pem, {PROBE: PASSWORD}) as server:
        yield server


def settings(folder: Path, server: MailServer) -> str:
    dovecot, postfix = server.dovecot, server.postfix
    password = folder / "password"
    password.write_text(PASSWORD)
    ports = [
        (postfix.smtp_port, "smtp", "none"),
        (postfix.submission_port, "smtp", "starttls"),
        (postfix.smtps_port, "smtp", "implicit"),
        (dovecot.imap_port, "imap", "starttls"),
        (dovecot.imaps_port, "imap", "implicit"),
        (dovecot.pop3_port, "pop3", "starttls"),
        (dovecot.pop3s_port, "pop3", "implicit"),
        (dovecot.sieve_port, "sieve", "starttls"),
    ]
    return yaml.safe_dump(
        {
            "state_directory": str(folder / "state"),
            "ports": {"targets": [{"port": p, "protocol": protocol, "tls": tls} for p, protocol, tls in ports]},
            "roundtrip": {
                "address": PROBE,
                "password_file": str(password),
                "smtp": f"127.0.0.1:{postfix.submission_port}",
                "smtp_tls": "starttls",
                "imap": f"127.0.0.1:{dovecot.imap_port}",
                "imap_tls": "starttls",
            },
            "logs": {"sources": {"postfix": str(postfix.log), "dovecot": str(dovecot.log), "sshd": "none"}},
        }
    )


def test_what_the_exporter_itself_asks_is_no_attack(server: MailServer, tmp_path: Path) -> None:
    own = context(tmp_path, settings(tmp_path, server))
    logs, ports = LogsCollector(own), PortsCollector(own)
    Exposition.of(logs.collect())
    for _ in range(PROBES):
        up = Exposition.of(ports.collect()).all("probe_success")
        assert [sample.value for sample in up] == [1] * 8
    Exposition.of(CertificatesCollector(own).collect())
    round_trip = Exposition.of(RoundtripCollector(own).collect())
    assert round_trip.value("mailserver_roundtrip_success", loop="local") == 1
    connects = "postfix_smtpd_connects_total"
    wait_for("all is logged", lambda: Exposition.of(logs.collect()).value(connects) >= 3 * PROBES + 1)
    wait_for("Dovecot has told of the end", lambda: "Logged out" in server.dovecot.output())
    found = Exposition.of(logs.collect())
    logs.close()
    assert found.value("mailserver_dovecot_logins_total", protocol="imap") >= 1
    for name, labels in ALERTED + QUIET:
        assert found.all(name, **labels), name
        assert [s for s in found.all(name, **labels) if s.value] == []
