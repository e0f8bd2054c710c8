"""The certificates collector against real servers, each with one fault: that is told, and nothing else."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa

from mailserver_exporter.collectors.certificates import CertificatesCollector
from mailserver_exporter.sources import SourceError
from tests.support import certificates
from tests.support.contexts import context
from tests.support.dovecot import Dovecot
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
