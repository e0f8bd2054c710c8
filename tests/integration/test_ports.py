"""The ports collector against a real Postfix, Dovecot and nginx, and beside the real blackbox_exporter."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from mailserver_exporter.collectors import mail_ports, ports
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
from tests.support.tools import RELEASES, program

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
            (self.dovecot.sieve_port, "sieve", "none"),
            (self.dovecot.sieve_port, "sieve", "starttls"),
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
    locations = {
        "/mail": 'add_header Strict-Transport-Security max-age=15768000; return 200 "<h1>Anmeldung für SOGo</h1>";'
    }
    with (
        Postfix(certificate=certificate) as postfix,
        Dovecot(certificate) as dovecot,
        Nginx(certificate, locations=locations) as nginx,
    ):
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
    "sieve": [{"expect": "^OK"}, {"send": "LOGOUT\r"}],
    "sieve_starttls": [
        {"expect": "^OK"},
        {"send": "STARTTLS\r"},
        {"expect": "^OK"},
        {"starttls": True},
        {"expect": "^OK"},
        {"send": "LOGOUT\r"},
    ],
}
# What is not compared as it is. Values that are another run's: durations. Versions: blackbox_exporter takes HTTP/2
# where it is offered. Ciphers: OpenSSL's name, as servers are configured with, for what our OpenSSL and its Go prefer.
_OF_ANOTHER_RUN = re.compile("probe_(duration|dns_lookup_time|http_duration)_seconds|probe_tls_cipher_info")
# Names of theirs that we leave out: what we do not do (redirects, regular expressions, verified chains, which is
# mailserver_certificate_chain_valid), and what says nothing about a mail server.
_THEIRS_ALONE = {
    "probe_failed_due_to_regex",
    "probe_failed_due_to_bytes",
    "probe_failed_due_to_cel",
    "probe_expect_info",
    "probe_http_content_length",
    "probe_http_redirects",
    "probe_http_uncompressed_body_length",
    "probe_http_last_modified_timestamp_seconds",
    "probe_ip_addr_hash",
    "probe_ssl_last_chain_expiry_timestamp_seconds",
    "probe_ssl_last_chain_info",
}


@pytest.fixture(scope="module", params=RELEASES)
def blackbox(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
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
    command = [program("prometheus-blackbox-exporter", request.param), f"--config.file={configuration}"]
    command.append(f"--web.listen-address={url.removeprefix('http://')}")
    with Program(command, folder / "log", ready=lambda: answers(url)):
        yield url


def ask_blackbox(url: str, target: str, module: str) -> Exposition:
    """Probe as Prometheus would have it probe: the labels target and module come from the URL."""
    address = f"{module}://{target}" if module in ("http", "https") else target
    answer = requests.get(f"{url}/probe", params={"target": address, "module": module}, timeout=10)
    return Exposition(answer.text)


def compare(ours: Exposition, url: str) -> set[str]:
    """Compare every target of ours with what blackbox_exporter says of it; return the names that were compared."""
    compared = set()
    for target in ours.all("probe_success"):
        labels = target.labels
        assert set(labels) == {"target", "module"}
        theirs = ask_blackbox(url, labels["target"], labels["module"])
        mine = {name for name in ours.names() if name.startswith("probe_") and ours.all(name, **labels)}
        assert {n for n in theirs.names() if n.startswith("probe_")} - mine <= _THEIRS_ALONE, labels
        for name in mine & theirs.names():
            assert _series(ours, name, labels) == _series(theirs, name), (name, labels)
            compared.add(name)
    return compared


def _series(found: Exposition, name: str, labels: Mapping[str, str] | None = None) -> list[Any]:
    """Return labels and values, as far as two probes of the same thing have them in common."""
    kind = _OF_ANOTHER_RUN.fullmatch(name)
    series = []
    for sample in found.all(name, **(labels or {})):
        own = {key: value for key, value in sample.labels.items() if key not in (labels or {}) and key != "cipher"}
        series.append((sorted(own.items()), sample.value > 0 if kind else sample.value))
    return sorted(series)


def test_real_servers_are_up_and_blackbox_exporter_says_the_same(
    servers: Servers, blackbox: str, tmp_path: Path
) -> None:
    ours = Exposition.of(PortsCollector(context(tmp_path, servers.settings())).collect())

    assert {s.value for s in ours.all("probe_success")} == {1}
    assert len(ours.all("probe_success")) == 14
    assert {s.value for s in ours.all("mailserver_probe_failure")} == {0}
    assert len(ours.all("probe_ssl_earliest_cert_expiry")) == 9
    assert compare(ours, blackbox) >= {
        "probe_success",
        "probe_duration_seconds",
        "probe_ip_protocol",
        "probe_ssl_earliest_cert_expiry",
        "probe_tls_version_info",
        "probe_http_status_code",
        "probe_http_version",
        "probe_http_ssl",
        "probe_http_duration_seconds",
        "probe_dns_lookup_time_seconds",
    }
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
            assert "probe_ssl_earliest_cert_expiry" in compare(ours, blackbox)
        assert ours.value("probe_ssl_earliest_cert_expiry") == certificates.earliest_expiry(certificate)


@pytest.mark.parametrize(("path", "up"), [("/login", 1), ("/private", 1), ("/gone", 1), ("/broken", 0)])
def test_the_webmail_is_up_with_any_status_below_500(path: str, up: int, servers: Servers, tmp_path: Path) -> None:
    target = f"{{port: {servers.nginx.https_port}, protocol: https, path: {path}}}"

    found = Exposition.of(PortsCollector(context(tmp_path, f"ports: {{targets: [{target}]}}")).collect())

    assert found.value("probe_success") == up
    assert found.value("mailserver_probe_failure", reason="status") == 1 - up


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [("/mail", "Anmeldung für", ""), ("/", "Anmeldung für", "text"), ("/login", "Anmeldung für", "status")],
)
def test_the_webmail_must_hold_its_text_where_there_is_one(
    path: str, text: str, reason: str, servers: Servers, tmp_path: Path
) -> None:
    target = f"{{port: {servers.nginx.https_port}, protocol: https, path: {path}, text: {text}}}"

    found = Exposition.of(PortsCollector(context(tmp_path, f"ports: {{targets: [{target}]}}")).collect())

    assert found.value("probe_success") == (not reason)
    assert {s.labels["reason"] for s in found.all("mailserver_probe_failure") if s.value} == (
        {reason} if reason else set()
    )
    if path != "/login":
        assert found.value("mailserver_probe_http_hsts") == (path == "/mail")


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
    assert down == {
        *("imap", "imap_starttls", "imap_tls", "pop3", "pop3_starttls", "pop3_tls", "sieve", "sieve_starttls")
    }
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
    wait_for("Dovecot has seen 8 clients off", lambda: servers.dovecot.output()[before[1] :].count(" rip=") >= 8)
    smtp = servers.postfix.output()[before[0] :]
    login = servers.dovecot.output()[before[1] :]
    assert not re.search(r"warning|error|lost connection|improper|timeout", smtp), smtp
    assert smtp.count(" quit=1 ") == 4
    assert not re.search(r"Warning|Error|Connection closed|failed", login), login
    assert login.count("by logging out") == 8
    for line in servers.nginx.access_log(requests_before + 2)[requests_before:]:
        assert '"GET / HTTP/1.1" 200 8 "-" "mailserver-exporter"' in line


def test_starttls_that_is_gone_or_fails_is_told_whether_learned_or_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = certificates.write_chain(tmp_path / "chain.pem")
    with Postfix(certificate=pem) as postfix:
        target = f"{{port: {postfix.smtp_port}, protocol: smtp, tls: starttls}}"
        monkeypatch.setattr(mail_ports, "PORTS", ((postfix.smtp_port, "SMTP_PORT", "smtp_starttls"),))
        collectors = [
            PortsCollector(context(tmp_path, settings)) for settings in ("", f"ports: {{targets: [{target}]}}")
        ]

        def told() -> list[tuple[float, float]]:
            monkeypatch.setattr(ports, "_TLS_SECONDS", 0.0)
            found = [Exposition.of(collector.collect()) for collector in collectors]
            return [(f.value("probe_success"), f.value("mailserver_probe_starttls_success")) for f in found]

        assert told() == [(1, 1), (1, 1)]
        postfix.stop()
        pem.unlink()
        postfix.start()
        assert told() == [(1, 0), (0, 0)], "Postfix offers what it cannot do"
        postfix.stop()
        certificates.write_chain(pem)
        postfix.set("smtpd_tls_security_level", "none")
        postfix.start()
        assert told() == [(1, 0), (0, 0)], "Postfix offers no TLS"
        postfix.stop()
        postfix.set("smtpd_tls_security_level", "may")
        postfix.start()
        assert told() == [(1, 1), (1, 1)]


def test_what_listens_on_ipv6_is_expected_there_and_what_does_not_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = certificates.write_chain(tmp_path / "chain.pem")
    with Dovecot(pem, ipv6=True) as dovecot, Postfix() as postfix:
        watched = {postfix.smtp_port: "smtp_starttls", dovecot.imap_port: "imap_starttls", dovecot.sieve_port: "sieve"}
        monkeypatch.setattr(mail_ports, "PORTS", tuple((port, module, module) for port, module in watched.items()))
        collector = PortsCollector(context(tmp_path))

        def told() -> dict[str, float]:
            return {s.labels["target"]: s.value for s in Exposition.of(collector.collect()).all("probe_success")}

        both = {f"{host}:{port}": 1.0 for host in ("127.0.0.1", "[::1]") for port in watched}
        del both[f"[::1]:{postfix.smtp_port}"]
        assert told() == both
        dovecot.stop()
        dovecot.listen("127.0.0.1")
        dovecot.start()
        # It may take three rounds until what is well is looked at again.
        gone = {target: float("::1" not in target) for target in both}
        assert gone in [told() for _ in range(3)]
        assert told() == gone
        dovecot.stop()
        dovecot.listen("127.0.0.1, ::1")
        dovecot.start()
        assert told() == both, "what is down is looked at in each round"


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
    configured = {
        "SMTP_PORT": servers.postfix.smtp_port,
        "SMTPS_PORT": servers.postfix.smtps_port,
        "SUBMISSION_PORT": servers.postfix.submission_port,
        "IMAP_PORT": servers.dovecot.imap_port,
        "IMAPS_PORT": servers.dovecot.imaps_port,
        "POP_PORT": servers.dovecot.pop3_port,
        "POPS_PORT": servers.dovecot.pop3s_port,
        "SIEVE_PORT": servers.dovecot.sieve_port,
        "HTTPS_PORT": servers.nginx.https_port,
    }
    lines = [
        "MAILCOW_HOSTNAME=mail.example.org",
        "HTTPS_BIND=",
        *(f"{name}={port}" for name, port in configured.items()),
    ]
    (directory / "mailcow.conf").write_text("\n".join(lines) + "\n")
    settings = f"mail_stack: {{kind: mailcow, directory: {directory}}}\n"
    with Exporter(tmp_path / "exporter", settings) as exporter:
        found = exporter.scrape()
        up = {s.labels["target"] for s in found.all("probe_success") if s.value}
        assert up == {f"127.0.0.1:{port}" for port in configured.values()}
        assert len(found.all("probe_ssl_earliest_cert_expiry")) == 9
        # The limit stands beside each certificate, with the labels that tell it.
        expiries = [s.labels for s in found.all("probe_ssl_earliest_cert_expiry")]
        limits = found.all("mailserver_threshold_certificate_remaining_seconds", severity="critical")
        assert [{**labels, "severity": "critical"} for labels in expiries] == [s.labels for s in limits]
        assert found.value("mailserver_collector_success", collector="ports") == 1
