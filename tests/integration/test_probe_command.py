"""The command ``probe`` on real servers: what it shows of them, what it thinks of their certificates, how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa

from mailserver_exporter.cli import main
from tests.support import certificates
from tests.support.dovecot import Dovecot
from tests.support.nginx import Nginx
from tests.support.processes import free_port

pytestmark = pytest.mark.usefixtures("own_log")


def configuration(folder: Path, *files: Path) -> str:
    file = folder / "config.yml"
    authority = certificates.write_authority(folder / "authority.pem")
    section = {"name": "localhost", "files": [str(path) for path in files], "ca_file": str(authority)}
    file.write_text(yaml.safe_dump({"mail_stack": {"kind": "none"}, "certificates": section}))
    return f"--config.file={file}"


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Return what was said below the steps, by its subject."""
    lines = [line.strip().split("  ", 1) for line in capsys.readouterr().out.splitlines()]
    return {line[0]: line[1] for line in lines if len(line) == 2 and not line[0].endswith("ms")}


def test_manage_sieve_over_ipv6_is_told_in_full(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pem = certificates.write_chain(tmp_path / "chain.pem")
    with Dovecot(pem, ipv6=True) as dovecot:
        arguments = [f"[::1]:{dovecot.sieve_port}", "--module=sieve_starttls", "--verbose"]
        status = main(["probe", *arguments, configuration(tmp_path, pem)])

    output = capsys.readouterr().out
    steps = [line.split(" ms  ")[1] for line in output.splitlines() if " ms  " in line and "phases" not in line]
    assert steps[0] == f"connected to ::1 port {dovecot.sieve_port}"
    assert '< "STARTTLS"' in steps
    assert steps.index("> STARTTLS") < steps.index("TLSv1.3 with TLS_AES_256_GCM_SHA384") < steps.index("> LOGOUT")
    told = {line.split()[0]: line.split(maxsplit=1)[1] for line in output.splitlines() if " ms  " not in line}
    assert told["server"] == "offers STARTTLS: yes"
    assert told["certificate"] == "CN=localhost, issued by CN=Test Intermediate"
    assert told["name"] == "for localhost"
    assert told["chain"] == "leads to an authority that is trusted"
    assert told["dates"].endswith("90.0 days left")
    assert told["key"] == "ecdsa of 256 bits, signed with ecdsa-with-SHA256"
    assert told["on"] == "disk  the same"
    assert told["old"] == "TLS  TLS 1.1 and older are refused"
    phases = next(line for line in output.splitlines() if "phases" in line)
    assert [part.split()[0] for part in phases.partition("phases")[2].split(",")] == [
        *("resolve", "connect", "greeting", "tls")
    ]
    assert "BAD" not in output
    assert status == 0


@pytest.mark.parametrize(
    ("fault", "subject", "words"),
    [
        ("expired", "dates", "BAD: expired: valid from "),
        ("not yet valid", "dates", "BAD: not yet valid from "),
        ("other name", "name", "BAD: for other.example, not for localhost"),
        ("self-signed", "chain", "BAD: clients would not trust it: self-signed certificate"),
        ("missing intermediate", "chain", "BAD: clients would not trust it: unable to get local issuer certificate"),
        ("short", "key", "BAD: too weak: rsa of 1024 bits, signed with ecdsa-with-SHA256"),
    ],
)
def test_what_clients_object_to_is_told_without_being_asked_and_ends_with_1(
    fault: str, subject: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = rsa.generate_private_key(65537, 1024) if fault == "short" else None
    pem = certificates.write(tmp_path / "shown.pem", "good" if fault == "short" else fault, key=key)
    with Nginx(pem) as nginx:
        status = main(["probe", str(nginx.https_port), "--module=https", configuration(tmp_path, pem)])

    told = said(capsys)
    assert {name: text for name, text in told.items() if "BAD" in text}.keys() == {subject}
    assert told[subject].strip().startswith(words)
    assert status == 1


def test_a_webmail_is_looked_at_for_its_text_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pem = certificates.write_chain(tmp_path / "shown.pem")
    locations = {"/mail": 'add_header Strict-Transport-Security max-age=15768000; return 200 "SOGo";'}
    with Nginx(pem, locations=locations) as nginx:
        arguments = ["probe", str(nginx.https_port), "--module=https", "--path=/mail", configuration(tmp_path)]
        assert main([*arguments, "--text=SOGo", "--verbose"]) == 0
        assert "HSTS: yes" in said(capsys)["server"]
        assert main([*arguments, "--text=Roundcube", "--name=127.0.0.1"]) == 1
        assert "the page does not hold 'Roundcube' in its first 4 bytes" in capsys.readouterr().out
        assert main([*arguments, "--name=mail.example.org", "--json"]) == 1
        [bad] = [finding for finding in json.loads(capsys.readouterr().out)["certificate"] if finding["state"] == "bad"]
        assert bad["detail"] == "for localhost, 127.0.0.1, ::1, not for mail.example.org"


def test_old_tls_is_asked_for_by_who_wants_to_know_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Nginx(certificates.write_chain(tmp_path / "shown.pem"), protocols="TLSv1.1 TLSv1.2") as nginx:
        arguments = ["probe", str(nginx.https_port), "--module=https", configuration(tmp_path)]
        assert main(arguments) == 0
        assert "old TLS" not in said(capsys)
        assert main([*arguments, "--verbose"]) == 1
        assert said(capsys)["old TLS"].strip() == "BAD: takes TLS 1.1 or older"


def test_a_file_that_cannot_be_read_is_no_fault_of_the_port(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Nginx(certificates.write_chain(tmp_path / "shown.pem")) as nginx:
        arguments = ["probe", str(nginx.https_port), "--module=https", configuration(tmp_path, tmp_path / "absent.pem")]
        assert main([*arguments, "--verbose"]) == 0
    assert "absent.pem: No such file or directory" in capsys.readouterr().out


def test_a_port_that_is_down_has_no_certificate_to_judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", str(free_port()), "--module=imap_tls", "--json", configuration(tmp_path)]) == 1
    assert json.loads(capsys.readouterr().out)["certificate"] == []
