"""The journal as a real systemd-journald writes it: whose entries count, and what becomes of a place in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver_exporter.host import Host
from mailserver_exporter.sources import SourceError, host_program
from mailserver_exporter.sources.journal import Journal
from tests.support.journald import AUTH_INFO, MAIL_INFO, Journald
from tests.support.processes import wait_for

NOBODY = 65534


@pytest.fixture(params=["persistent", "volatile"])
def journald(request: pytest.FixtureRequest) -> Iterator[Journald]:
    with Journald(storage=request.param) as journald:
        yield journald


def source(journald: Journald, position: object = None) -> Journal:
    machine = (journald.root / "etc/machine-id").read_text().strip()
    folders = [str(journald.root / top / "log/journal" / machine) for top in ("var", "run")]
    made = Journal(folders, {0}, position)
    if position is None:
        assert made.read(1000).lines == []
    return made


def read(journal: Journal, lines: int) -> list[bytes]:
    """Return what comes until there are so many lines; raises AssertionError where they do not come."""
    found: list[bytes] = []

    def enough() -> bool:
        found.extend(journal.read(1000).lines)
        return len(found) >= lines

    wait_for(f"{lines} lines are read", enough)
    return found


def test_begins_at_the_end_and_reads_what_comes(journald: Journald) -> None:
    journald.log([b"postfix/qmgr[7]: old"])
    wait_for("it is written", lambda: journald.holds("old"))
    journal = source(journald)
    journald.log([b"postfix/qmgr[7]: %d" % number for number in range(500)])
    assert read(journal, 500) == [b"postfix/qmgr[7]: %d" % number for number in range(500)]
    assert journal.read(1000).lines == []
    assert not journal.holds(["dovecot"])
    assert journal.holds(["postfix/smtpd", "postfix/qmgr"])


def test_a_local_user_cannot_write_as_sshd_or_postfix(journald: Journald) -> None:
    journal = source(journald)
    journald.log_as(NOBODY, "sshd[1]: Accepted password for root from 192.0.2.1 port 22 ssh2")
    journald.log_as(NOBODY, "postfix/smtpd[1]: warning: SASL authentication failed", MAIL_INFO)
    # Root's process, but not sshd's program: a set-user-ID program may have been talked into it.
    journald.log([b"sshd[1]: Accepted password for root from 192.0.2.2 port 22 ssh2"], AUTH_INFO)
    journald.log([b"dovecot[1]: imap-login: last"])
    assert read(journal, 1) == [b"dovecot[1]: imap-login: last"]


def test_sshd_itself_is_believed(journald: Journald, tmp_path: Path) -> None:
    program = tmp_path / "sshd-session"
    shutil.copy2(os.path.realpath("/usr/bin/python3"), program)
    journal = source(journald)
    journald.log_as(0, "sshd-session[1]: hello", program=program)
    assert read(journal, 1) == [b"sshd-session[1]: hello"]


def test_a_forged_line_inside_a_message_is_not_a_line_of_its_own(journald: Journald) -> None:
    journal = source(journald)
    journald.log([b"dovecot[1]: one\nsshd[1]: Accepted password for root"])
    assert read(journal, 1) == [b"dovecot[1]: one#012sshd[1]: Accepted password for root"]


def test_messages_of_any_kind_come_through_and_what_is_too_long_is_dropped(journald: Journald) -> None:
    journal = source(journald)
    journald.log([b"dovecot[1]: \xff\xfe", b"dovecot[1]: a\tb", b"dovecot[1]: " + b"x" * 60000, b"dovecot[1]: end"])
    wait_for("all are written", lambda: journald.holds("end"))
    dropped, lines = 0, []
    while not lines or lines[-1] != b"dovecot[1]: end":
        batch = journal.read(1000)
        dropped, lines = dropped + batch.dropped, lines + batch.lines
    journal.close()
    assert lines == [b"dovecot[1]: \xff\xfe", b"dovecot[1]: a\tb", b"dovecot[1]: end"]
    assert dropped == 1


def test_a_place_whose_entry_is_gone_loses_nothing_that_is_there(journald: Journald) -> None:
    journal = source(journald)
    journald.log([b"dovecot[1]: first"])
    assert read(journal, 1)
    position = journal.position()
    old = journald.files()
    journald.rotate()
    journald.log([b"dovecot[1]: second", b"dovecot[1]: third"])
    wait_for("they are written", lambda: journald.holds("third"))
    for path in set(journald.files()) - {path for path in journald.files() if "@" not in path.name}:
        path.unlink()
    assert old
    assert read(source(journald, position), 2) == [b"dovecot[1]: second", b"dovecot[1]: third"]


def test_a_still_journal_starts_nobody(journald: Journald, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journald.log([b"dovecot[1]: one"])
    wait_for("it is written", lambda: journald.holds("one"))
    journal = source(journald)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert journal.read(1000).lines == []


def test_says_what_is_missing(journald: Journald, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match="no journal in"):
        Journal([str(tmp_path / "a"), str(tmp_path / "b")], {0}).read(1000)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="there is no journalctl") as caught:
        source(journald)
    assert "apt install" in caught.value.remedy


def test_says_what_journalctl_says(journald: Journald, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = source(journald)
    journald.log([b"dovecot[1]: one"])
    wait_for("it is written", lambda: journald.holds("one"))
    fake = tmp_path / "journalctl"
    path = os.environ["PATH"]
    for script, complaint in (
        ("echo Permission denied >&2; exit 1", "status 1: Permission denied"),
        ("echo nonsense", "wrote what is no entry"),
        ("exec head -c 5000000 /dev/zero", "an entry of more than"),
    ):
        fake.write_text(f"#!/bin/sh\n{script}\n")
        fake.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{path}")
        with pytest.raises(SourceError, match=complaint):
            journal.read(10_000_000)
    monkeypatch.setenv("PATH", path)
    assert read(journal, 1) == [b"dovecot[1]: one"]


def test_a_container_without_journalctl_runs_the_hosts(journald: Journald) -> None:
    journald.log([b"dovecot[1]: one"])
    wait_for("it is written", lambda: journald.holds("one"))
    container = journald.folder / "container"
    container.mkdir()
    journald.root.rename(container / "host")
    command = host_program.command(Host(str(container / "host")), "/usr/bin/journalctl")
    files = list(container.glob("host/*/log/journal/*/*.journal"))
    words = [word.replace(str(container), "") for word in [*command, "--output=cat", *(f"--file={f}" for f in files)]]
    done = subprocess.run(["chroot", container, *words], capture_output=True, text=True, check=False)
    (container / "host").rename(journald.root)
    assert "one" in done.stdout.splitlines(), done.stderr


def test_a_host_without_journalctl_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="the host has no /usr/bin/journalctl"):
        host_program.command(Host(str(tmp_path)), "/usr/bin/journalctl")
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/journalctl").write_text("#!/bin/sh\n")
    with pytest.raises(SourceError, match="cannot be run"):
        host_program.command(Host(str(tmp_path)), "/usr/bin/journalctl")
