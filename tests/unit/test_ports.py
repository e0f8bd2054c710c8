"""The ports collector: what it watches and when."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver_exporter.collectors import mail_ports
from mailserver_exporter.collectors.base import Context
from mailserver_exporter.collectors.ports import PortsCollector
from mailserver_exporter.config import ConfigError
from tests.support import certificates, listeners
from tests.support.contexts import context
from tests.support.listeners import Changing, listener, speaks
from tests.support.metrics import Exposition
from tests.support.processes import free_port

GREETS = speaks(b"220 mx ESMTP\r\n", b"250 mx\r\n", b"221 bye\r\n")
_HEADER = "  sl  local_address rem_address   st\n"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A host's root with nothing in it that is mail."""
    net = tmp_path / "root/proc/self/net"
    net.mkdir(parents=True)
    (net / "tcp").write_text(_HEADER)
    return tmp_path / "root"


@pytest.fixture
def mailcow(bare: Path) -> Iterator[tuple[Path, list[int]]]:
    """A host with mailcow on ports of its own; SMTP and IMAP greet."""
    directory = bare / "opt/mailcow-dockerized"
    directory.mkdir(parents=True)
    with listener(GREETS) as smtp, listener(speaks(b"* OK\r\n", b"a OK\r\n", b"c OK\r\n")) as imap:
        names = {"SMTP_PORT": smtp, "IMAP_PORT": imap}
        for name in (
            "SMTPS_PORT",
            "SUBMISSION_PORT",
            "IMAPS_PORT",
            "POP_PORT",
            "POPS_PORT",
            "SIEVE_PORT",
            "HTTPS_PORT",
        ):
            names[name] = free_port()
        lines = [f"{name}=127.0.0.1:{port}\n" for name, port in names.items()]
        (directory / "mailcow.conf").write_text("MAILCOW_HOSTNAME=mail.example.org\n" + "".join(lines))
        yield bare, [smtp, imap]


def collect(given: Context) -> Exposition:
    return Exposition.of(PortsCollector(given).collect())


def test_a_host_without_mail_is_not_watched(bare: Path, tmp_path: Path) -> None:
    detection = PortsCollector(context(tmp_path, rootfs=bare)).detect()

    assert not detection.found
    assert detection.detail == "nothing listens on 25, 465, 587, 143, 993, 110, 995, 4190, 8443"


def test_a_listening_mail_port_is_detected(bare: Path, tmp_path: Path) -> None:
    (bare / "proc/self/net/tcp").write_text(_HEADER + "   0: 00000000:0019 00000000:0000 0A\n")

    detection = PortsCollector(context(tmp_path, rootfs=bare)).detect()

    assert (detection.found, detection.detail) == (True, "listening: 25")


@pytest.mark.parametrize("yaml", ["ports: {targets: [{port: 1, protocol: smtp}]}", "ports: {webmail_port: 444}"])
def test_a_configured_port_needs_no_detection(yaml: str, bare: Path, tmp_path: Path) -> None:
    assert PortsCollector(context(tmp_path, yaml, bare)).detect().found


def test_what_was_seen_once_is_detected_from_then_on(bare: Path, tmp_path: Path) -> None:
    given = context(tmp_path, rootfs=bare)
    given.expectations.expect("port", ["127.0.0.1:25/smtp_starttls"])

    detection = PortsCollector(given).detect()

    assert (detection.found, detection.detail) == (True, "1 ports seen before")


def test_a_port_has_no_series_until_it_greets_and_never_loses_them(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Changing(listeners.hang_up)
    with listener(server) as port:
        monkeypatch.setattr(mail_ports, "PORTS", ((port, "SMTP_PORT", "smtp_starttls"),))
        collector = PortsCollector(context(tmp_path, rootfs=bare))
        quiet = Exposition.of(collector.collect())
        assert (collector.found(), list(collector.findings())) == ("no port has answered yet", [])
        server.now = GREETS
        up = Exposition.of(collector.collect())
        assert (collector.found(), list(collector.findings())) == ("1 of 1 answer", [])
    down = Exposition.of(collector.collect())

    assert quiet.all("probe_success") == []
    assert [s.value for s in up.all("probe_success")] == [1]
    assert [s.value for s in down.all("probe_success")] == [0]
    [told] = collector.findings()
    assert told.detail.startswith(f"127.0.0.1:{port}/smtp_starttls is down: ")
    assert told.remedy == f"mailserver-exporter probe 127.0.0.1:{port} --module smtp_starttls tells what happens"


def test_a_port_is_expected_across_restarts(bare: Path, tmp_path: Path) -> None:
    given = context(tmp_path, rootfs=bare)
    with listener(GREETS) as port:
        name = f"127.0.0.1:{port}/smtp_starttls"
        given.expectations.expect("port", [name])
        up = collect(given)
    down = collect(context(tmp_path, rootfs=bare))

    labels = {"target": f"127.0.0.1:{port}", "module": "smtp_starttls"}
    assert up.value("probe_success", **labels) == 1
    assert {s.value for s in up.all("mailserver_probe_failure", **labels)} == {0}
    assert down.value("probe_success", **labels) == 0
    assert down.value("mailserver_probe_failure", **labels, reason="connect") == 1
    assert sum(s.value for s in down.all("mailserver_probe_failure", **labels)) == 1


def test_a_forgotten_port_has_no_series_any_more(bare: Path, tmp_path: Path) -> None:
    given = context(tmp_path, rootfs=bare)
    name = f"127.0.0.1:{free_port()}/imap"
    given.expectations.expect("port", [name])
    assert len(collect(given).all("probe_success")) == 1

    given.expectations.forget(name)

    assert collect(given).all("probe_success") == []


def test_what_was_remembered_wrongly_is_passed_over(bare: Path, tmp_path: Path) -> None:
    given = context(tmp_path, rootfs=bare)
    given.expectations.expect("port", ["nonsense", "127.0.0.1:99999/smtp", "127.0.0.1:1/telnet", "\n", "[:/smtp"])

    assert collect(given).all("probe_success") == []


def test_all_ports_of_mailcow_are_expected_at_once(mailcow: tuple[Path, list[int]], tmp_path: Path) -> None:
    root, up = mailcow

    found = collect(context(tmp_path, rootfs=root))

    modules = sorted(sample.labels["module"] for sample in found.all("probe_success"))
    assert modules == sorted(
        [
            "smtp_starttls",
            "smtp_tls",
            "smtp_starttls",
            "imap_starttls",
            "imap_tls",
            "pop3_starttls",
            "pop3_tls",
            "sieve_starttls",
            "https",
        ]
    )
    assert {s.labels["target"] for s in found.all("probe_success") if s.value} == {f"127.0.0.1:{port}" for port in up}


def test_the_webmails_port_can_be_set(mailcow: tuple[Path, list[int]], tmp_path: Path) -> None:
    root, _ = mailcow
    port = free_port()

    found = collect(context(tmp_path, f"ports: {{webmail_port: {port}}}", root))

    assert [s.labels["target"] for s in found.all("probe_success", module="https")] == [f"127.0.0.1:{port}"]


def test_targets_are_the_whole_list(mailcow: tuple[Path, list[int]], tmp_path: Path) -> None:
    root, _ = mailcow
    numbers = [free_port() for _ in range(4)]
    yaml = f"""
    ports:
      targets:
        - {{port: {numbers[0]}, protocol: smtp}}
        - {{port: {numbers[1]}, protocol: imap, tls: implicit}}
        - {{port: {numbers[2]}, protocol: pop3, tls: starttls}}
        - {{port: {numbers[3]}, protocol: http, path: /SOGo}}
    """

    found = collect(context(tmp_path, yaml, root))

    assert [(s.labels["target"], s.labels["module"]) for s in found.all("probe_success")] == [
        (f"127.0.0.1:{port}", module)
        for port, module in zip(numbers, ["smtp", "imap_tls", "pop3_starttls", "http"], strict=True)
    ]


def test_a_target_that_is_taken_off_the_list_is_not_missed(bare: Path, tmp_path: Path) -> None:
    with listener(GREETS) as port:
        listed = collect(context(tmp_path, f"ports: {{targets: [{{port: {port}, protocol: smtp}}]}}", bare))
    off = collect(context(tmp_path, rootfs=bare))

    assert listed.value("probe_success") == 1
    assert off.all("probe_success", target=f"127.0.0.1:{port}") == []


def test_starttls_that_is_demanded_must_work(bare: Path, tmp_path: Path) -> None:
    with listener(GREETS) as port:
        found = collect(
            context(tmp_path, f"ports: {{targets: [{{port: {port}, protocol: smtp, tls: starttls}}]}}", bare)
        )

    assert found.value("probe_success") == 0
    assert found.value("mailserver_probe_failure", reason="tls") == 1


def test_web_and_starttls_do_not_go_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must not be starttls where the protocol is https"):
        context(tmp_path, "ports: {targets: [{port: 443, protocol: https, tls: starttls}]}")


def test_a_certificate_by_starttls_is_kept_for_a_while_and_read_again_after_a_fault(bare: Path, tmp_path: Path) -> None:
    offers = (b"220 mx\r\n", b"250 STARTTLS\r\n", b"220 go\r\n")
    server = Changing(listeners.starttls(tmp_path, *offers))
    found = []
    with listener(server) as port:
        given = context(tmp_path, rootfs=bare)
        given.expectations.expect("port", [f"127.0.0.1:{port}/smtp_starttls"])
        collector = PortsCollector(given)
        found.append(Exposition.of(collector.collect()))
        server.now = listeners.starttls(tmp_path, *offers, "expired")
        found.append(Exposition.of(collector.collect()))
        server.now = listeners.hang_up
        found.append(Exposition.of(collector.collect()))
        server.now = listeners.starttls(tmp_path, *offers, "expired")
        found.append(Exposition.of(collector.collect()))

    name = "probe_ssl_earliest_cert_expiry"
    good, expired = (certificates.earliest_expiry(tmp_path / f"{fault}.pem") for fault in ("good", "expired"))
    assert [[s.value for s in each.all(name)] for each in found] == [[good], [good], [], [expired]]


def test_a_change_is_logged_once_and_a_banner_only_in_part(
    bare: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    given = context(tmp_path, rootfs=bare)
    with listener(speaks(b"554 \x1b[31m" + b"x" * 5000 + b"\r\n")) as port:
        name = f"127.0.0.1:{port}/smtp"
        given.expectations.expect("port", [name])
        collector = PortsCollector(given)
        for _ in range(3):
            list(collector.collect())
    list(collector.collect())

    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert lines[0].startswith(f'port {name} is down: greeting: does not greet as SMTP (220) but says "554 ?[31mxxx')
    assert len(lines[0]) < 250
    assert lines[1] == f"port {name} is down: connect: 127.0.0.1 port {port}: Connection refused"


def test_recovery_is_logged(bare: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    given = context(tmp_path, rootfs=bare)
    server = Changing(speaks(b"421 not now\r\n"))
    with listener(server) as port:
        name = f"127.0.0.1:{port}/smtp"
        given.expectations.expect("port", [name])
        collector = PortsCollector(given)
        list(collector.collect())
        server.now = speaks(b"220 mx\r\n", b"221 bye\r\n")
        list(collector.collect())

    assert [record.getMessage() for record in caplog.records][1:] == [f"port {name} is up again"]
