"""The ports collector against a real Postfix, Dovecot and nginx, and beside the real blackbox_exporter."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from mailserver_exporter.collectors.ports import PortsCollector
from mailserver_exporter.sources.probe import Prober, Target
from tests.support import certificates
from tests.support.contexts import context
from tests.support.dovecot import Dovecot
from tests.support.exporter import Exporter
from tests.support.metrics import Exposition
from tests.support.nginx import Nginx
from tests.support.postfix import Postfix
from tests.support.processes import Program, answers, free_port, wait_for
from tests.support.tools import program

pytestmark = pytest.mark.timeout(180)


@dataclass
class Servers:
    """A mail host's servers, all with one certificate."""

    postfix: Postfix
    dovecot: Dovecot
    nginx: Nginx
    certificate: Path

    def ports(self) -> list[tuple[int, str, str]]:
        """Return port, protocol and TLS of each, as the configuration wants them."""
        return [
            (self.postfix.smtp_port, "smtp", "none"),
            (self.postfix.smtp_port, "smtp", "starttls"),
            (self.postfix.submission_port, "smtp", "starttls"),
            (self.postfix.smtps_port, "smtp", "implicit"),
            (self.dovecot.imap_port, "imap", "none"),
            (self.dovecot.imap_port, "imap", "starttls"),
            (self.dovecot.imaps_port, "imap", "implicit"),
            (self.dovecot.pop3_port, "pop3", "none"),
            (self.dovecot.pop3_port, "pop3", "starttls"),
            (self.dovecot.pop3s_port, "pop3", "implicit"),
            (self.nginx.http_port, "http", "none"),
            (self.nginx.https_port, "https", "implicit"),
        ]

    def settings(self) -> str:
        """Return the section of the configuration file."""
        targets = [{"port": port, "protocol": protocol, "tls": tls} for port, protocol, tls in self.ports()]
        return yaml.safe_dump({"ports": {"targets": targets}})


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    certificate = tmp_path_factory.mktemp("certificate") / "chain.pem"
    certificates.write_chain(certificate, days=30)
    with Postfix(certificate=certificate) as postfix, Dovecot(certificate) as dovecot, Nginx(certificate) as nginx:
        yield Servers(postfix, dovecot, nginx, certificate)


# The chat scripts that blackbox_exporter needs for what our modules know; after its example.yml.
_CHATS: dict[str, list[dict[str, Any]]] = {
    "smtp": [{"expect": "^220"}, {"send": "QUIT\r"}],
    "smtp_starttls": [
        {"expect": "^220"},
        {"send": "EHLO prober\r"},
        {"expect": "^250[ -]STARTTLS"},
        {"send": "STARTTLS\r"},
        {"expect": "^220"},
        {"starttls": True},
        {"send": "QUIT\r"},
    ],
    "imap": [{"expect": r"^\* OK"}, {"send": "a LOGOUT\r"}],
    "imap_starttls": [
        {"expect": r"^\* OK"},
        {"send": "a STARTTLS\r"},
        {"expect": "^a OK"},
        {"starttls": True},
        {"send": "b LOGOUT\r"},
    ],
    "pop3": [{"expect": r"^\+OK"}, {"send": "QUIT\r"}],
    "pop3_starttls": [
        {"expect": r"^\+OK"},
        {"send": "STLS\r"},
        {"expect": r"^\+OK"},
        {"starttls": True},
        {"send": "QUIT\r"},
    ],
}


@pytest.fixture(scope="module")
def blackbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("blackbox")
    # It reads no certificate that it does not trust unless told so; ours always does.
    trusting = {"insecure_skip_verify": True}
    modules: dict[str, Any] = {}
    for name, chat in _CHATS.items():
        modules[name] = {"prober": "tcp", "timeout": "5s", "tcp": {"query_response": chat, "tls_config": trusting}}
    for protocol in ("smtp", "imap", "pop3"):
        tcp = {"query_response": _CHATS[protocol], "tls": True, "tls_config": trusting}
        modules[f"{protocol}_tls"] = {"prober": "tcp", "timeout": "5s", "tcp": tcp}
    modules["http"] = {"prober": "http", "timeout": "5s"}
    modules["https"] = {"prober": "http", "timeout": "5s", "http": {"tls_config": trusting}}
    configuration = folder / "blackbox.yml"
    configuration.write_text(yaml.safe_dump({"modules": modules}))
    url = f"http://127.0.0.1:{free_port()}"
    command = [program("prometheus-blackbox-exporter"), f"--config.file={configuration}"]
    command.append(f"--web.listen-address={url.removeprefix('http://')}")
    with Program(command, folder / "log", ready=lambda: answers(url)):
        yield url


def ask_blackbox(url: str, target: str, module: str) -> Exposition:
    """Probe as Prometheus would have it probe: the labels target and module come from the URL."""
    address = f"{module}://{target}" if module in ("http", "https") else target
    answer = requests.get(f"{url}/probe", params={"target": address, "module": module}, timeout=10)
    return Exposition(answer.text)


def compare(ours: Exposition, url: str) -> int:
    """Compare every target of ours with what blackbox_exporter says of it; return how many expiries were equal."""
    equal = 0
    for sample in ours.all("probe_success"):
        theirs = ask_blackbox(url, sample.labels["target"], sample.labels["module"])
        assert theirs.value("probe_success") == sample.value, sample
        expiry = [s.value for s in ours.all("probe_ssl_earliest_cert_expiry", **sample.labels)]
        assert [s.value for s in theirs.all("probe_ssl_earliest_cert_expiry")] == expiry, sample
        equal += len(expiry)
        assert set(sample.labels) == {"target", "module"}
        assert theirs.names() >= {"probe_success", "probe_duration_seconds"}
    return equal


def test_real_servers_are_up_and_blackbox_exporter_says_the_same(
    servers: Servers, blackbox: str, tmp_path: Path
) -> None:
    ours = Exposition.of(PortsCollector(context(tmp_path, servers.settings())).collect())

    assert {s.value for s in ours.all("probe_success")} == {1}
    assert len(ours.all("probe_success")) == 12
    assert {s.value for s in ours.all("mailserver_probe_failure")} == {0}
    assert compare(ours, blackbox) == 8
    assert {s.value for s in ours.all("probe_ssl_earliest_cert_expiry")} == {
        certificates.earliest_expiry(servers.certificate)
    }


def test_an_expired_intermediate_is_found_as_blackbox_exporter_finds_it(blackbox: str, tmp_path: Path) -> None:
    for fault in certificates.FAULTS:
        certificate = certificates.write(tmp_path / f"{fault}.pem".replace(" ", "-"), fault)
        with Nginx(certificate) as nginx:
            settings = f"ports: {{targets: [{{port: {nginx.https_port}, protocol: https}}]}}"
            ours = Exposition.of(PortsCollector(context(tmp_path, settings)).collect())

            assert ours.value("probe_success") == 1
            assert compare(ours, blackbox) == 1
        assert ours.value("probe_ssl_earliest_cert_expiry") == certificates.earliest_expiry(certificate)


@pytest.mark.parametrize(("path", "up"), [("/login", 1), ("/private", 1), ("/gone", 1), ("/broken", 0)])
def test_the_webmail_is_up_with_any_status_below_500(path: str, up: int, servers: Servers, tmp_path: Path) -> None:
    target = f"{{port: {servers.nginx.https_port}, protocol: https, path: {path}}}"

    found = Exposition.of(PortsCollector(context(tmp_path, f"ports: {{targets: [{target}]}}")).collect())

    assert found.value("probe_success") == up
    assert found.value("mailserver_probe_failure", reason="status") == 1 - up


def test_an_old_server_that_knows_tls_1_0_alone_is_measured(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    certificate = certificates.write(tmp_path / "old.pem", key=rsa.generate_private_key(65537, 1024))
    with Nginx(certificate, protocols="TLSv1") as nginx:
        [result] = Prober().run([Target("127.0.0.1", nginx.https_port, "https")])

    assert result.up, result
    assert result.expiry == certificates.earliest_expiry(certificate)
    assert any(step.text.startswith("TLSv1 with") for step in result.story)


def test_wedged_servers_are_down_while_the_others_stay_up(servers: Servers, tmp_path: Path) -> None:
    collector = PortsCollector(context(tmp_path, servers.settings()))
    servers.dovecot.freeze()
    try:
        started = time.monotonic()
        found = Exposition.of(collector.collect())
        took = time.monotonic() - started
    finally:
        servers.dovecot.thaw()
    after = Exposition.of(collector.collect())

    down = {s.labels["module"] for s in found.all("probe_success") if not s.value}
    assert down == {"imap", "imap_starttls", "imap_tls", "pop3", "pop3_starttls", "pop3_tls"}
    assert {s.labels["module"] for s in found.all("mailserver_probe_failure", reason="timeout") if s.value} == down
    assert took < collector.schedule.deadline
    assert {s.value for s in after.all("probe_success")} == {1}


def test_the_servers_logs_stay_clean(servers: Servers, tmp_path: Path) -> None:
    settings = servers.settings()
    Exposition.of(PortsCollector(context(tmp_path, settings)).collect())
    before = len(servers.postfix.output()), len(servers.dovecot.output())
    requests_before = len(servers.nginx.access_log(0))

    Exposition.of(PortsCollector(context(tmp_path, settings)).collect())

    wait_for("Postfix has seen 4 clients off", lambda: servers.postfix.output()[before[0] :].count("disconnect ") >= 4)
    wait_for("Dovecot has seen 6 clients off", lambda: servers.dovecot.output()[before[1] :].count(" rip=") >= 6)
    smtp = servers.postfix.output()[before[0] :]
    login = servers.dovecot.output()[before[1] :]
    assert not re.search(r"warning|error|lost connection|improper|timeout", smtp), smtp
    assert smtp.count(" quit=1 ") == 4
    assert not re.search(r"Warning|Error|Connection closed|failed", login), login
    assert login.count("by logging out") == 6
    for line in servers.nginx.access_log(requests_before + 2)[requests_before:]:
        assert '"GET / HTTP/1.1" 200 8 "-" "mailserver-exporter"' in line


def test_postscreen_is_not_spoken_to_before_its_last_line(tmp_path: Path) -> None:
    with Postfix(settings={"postscreen_greet_banner": "mail.example.org waits"}) as postfix:
        port = free_port()
        with (postfix.config / "master.cf").open("a") as services:
            # An allowlist of nobody, so that we are strangers, and a pause shorter than the six seconds it usually is.
            services.write(f"127.0.0.1:{port} inet n - n - 1 postscreen -o postscreen_access_list= ")
            services.write("-o mynetworks= -o postscreen_greet_wait=2s -o postscreen_greet_action=enforce\n")
            services.write("smtpd pass - - n - - smtpd\n")
        postfix.stop()
        postfix.start()
        [result] = Prober().run([Target("127.0.0.1", port, "smtp_starttls")])
        log = postfix.output()

    assert (result.up, result.message) == (True, ""), (result, log)
    assert "PREGREET" not in log
    assert "HANGUP" not in log
    said = [step.text for step in result.story if step.text.startswith("< 220")]
    assert said == ["< 220-mail.example.org waits", "< 220 mail.example.org ESMTP Postfix"]


def test_the_exporter_finds_the_ports_of_a_mailcow_by_itself(servers: Servers, tmp_path: Path) -> None:
    directory = tmp_path / "mailcow"
    directory.mkdir()
    ports = {
        "SMTP_PORT": servers.postfix.smtp_port,
        "SMTPS_PORT": servers.postfix.smtps_port,
        "SUBMISSION_PORT": servers.postfix.submission_port,
        "IMAP_PORT": servers.dovecot.imap_port,
        "IMAPS_PORT": servers.dovecot.imaps_port,
        "POP_PORT": servers.dovecot.pop3_port,
        "POPS_PORT": servers.dovecot.pop3s_port,
        "HTTPS_PORT": servers.nginx.https_port,
    }
    lines = ["MAILCOW_HOSTNAME=mail.example.org", "HTTPS_BIND=", *(f"{name}={port}" for name, port in ports.items())]
    (directory / "mailcow.conf").write_text("\n".join(lines) + "\n")
    settings = f"mail_stack: {{kind: mailcow, directory: {directory}}}\n"
    with Exporter(tmp_path / "exporter", settings) as exporter:
        found = exporter.scrape()
        up = {s.labels["target"] for s in found.all("probe_success") if s.value}
        assert up == {f"127.0.0.1:{port}" for port in ports.values()}
        assert len(found.all("probe_ssl_earliest_cert_expiry")) == 8
        # The limit stands beside each certificate, with the labels that tell it.
        expiries = [s.labels for s in found.all("probe_ssl_earliest_cert_expiry")]
        limits = found.all("mailserver_threshold_certificate_remaining_seconds", severity="critical")
        assert [{**labels, "severity": "critical"} for labels in expiries] == [s.labels for s in limits]
        assert found.value("mailserver_collector_success", collector="ports") == 1
