"""Messages that go around through a real Postfix and a real Dovecot, and what is told when they do not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mailserver_exporter.collectors.roundtrip import OutsideRoundtripCollector, RoundtripCollector
from mailserver_exporter.sources import SourceError, probe_message
from tests.support import certificates, listeners
from tests.support.contexts import context
from tests.support.listeners import listener
from tests.support.mailserver import MailServer
from tests.support.metrics import Exposition
from tests.support.processes import free_port, wait_for

PROBE, PASSWORD = "probe@example.org", "geheim ü \"\\'"
OUTSIDE = "somebody@example.net"


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    return certificates.write_chain(tmp_path / "certificate.pem")


@pytest.fixture
def server(pem: Path) -> Iterator[MailServer]:
    with MailServer(pem, {PROBE: PASSWORD}) as server:
        yield server


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    """A server for tests that leave nothing in it."""
    pem = certificates.write_chain(tmp_path_factory.mktemp("shared") / "certificate.pem")
    with MailServer(pem, {PROBE: PASSWORD}) as server:
        yield server


def account(folder: Path, server: MailServer, address: str = PROBE, password: str = PASSWORD) -> dict[str, Any]:
    file = folder / f"password of {address}"
    file.write_text(password + "\n")
    return {
        "address": address,
        "password_file": str(file),
        "smtp": f"127.0.0.1:{server.postfix.submission_port}",
        "smtp_tls": "starttls",
        "imap": f"127.0.0.1:{server.dovecot.imap_port}",
        "imap_tls": "starttls",
    }


def watching(folder: Path, settings: dict[str, Any], seconds: float = 20) -> RoundtripCollector:
    collector = RoundtripCollector(context(folder, yaml.safe_dump({"state_directory": str(folder), **settings})))
    collector.seconds = seconds  # type: ignore[misc]
    return collector


def failed(found: Exposition, loop: str = "local") -> list[str]:
    return [s.labels["stage"] for s in found.all("mailserver_roundtrip_failure", loop=loop) if s.value]


def test_a_message_goes_around_and_leaves_nothing_behind(server: MailServer, tmp_path: Path) -> None:
    began = time.time()
    collector = watching(tmp_path, {"roundtrip": account(tmp_path, server)})
    found = Exposition.of(collector.collect())

    assert failed(found) == []
    assert found.value("mailserver_roundtrip_success", loop="local") == 1
    assert found.value("mailserver_roundtrip_in_junk", loop="local") == 0
    assert found.value("mailserver_roundtrip_last_success_timestamp_seconds", loop="local") >= began
    stages = {s.labels["stage"]: s.value for s in found.all("mailserver_roundtrip_stage_duration_seconds")}
    assert all(0 < seconds < 20 for seconds in stages.values()), stages
    assert found.value("mailserver_roundtrip_duration_seconds", loop="local") == pytest.approx(sum(stages.values()))
    assert server.messages(PROBE) == []
    assert [finding.state for finding in collector.findings()] == ["good"]
    assert (tmp_path / "roundtrip.key").stat().st_mode & 0o777 == 0o600


def test_tls_from_the_start_works_as_well(shared: MailServer, tmp_path: Path) -> None:
    ports = {
        "smtp": f"127.0.0.1:{shared.postfix.smtps_port}",
        "smtp_tls": "implicit",
        "imap": f"127.0.0.1:{shared.dovecot.imaps_port}",
        "imap_tls": "implicit",
    }
    found = Exposition.of(watching(tmp_path, {"roundtrip": account(tmp_path, shared) | ports}).collect())

    assert failed(found) == []


def test_a_lost_message_sets_the_same_series(pem: Path, tmp_path: Path) -> None:
    with MailServer(pem, {PROBE: PASSWORD}) as server:
        collector = watching(tmp_path, {"roundtrip": account(tmp_path, server)}, seconds=4)
        arrived = Exposition.of(collector.collect())
        server.postfix.set("virtual_transport", "discard:")
        lost = Exposition.of(collector.collect())

    assert failed(lost) == ["delivery"]
    series = [{(s.name, *sorted(s.labels.items())) for s in found.samples} for found in (arrived, lost)]
    assert series[0] == series[1]
    success = "mailserver_roundtrip_success"
    assert (arrived.value(success, loop="local"), lost.value(success, loop="local")) == (1, 0)
    assert lost.value("mailserver_roundtrip_attempts_total", loop="local") == 2
    assert lost.value("mailserver_roundtrip_failures_total", loop="local") == 1
    last = "mailserver_roundtrip_last_success_timestamp_seconds"
    assert lost.value(last, loop="local") == arrived.value(last, loop="local")
    [finding] = collector.findings()
    assert "did not arrive" in finding.detail
    assert finding.remedy.startswith("mailq")


def test_a_message_in_the_junk_folder_is_found_there(pem: Path, tmp_path: Path) -> None:
    with MailServer(pem, {PROBE: PASSWORD}, folder=".Junk/") as server:
        found = Exposition.of(watching(tmp_path, {"roundtrip": account(tmp_path, server)}).collect())
        left = server.messages(PROBE)

    assert failed(found) == []
    assert found.value("mailserver_roundtrip_in_junk", loop="local") == 1
    assert left == []


def test_refused_credentials_are_told_without_the_password(
    server: MailServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = "not the password"
    collector = watching(tmp_path, {"roundtrip": account(tmp_path, server, password=wrong)})
    found = Exposition.of(collector.collect())

    assert failed(found) == ["imap_auth"]
    [finding] = collector.findings()
    assert "password_file" in finding.remedy
    assert wrong not in f"{finding} {found.text} {capfd.readouterr()}"
    assert server.messages(PROBE) == []


def test_who_repeats_the_password_is_not_quoted(shared: MailServer, tmp_path: Path) -> None:
    said = f"* OK hello\r\na NO [X] I heard {PASSWORD}\r\n".encode()
    with listener(listeners.speaks(said)) as port:
        settings = account(tmp_path, shared) | {"imap": f"127.0.0.1:{port}"}
        collector = watching(tmp_path, {"roundtrip": settings}, seconds=3)
        list(collector.collect())

    [finding] = collector.findings()
    assert PASSWORD not in str(finding)


def test_leftovers_of_ours_are_cleaned_up_and_nothing_else(server: MailServer, tmp_path: Path) -> None:
    collector = watching(tmp_path, {"roundtrip": account(tmp_path, server)})
    list(collector.collect())
    key = probe_message.Key((tmp_path / "roundtrip.key").read_bytes())
    now = int(time.time())

    def leave(name: str, message_id: str) -> None:
        path = server.dovecot.mail / PROBE / "cur" / f"{name}:2,"
        path.write_bytes(probe_message.compose(PROBE, PROBE, message_id))

    def sealed(seconds_ago: int) -> str:
        stamp = f"{now - seconds_ago}.0123456789abcdef"
        return f"<{stamp}.{key._mac(stamp)}@example.org>"

    leave("old", sealed(4000))
    leave("young", sealed(60))
    leave("forged", f"<{now - 4000}.0123456789abcdef.{'0' * 32}@example.org>")
    leave("foreign", "<hello@example.org>")
    list(collector.collect())

    assert sorted(path.name.partition(":")[0] for path in server.messages(PROBE)) == ["foreign", "forged", "young"]


@pytest.mark.parametrize(
    "behaviour",
    [
        listeners.hang_up,
        listeners.reset,
        listeners.silent,
        listeners.byte_a_second,
        listeners.endless_lines,
        listeners.endless_banner,
        listeners.garbage,
        listeners.speaks(b"* OK ready\r\n"),
    ],
    ids=["hangs up", "resets", "says nothing", "a byte a second", "no end", "no line", "garbage", "then nothing"],
)
@pytest.mark.parametrize("service", ["imap", "smtp"])
def test_a_hostile_server_is_given_up_in_time(
    behaviour: listeners.Behaviour, service: str, shared: MailServer, tmp_path: Path
) -> None:
    with listener(behaviour) as port:
        collector = watching(tmp_path, {"roundtrip": account(tmp_path, shared) | {service: f"127.0.0.1:{port}"}}, 2)
        collector.grace = 2.0  # type: ignore[misc]
        began = time.monotonic()
        found = Exposition.of(collector.collect())

    assert time.monotonic() - began < 15
    [stage] = failed(found)
    assert stage == "timeout" or stage.startswith(f"{service}_")
    assert found.value("mailserver_roundtrip_success", loop="local") == 0


def test_a_server_that_sends_without_end_is_left_before_it_fills_the_memory(shared: MailServer, tmp_path: Path) -> None:
    with listener(listeners.endless_lines) as port:
        settings = account(tmp_path, shared) | {"smtp": f"127.0.0.1:{port}"}
        collector = watching(tmp_path, {"roundtrip": settings}, 60)
        assert failed(Exposition.of(collector.collect())) == ["smtp_connect"]

    assert [finding.detail for finding in collector.findings()] == ["smtp_connect: the server sends without end"]


def test_a_server_that_is_down_is_told_by_its_stage(shared: MailServer, tmp_path: Path) -> None:
    settings = account(tmp_path, shared) | {"smtp": f"127.0.0.1:{free_port()}"}
    collector = watching(tmp_path, {"roundtrip": settings})
    assert failed(Exposition.of(collector.collect())) == ["smtp_connect"]
    assert [finding.detail for finding in collector.findings()] == ["smtp_connect: Connection refused"]


def test_a_password_file_that_is_missing_is_named(shared: MailServer, tmp_path: Path) -> None:
    settings = account(tmp_path, shared) | {"password_file": str(tmp_path / "nowhere")}
    with pytest.raises(SourceError, match="nowhere: No such file") as caught:
        list(watching(tmp_path, {"roundtrip": settings}).collect())
    assert "mode 0600" in caught.value.remedy


def test_outside_and_back_with_what_the_others_thought_of_it(pem: Path, tmp_path: Path) -> None:
    verdicts = tmp_path / "verdicts"
    verdicts.write_text(
        "/^Subject: / PREPEND Authentication-Results: mx.example.net; dkim=pass header.d=example.org;"
        " spf=softfail smtp.mailfrom=example.org\n"
    )
    passwords = {"example.org": PASSWORD, "example.net": "abcd efgh ijkl mnop"}
    here = MailServer(pem, {PROBE: passwords["example.org"]})
    there = MailServer(pem, {OUTSIDE: passwords["example.net"]}, {"header_checks": f"regexp:{verdicts}"})
    here.postfix.set("transport_maps", f"inline:{{ {{ example.net = smtp:[127.0.0.1]:{there.postfix.smtp_port} }} }}")
    there.postfix.set("transport_maps", f"inline:{{ {{ example.org = smtp:[127.0.0.1]:{here.postfix.smtp_port} }} }}")
    with here, there:
        settings = {
            "state_directory": str(tmp_path),
            "roundtrip": account(tmp_path, here),
            "roundtrip_outside": account(tmp_path, there, OUTSIDE, passwords["example.net"]),
        }
        both = context(tmp_path, yaml.safe_dump(settings))
        collector = OutsideRoundtripCollector(both)
        collector.seconds = 20  # type: ignore[misc]
        assert list(collector.collect()) == []
        found = Exposition.of(RoundtripCollector(both).collect())
        wait_for("nothing is left", lambda: not here.messages(PROBE) + there.messages(OUTSIDE))

    assert failed(found, "out") == failed(found, "in") == []
    held = [
        s.labels for s in found.all("mailserver_roundtrip_authentication") if s.value and s.labels["loop"] != "local"
    ]
    assert {(labels["loop"], labels["method"]): labels["result"] for labels in held} == {
        ("out", "dkim"): "pass",
        ("out", "spf"): "fail",
        ("out", "dmarc"): "none",
        # Theirs, written when they sent it: it counts for nothing here.
        ("in", "dkim"): "none",
        ("in", "spf"): "none",
        ("in", "dmarc"): "none",
    }
