"""The collector of the logs: which log is whose, what is kept, and what fails."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from mailserver_exporter.collectors.log_state import LogState, StateFile
from mailserver_exporter.collectors.logs import LogsCollector
from mailserver_exporter.config import Config, ConfigError
from mailserver_exporter.schema import read_text
from mailserver_exporter.sources import SourceError, accounts
from mailserver_exporter.sources.journal import Journal
from tests.support.contexts import context
from tests.support.metrics import Exposition

REMOVED = "postfix_qmgr_messages_removed_total"
POSTFIX = b"Nov 22 03:13:51 mail postfix/qmgr[7]: 4ABC000001: removed\n"
SSHD = b"2026-11-22T03:13:51.123456+00:00 mail sshd[9]: Invalid user admin from 192.0.2.1 port 4242\n"
OTHER = b"Nov 22 03:13:51 mail CRON[8]: (root) CMD (true)\n"


class LogHost:
    """A host with files for logs, below its own root."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.state = folder / "state"
        (self.root / "var/log").mkdir(parents=True)

    def log(self, name: str, *lines: bytes) -> Path:
        path = self.root / "var/log" / name
        with path.open("ab") as file:
            file.write(b"".join(lines))
        return path

    def collector(self, yaml: str = "") -> LogsCollector:
        return LogsCollector(context(self.state, f"state_directory: {self.state}\n{yaml}", self.root))


@pytest.fixture
def host(tmp_path: Path) -> LogHost:
    return LogHost(tmp_path)


def collect(collector: LogsCollector) -> Exposition:
    return Exposition.of(collector.collect())


def test_finds_debians_files_and_counts_each_program_from_its_own(host: LogHost) -> None:
    host.log("mail.log", POSTFIX)
    host.log("auth.log", SSHD)
    collector = host.collector()
    before = collect(collector)
    assert before.value(REMOVED) == 0
    host.log("mail.log", POSTFIX, SSHD, OTHER, POSTFIX)
    host.log("auth.log", SSHD, POSTFIX, OTHER)
    found = collect(collector)
    assert found.value(REMOVED) == 2
    assert found.value("mailserver_sshd_invalid_users_total") == 1
    assert found.value("mailserver_log_lines_total", source="/var/log/mail.log", program="postfix") == 2
    assert found.value("mailserver_log_lines_understood_total", program="sshd") == 1
    assert found.value("mailserver_log_source_up", source="/var/log/auth.log") == 1
    assert "postfix" in collector.detect().detail


def test_the_configuration_says_where_a_log_is_and_which_is_left_out(host: LogHost) -> None:
    host.log("mail.log")
    host.log("auth.log")
    host.log("mine.log")
    collector = host.collector("logs: {sources: {postfix: /var/log/mine.log, sshd: none, dovecot: none}}")
    collect(collector)
    host.log("mine.log", POSTFIX)
    found = collect(collector)
    assert {s.labels["source"] for s in found.all("mailserver_log_source_up")} == {"/var/log/mine.log"}
    assert found.value(REMOVED) == 1
    assert not found.all("mailserver_sshd_invalid_users_total")


@pytest.mark.parametrize("value", ["mail.log", "container/", "container/a b", "/var/log/", "docker"])
def test_a_source_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="must be journal, the absolute path of a file, container/NAME, or none"):
        read_text(f"logs: {{sources: {{postfix: '{value}'}}}}", "config.yml", Config())


def test_a_program_that_is_not_known_is_refused() -> None:
    with pytest.raises(ConfigError, match="knows no program 'exim'; allowed here: postfix, dovecot"):
        read_text("logs: {sources: {exim: journal}}", "config.yml", Config())


def test_dovecots_own_log_has_no_syslog_header(host: LogHost) -> None:
    host.log("dovecot.log")
    collector = host.collector("logs: {sources: {dovecot: /var/log/dovecot.log}}")
    collect(collector)
    host.log("dovecot.log", b"Nov 22 03:13:51 imap-login: Info: Logged in: user=<a>, method=PLAIN, TLS\n")
    host.log("dovecot.log", b"Nov 22 03:13:51 mail dovecot: imap-login: Logged in: user=<a>, method=PLAIN, TLS\n")
    assert collect(collector).value("mailserver_log_lines_understood_total", program="dovecot") >= 1


def test_a_host_without_logs_has_no_series(host: LogHost) -> None:
    collector = host.collector()
    assert not collect(collector).all("mailserver_log_lines_total")
    assert not collector.detect().found


def test_goes_on_where_it_was(host: LogHost) -> None:
    host.log("mail.log")
    first = host.collector()
    collect(first)
    host.log("mail.log", POSTFIX)
    collect(first)
    first.close()
    host.log("mail.log", POSTFIX)
    assert collect(host.collector()).value(REMOVED) == 2


def test_nothing_is_written_where_nothing_is_new(host: LogHost) -> None:
    host.log("mail.log")
    collector = host.collector()
    collect(collector)
    file = host.state / "logs.json"
    before = file.stat()
    collect(collector)
    assert file.stat().st_ino == before.st_ino
    host.log("mail.log", POSTFIX)
    collect(collector)
    assert file.stat().st_ino != before.st_ino
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_saved_is_not_shown(host: LogHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host.log("mail.log")
    collector = host.collector()
    collect(collector)
    host.log("mail.log", POSTFIX)
    (host.state / "logs.new").mkdir()
    with pytest.raises(SourceError, match="cannot keep what was counted") as caught:
        collect(collector)
    assert "writable" in caught.value.remedy
    (host.state / "logs.new").rmdir()
    assert collect(collector).value(REMOVED) == 1


def test_two_exporters_do_not_count_with_one_state(host: LogHost) -> None:
    host.log("mail.log")
    first, second = host.collector(), host.collector()
    collect(first)
    with pytest.raises(SourceError, match="another exporter"):
        collect(second)
    first.close()
    collect(second)
    with pytest.raises(SourceError, match="ending"):
        collect(first)


def test_check_beside_the_exporter_reads_and_writes_nothing(host: LogHost) -> None:
    host.log("mail.log")
    running, check = host.collector(), host.collector()
    check.context.expectations.remember = False
    check = LogsCollector(check.context)
    collect(running)
    before = (host.state / "logs.json").read_bytes()
    host.log("mail.log", POSTFIX)
    collect(check)
    assert [finding.state for finding in check.findings()] == ["good"]
    assert (host.state / "logs.json").read_bytes() == before
    assert collect(running).value(REMOVED) == 1


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"positions": 1}', b"\xff", b'{"positions": {}, "dropped": {}, "tallies": {"a": 1}}']
)
def test_a_damaged_state_is_kept_aside_and_counting_begins_anew(
    host: LogHost, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    host.log("mail.log", POSTFIX)
    host.state.mkdir()
    (host.state / "logs.json").write_bytes(damage)
    collector = host.collector()
    assert collect(collector).value(REMOVED) == 0
    assert "cannot use" in caplog.text
    assert (host.state / "logs.json.damaged").read_bytes() == damage
    assert json.loads((host.state / "logs.json").read_bytes())


@pytest.mark.parametrize("position", [{"page": 7}, 7, "x", ["x"], {"offset": "7"}, {"offset": -1}, {"device": None}])
def test_a_position_that_is_none_begins_at_the_end_of_that_log(host: LogHost, position: Any) -> None:
    host.log("mail.log")
    host.log("auth.log")
    state = LogState(positions={"/var/log/mail.log": position})
    file = StateFile(host.state, remember=True)
    file.load()
    file.save(state)
    file.close()
    collector = host.collector()
    collect(collector)
    host.log("mail.log", POSTFIX)
    found = collect(collector)
    assert found.value("mailserver_log_source_up", source="/var/log/mail.log") == 1
    assert found.value(REMOVED) == 1


@pytest.mark.parametrize("position", [{"page": 7}, 7, {"cursor": "x"}, {"cursor": 7}, {"container": 5}])
def test_a_position_that_is_none_does_not_end_the_reading_of_a_container_or_the_journal(
    host: LogHost, position: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises((TypeError, ValueError, LookupError)):
        Journal([], {0}, position)
    host.log("auth.log")
    file = StateFile(host.state, remember=True)
    file.load()
    file.save(LogState(positions={"container/postfix": position}))
    file.close()
    found = collect(host.collector("logs: {sources: {postfix: container/postfix}}"))
    assert "log container/postfix is followed from its end, its saved position is none" in caplog.text
    assert found.value("mailserver_log_source_up", source="/var/log/auth.log") == 1


def test_what_a_newer_version_kept_is_used_as_far_as_it_is_understood(host: LogHost) -> None:
    host.log("mail.log")
    first = host.collector()
    collect(first)
    host.log("mail.log", POSTFIX)
    collect(first)
    first.close()
    file = host.state / "logs.json"
    state = json.loads(file.read_bytes())
    state["format"] = 7
    state["tallies"]["exim"] = {"counters": [["exim_deliveries_total", "a", 7]], "histograms": []}
    state["tallies"]["postfix"]["counters"].append(["mailserver_postfix_moods_total", "good", 7])
    state["positions"]["moon/log"] = {"phase": "full"}
    state["lines"].append(["moon/log", "exim", 1, 1, 0])
    file.write_text(json.dumps(state))
    host.log("mail.log", POSTFIX)
    second = host.collector()
    assert collect(second).value(REMOVED) == 2
    assert not collect(second).all("mailserver_postfix_moods_total")
    host.log("mail.log", POSTFIX)
    assert collect(second).value(REMOVED) == 3


def test_postfix_own_log_file_is_found(host: LogHost) -> None:
    (host.root / "etc/postfix").mkdir(parents=True)
    (host.root / "etc/postfix/main.cf").write_text("maillog_file = /var/log/postfix.log\n")
    host.log("mail.log")
    host.log("postfix.log")
    collector = host.collector()
    collect(collector)
    host.log("postfix.log", POSTFIX)
    found = collect(collector)
    assert found.value(REMOVED) == 1
    assert found.value("mailserver_log_lines_total", source="/var/log/postfix.log", program="postfix") == 1


def test_postfix_own_log_file_is_followed_from_when_it_is_set(host: LogHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailserver_exporter.collectors.logs._FIND_SECONDS", 0)
    host.log("mail.log")
    (host.root / "etc/postfix").mkdir(parents=True)
    (host.root / "etc/postfix/main.cf").write_text("maillog_file = /var/log/postfix.log\n")
    collector = host.collector("logs: {sources: {dovecot: none}}")
    lines = "mailserver_log_lines_total"
    assert collect(collector).value(lines, program="postfix", source="/var/log/mail.log") == 0
    path = host.log("postfix.log")
    collect(collector)
    host.log("postfix.log", POSTFIX)
    found = collect(collector)
    assert [(s.labels["source"], s.value) for s in found.all(lines)] == [("/var/log/postfix.log", 1)]
    path.unlink()
    collect(collector)


def test_docker_mailservers_log_is_found(host: LogHost) -> None:
    (host.root / "var/log/mail").mkdir()
    host.log("mail/mail.log")
    collector = host.collector()
    collect(collector)
    host.log("mail/mail.log", POSTFIX, b"2026-11-22T03:13:51.1+00:00 mail dovecot: imap-login: Login: user=<a>, TLS\n")
    found = collect(collector)
    assert found.value(REMOVED) == 1
    assert found.value("mailserver_dovecot_logins_total", protocol="imap") == 1


def test_a_state_directory_that_is_full_is_told_and_what_was_counted_is_kept(
    host: LogHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.log("mail.log")
    collector = host.collector()
    collect(collector)
    full = errno.ENOSPC

    def fsync(_: int) -> None:
        raise OSError(full, os.strerror(full))

    monkeypatch.setattr("os.fsync", fsync)
    for _ in range(3):
        host.log("mail.log", POSTFIX)
        with pytest.raises(SourceError, match="No space left on device") as caught:
            collect(collector)
    assert caught.value.remedy == f"df -h {host.state}; make room there"
    monkeypatch.undo()
    assert collect(collector).value(REMOVED) == 3


def test_a_clock_that_jumps_back_changes_no_count(host: LogHost) -> None:
    log = host.log("mail.log", POSTFIX)
    collector = host.collector()
    collect(collector)
    dates = (b"Nov 22 03:13:51", b"Jan  1 00:00:00", b"2026-11-22T03:13:51.1+00:00", b"1970-01-01T00:00:00+00:00")
    host.log("mail.log", *(POSTFIX.replace(b"Nov 22 03:13:51", date) for date in dates))
    os.utime(log, (0, 0))
    assert collect(collector).value(REMOVED) == 4
    collector.close()
    log.rename(log.with_name("mail.log.1"))
    host.log("mail.log", POSTFIX)
    os.utime(log, (0, 0))
    after = host.collector()
    collect(after)
    assert collect(after).value(REMOVED) == 5


def test_a_log_that_cannot_be_read_fails_alone_and_says_how_to_mend_it(host: LogHost) -> None:
    mail = host.log("mail.log")
    host.log("auth.log")
    collector = host.collector()
    collect(collector)
    host.log("mail.log", POSTFIX)
    collect(collector)
    mail.rename(mail.with_name("away"))
    host.log("auth.log", SSHD)
    collect(collector)
    found = collect(collector)
    assert found.value("mailserver_log_source_up", source="/var/log/mail.log") == 0
    assert found.value("mailserver_sshd_invalid_users_total") == 1
    assert not found.all(REMOVED)
    [bad] = [finding for finding in collector.findings() if finding.state == "bad"]
    assert "No such file" in bad.detail
    assert "logs.sources" in bad.remedy
    mail.with_name("away").rename(mail)
    host.log("mail.log", POSTFIX)
    assert collect(collector).value(REMOVED) == 2


def test_the_collector_fails_when_no_log_can_be_read(host: LogHost) -> None:
    collector = host.collector("logs: {sources: {postfix: /var/log/nowhere}}")
    with pytest.raises(SourceError, match="nowhere: No such file"):
        collect(collector)


def test_what_was_found_once_is_expected_until_it_is_forgotten(host: LogHost) -> None:
    mail = host.log("mail.log")
    first = host.collector()
    collect(first)
    first.close()
    mail.unlink()
    second = host.collector()
    with pytest.raises(SourceError, match="No such file"):
        collect(second)
    for program in ("postfix", "dovecot"):
        assert second.context.expectations.forget(f"/var/log/mail.log:{program}") == ["log"]
    second.close()
    assert not collect(host.collector()).all("mailserver_log_source_up")


def test_silence_is_limited_for_those_who_always_write(host: LogHost) -> None:
    host.log("mail.log")
    host.log("auth.log")
    limits = "limits: {log_silence_seconds: {overrides: {sshd: {warning: 7d}}}}"
    found = collect(host.collector(limits))
    limit = "mailserver_threshold_log_silence_seconds"
    assert found.value(limit, program="postfix", severity="warning", source="/var/log/mail.log") == 6 * 3600
    assert found.value(limit, program="sshd", severity="warning", source="/var/log/auth.log") == 7 * 86400


def test_a_flood_is_worked_off_in_several_runs(host: LogHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host.log("mail.log")
    collector = host.collector()
    collect(collector)
    host.log("mail.log", POSTFIX * 20_000)
    monkeypatch.setattr("mailserver_exporter.collectors.logs._RUN_SECONDS", 0)
    values = [collect(collector).value(REMOVED)]
    while values[-1] < 20_000:
        values.append(collect(collector).value(REMOVED))
    assert len(values) > 3
    assert values == sorted(values)
    assert values[-1] == 20_000


def test_accounts_are_read_as_passwd_has_them() -> None:
    data = b"root:x:0:0:root:/root:/bin/bash\npostfix:x:107:115::/var/spool/postfix:/usr/sbin/nologin\n"
    data += b"+::::::\nroot:x:7:0::/:\nx:x:-1:\n"
    assert accounts.uids(data) == {"root": 0, "postfix": 107}
