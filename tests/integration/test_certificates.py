"""The certificates collector against real servers, each with one fault: that is told, and nothing else."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from mailserver_exporter.collectors import mail_ports
from mailserver_exporter.collectors.certificates import _DEADLINE, CertificatesCollector
from mailserver_exporter.errands import certificates as errand
from mailserver_exporter.sources import SourceError
from mailserver_exporter.sources.probe import GRACE
from tests.support import certificates, listeners
from tests.support.contexts import context
from tests.support.dovecot import Dovecot
from tests.support.listeners import Behaviour, listener, speaks
from tests.support.metrics import Exposition
from tests.support.nginx import Nginx
from tests.support.postfix import Postfix
from tests.support.processes import free_port

GOOD = {"chain_valid": 1, "name_matches": 1, "matches_file": 1, "self_signed": 0, "legacy_tls_offered": 0}


def settings(folder: Path, *targets: dict[str, Any], files: list[Path]) -> dict[str, Any]:
    return {
        "ports": {"targets": list(targets)},
        "certificates": {
            "name": "localhost",
            "files": [str(file) for file in files],
            "ca_file": str(certificates.write_authority(folder / "authority.pem")),
        },
    }


def watching(folder: Path, given: dict[str, Any]) -> CertificatesCollector:
    return CertificatesCollector(context(folder, yaml.safe_dump(given)))


def verdict(found: Exposition, target: str) -> dict[str, float]:
    names = [f"mailserver_certificate_{name}" for name in GOOD] + ["mailserver_probe_legacy_tls_offered"]
    samples = [sample for name in names for sample in found.all(name, target=target)]
    return {s.name.removeprefix("mailserver_certificate_").removeprefix("mailserver_probe_"): s.value for s in samples}


def https(port: int) -> dict[str, Any]:
    return {"port": port, "protocol": "https", "tls": "implicit"}


def look(folder: Path, pem: Path, **nginx: str) -> tuple[dict[str, float], Exposition, CertificatesCollector]:
    """Show the certificate in ``pem`` and look at it."""
    with Nginx(pem, **nginx) as server:
        collector = watching(folder, settings(folder, https(server.https_port), files=[pem]))
        found = Exposition.of(collector.collect())
        return verdict(found, f"127.0.0.1:{server.https_port}"), found, collector


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("good", {}),
        # Their dates are told by probe_ssl_earliest_cert_expiry and the begin of validity.
        ("expired", {}),
        ("expired intermediate", {}),
        ("not yet valid", {}),
        ("other name", {"name_matches": 0}),
        ("self-signed", {"chain_valid": 0, "self_signed": 1}),
        ("missing intermediate", {"chain_valid": 0}),
    ],
)
def test_a_chain_with_one_fault(fault: str, told: dict[str, float], tmp_path: Path) -> None:
    found, exposition, collector = look(tmp_path, certificates.write(tmp_path / "shown.pem", fault))

    assert found == GOOD | told
    [begin] = exposition.all("mailserver_certificate_not_before_timestamp_seconds")
    assert (begin.value > time.time()) == (fault == "not yet valid")
    [bits] = exposition.all("mailserver_certificate_key_bits")
    assert (bits.labels["key_type"], bits.value) == ("ecdsa", 256)
    [signature] = exposition.all("mailserver_certificate_signature_info")
    assert signature.labels["algorithm"] == "ecdsa-with-SHA256"
    assert len(list(collector.findings())) == (1 if told else 0)


def test_a_short_key(tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 1024)
    found, exposition, _ = look(tmp_path, certificates.write(tmp_path / "shown.pem", key=key))

    assert found == GOOD
    [bits] = exposition.all("mailserver_certificate_key_bits")
    assert (bits.labels["key_type"], bits.value) == ("rsa", 1024)


@pytest.mark.parametrize("protocols", ["TLSv1", "TLSv1.1 TLSv1.2 TLSv1.3"])
def test_a_server_that_takes_what_is_forbidden_by_now(protocols: str, tmp_path: Path) -> None:
    found, _, _ = look(tmp_path, certificates.write_chain(tmp_path / "shown.pem"), protocols=protocols)

    assert found == GOOD | {"legacy_tls_offered": 1}


def test_a_certificate_that_was_renewed_but_is_not_shown_yet(tmp_path: Path) -> None:
    shown = certificates.write_chain(tmp_path / "shown.pem")
    with Nginx(shown) as server:
        collector = watching(tmp_path, settings(tmp_path, https(server.https_port), files=[shown]))
        target = f"127.0.0.1:{server.https_port}"
        shutil.move(shown, tmp_path / "old.pem")
        certificates.write_chain(shown)
        stale = verdict(Exposition.of(collector.collect()), target)
        [finding] = collector.findings()
        server.reload()
        fresh = verdict(Exposition.of(collector.collect()), target)

    assert stale == GOOD | {"matches_file": 0}
    assert "not the one on disk" in finding.detail
    assert fresh == GOOD, "what was asked once a day is still known"


def test_mail_ports_are_asked_in_their_own_language(tmp_path: Path) -> None:
    pem = certificates.write_chain(tmp_path / "shown.pem")
    with Postfix(certificate=pem) as postfix, Dovecot(certificate=pem) as dovecot:
        targets = [
            {"port": postfix.smtp_port, "protocol": "smtp", "tls": "starttls"},
            {"port": postfix.smtps_port, "protocol": "smtp", "tls": "implicit"},
            {"port": dovecot.imap_port, "protocol": "imap", "tls": "starttls"},
            {"port": dovecot.pop3_port, "protocol": "pop3", "tls": "starttls"},
            {"port": dovecot.imaps_port, "protocol": "imap", "tls": "implicit"},
        ]
        collector = watching(tmp_path, settings(tmp_path, *targets, files=[pem]))
        found = Exposition.of(collector.collect())

    told = {target["port"]: verdict(found, f"127.0.0.1:{target['port']}") for target in targets}
    assert told == {target["port"]: GOOD for target in targets}


def test_a_certificate_from_elsewhere_is_not_missed_on_disk(tmp_path: Path) -> None:
    shown, other = certificates.write_chain(tmp_path / "shown.pem"), tmp_path / "other.pem"
    certificates.write(other, "other name")
    with Nginx(shown) as server:
        found = Exposition.of(watching(tmp_path, settings(tmp_path, https(server.https_port), files=[other])).collect())

    assert found.all("mailserver_certificate_matches_file") == []


def test_a_file_may_hold_the_certificates_of_two_keys(tmp_path: Path) -> None:
    shown, other = certificates.write_chain(tmp_path / "shown.pem"), certificates.write_chain(tmp_path / "other.pem")
    both = tmp_path / "both.pem"
    both.write_bytes(other.read_bytes() + shown.read_bytes())
    with Nginx(shown) as server:
        found = Exposition.of(watching(tmp_path, settings(tmp_path, https(server.https_port), files=[both])).collect())

    assert found.value("mailserver_certificate_matches_file") == 1


def test_a_port_that_was_down_is_asked_for_old_tls_when_it_is_up(tmp_path: Path) -> None:
    shown = certificates.write_chain(tmp_path / "shown.pem")
    with Nginx(shown) as server:
        server.stop()
        collector = watching(tmp_path, settings(tmp_path, https(server.https_port), files=[shown]))
        before = Exposition.of(collector.collect())
        server.start()
        after = Exposition.of(collector.collect())

    assert before.names() == set()
    assert verdict(after, f"127.0.0.1:{server.https_port}") == GOOD


@pytest.mark.parametrize("same", [True, False])
def test_over_ipv6_only_what_differs_is_told(same: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    greeting = speaks(b"* OK\r\n", b"c OK\r\n")
    shown = certificates.write_chain(tmp_path / "shown.pem")
    other = shown if same else certificates.write_chain(tmp_path / "other.pem")
    given = context(tmp_path)
    with (
        listener(listeners.tls_with(shown, greeting)) as port,
        listener(listeners.tls_with(other, greeting), "::1", port),
    ):
        monkeypatch.setattr(mail_ports, "PORTS", ((port, "IMAPS_PORT", "imap_tls"),))
        given.expectations.expect("port", [f"127.0.0.1:{port}/imap_tls", f"[::1]:{port}/imap_tls"])
        found = Exposition.of(CertificatesCollector(given).collect())

    told = {sample.labels["target"] for sample in found.all("mailserver_certificate_self_signed")}
    assert told == {f"127.0.0.1:{port}"} | (set() if same else {f"[::1]:{port}"})


class Moody:
    """Shake hands as ``first`` does once, and after that as ``then`` does."""

    def __init__(self, first: Behaviour, then: Behaviour) -> None:
        self._todo = [first]
        self._then = then

    def __call__(self, connection: socket.socket, closing: threading.Event) -> None:
        (self._todo.pop() if self._todo else self._then)(connection, closing)


@pytest.mark.parametrize("then", [listeners.reset, listeners.hang_up, listeners.garbage, listeners.half_tls])
def test_a_server_that_fails_at_the_second_look_is_not_untrusted(
    then: Behaviour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errand, "_TIMEOUT", 1.0)
    with listener(Moody(listeners.tls(tmp_path, speaks(b"* OK\r\n", b"c OK\r\n")), then)) as port:
        [found] = errand.run(request(tmp_path, port))["ports"].values()

    assert (found["chain_valid"], found["name_matches"]) == (None, True)


def with_an_extension_twice(folder: Path) -> Path:
    """Write a certificate that OpenSSL shows and cryptography does not take."""
    pem = folder / "twice.pem"
    one, other = x509.ObjectIdentifier("1.2.3.4"), x509.ObjectIdentifier("1.2.3.5")
    made = certificates.issue(extensions=[x509.UnrecognizedExtension(oid, b"\x05\x00") for oid in (one, other)])
    der = made.certificate.public_bytes(Encoding.DER)
    assert der.count(b"\x06\x03\x2a\x03\x05") == 1
    certificates.write_pem(pem, made.key, [])
    with pem.open("a") as file:
        file.write(ssl.DER_cert_to_PEM_cert(der.replace(b"\x06\x03\x2a\x03\x05", b"\x06\x03\x2a\x03\x04")))
    return pem


def test_nobody_pays_for_a_hostile_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errand, "_TIMEOUT", 1.0)
    shake = lambda behaviour: listeners.tls(tmp_path, behaviour)  # noqa: E731
    hostile = [
        *(listeners.silent, listeners.reset, listeners.half_tls, listeners.endless_tls, listeners.garbage),
        *(shake(listeners.silent), shake(listeners.byte_a_second), shake(listeners.endless_banner)),
        *(shake(listeners.endless_lines), shake(listeners.hang_up)),
        Moody(shake(listeners.silent), listeners.half_tls),
        listeners.tls_with(with_an_extension_twice(tmp_path), listeners.silent),
    ]
    with contextlib.ExitStack() as stack:
        ports = [stack.enter_context(listener(behaviour)) for behaviour in hostile]
        nginx = stack.enter_context(Nginx(certificates.write_chain(tmp_path / "shown.pem")))
        started = time.monotonic()
        answer = errand.run(request(tmp_path, *ports, nginx.https_port))
        took = time.monotonic() - started

    assert took < 3 * (1.0 + GRACE) + 3
    good = answer["ports"][f"127.0.0.1:{nginx.https_port}/imap_tls"]
    assert (good["chain_valid"], good["name_matches"], good["legacy"]) == (True, True, False)
    assert len(answer["ports"]) == 1 + len([*hostile[5:11]])
    assert [problem.split(": ")[1] for problem in answer["problems"]] == ["not a readable certificate"]


def test_three_rounds_fit_into_the_deadline_and_that_into_the_interval() -> None:
    assert 3 * (errand._TIMEOUT + GRACE) < _DEADLINE < CertificatesCollector.schedule.deadline
    assert CertificatesCollector.schedule.every
    assert CertificatesCollector.schedule.deadline < CertificatesCollector.schedule.every


def request(folder: Path, *ports: int) -> dict[str, Any]:
    """Return the errand's request for TLS ports of this machine."""
    target = {"host": "127.0.0.1", "module": "imap_tls", "name": "localhost", "legacy": True}
    authority = certificates.write_authority(folder / "authority.pem")
    return {"targets": [{**target, "port": port} for port in ports], "files": [], "ca_file": str(authority)}


def test_a_port_that_is_down_has_no_certificate_and_is_no_failure(tmp_path: Path) -> None:
    collector = watching(tmp_path, settings(tmp_path, https(free_port()), files=[]))

    assert Exposition.of(collector.collect()).names() == set()


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    given = settings(tmp_path, https(free_port()), files=[tmp_path / "absent.pem"])
    collector = watching(tmp_path, given)
    list(collector.collect())
    assert [finding.detail for finding in collector.findings()] == [f"{tmp_path}/absent.pem: No such file or directory"]

    given["certificates"]["ca_file"] = str(tmp_path / "nowhere.pem")
    with pytest.raises(SourceError, match=r"nowhere.pem: No such file") as caught:
        list(watching(tmp_path, given).collect())
    assert "certificates.ca_file" in caught.value.remedy
