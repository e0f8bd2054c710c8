"""Who may connect: the web configuration file, and certificates that are renewed while the exporter runs."""

from __future__ import annotations

import base64
from pathlib import Path

import bcrypt
import pytest

from mailserver_exporter.schema import ConfigError
from mailserver_exporter.web_config import WebConfig, load
from tests.support import certificates


def with_tls(tmp_path: Path) -> WebConfig:
    certificates.write(tmp_path / "both.pem")
    (tmp_path / "web.yml").write_text("tls_server_config: {cert_file: both.pem, key_file: both.pem}\n")
    return load(tmp_path / "web.yml")


def test_a_renewed_certificate_is_taken_without_a_restart(tmp_path: Path) -> None:
    subject = with_tls(tmp_path)
    first = subject.tls_context()
    assert subject.tls_context() is first

    certificates.write(tmp_path / "both.pem")

    assert subject.tls_context() is not first


@pytest.mark.parametrize("damage", [lambda file: file.write_text("half a"), Path.unlink], ids=["damaged", "gone"])
def test_a_renewal_under_way_leaves_the_former_certificate_in_use(
    tmp_path: Path, damage: object, caplog: pytest.LogCaptureFixture
) -> None:
    subject = with_tls(tmp_path)
    first = subject.tls_context()

    assert callable(damage)
    damage(tmp_path / "both.pem")
    assert [subject.tls_context() for _ in range(3)] == [first] * 3
    assert len(caplog.messages) == 1
    assert "the former ones stay in use" in caplog.messages[0]

    certificates.write(tmp_path / "both.pem")
    assert subject.tls_context() not in (None, first)


def test_a_password_in_the_place_of_its_hash_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "web.yml").write_text("basic_auth_users: {admin: hunter2}\n")
    with pytest.raises(ConfigError, match=r"basic_auth_users\.admin: must be a bcrypt hash") as caught:
        load(tmp_path / "web.yml")
    assert "hunter2" not in str(caught.value)


def test_a_certificate_that_is_missing_at_the_start_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "web.yml").write_text("tls_server_config: {cert_file: none.pem, key_file: none.pem}\n")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "web.yml")


@pytest.mark.parametrize("header", [None, "", "Basic", "Basic \xe9", "Basic !", "Bearer x", "Basic " + "A" * 2000])
def test_a_header_that_is_none_admits_nobody(tmp_path: Path, header: str | None) -> None:
    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
    (tmp_path / "web.yml").write_text(f"basic_auth_users: {{admin: '{hashed}'}}\n")
    subject = load(tmp_path / "web.yml")
    assert not subject.admits(header)
    assert subject.admits("Basic " + base64.b64encode(b"admin:right").decode())
