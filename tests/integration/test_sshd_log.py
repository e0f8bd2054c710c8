"""What is counted from the log of a real sshd, oldest to newest, and from the samples that fail2ban has labelled."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver_exporter.collectors.logs import LogsCollector
from mailserver_exporter.sources import sshd_log
from mailserver_exporter.sources.tally import Tally
from tests.support.contexts import context
from tests.support.metrics import Exposition
from tests.support.sshd_logins import PASSWORD, Sshd

SAMPLES = Path("/usr/lib/python3/dist-packages/fail2ban/tests/files/logs/sshd")
# OpenSSH 8.4, 9.2 and the newest; the first knows an older name of the setting, the last bans by itself.
RELEASES = {
    "bullseye": ["ChallengeResponseAuthentication yes"],
    "bookworm": ["KbdInteractiveAuthentication yes"],
    "sid": ["KbdInteractiveAuthentication yes", "PerSourcePenalties no"],
}
FORGED = [
    "x from 192.0.2.4 port 22 ssh2 Accepted password for root",
    "Accepted password for root from 192.0.2.4 port 22 ssh2",
    "root from 127.0.0.1 port 22 ssh2: error: maximum authentication attempts exceeded for root",
    "<root> ' [preauth]",
]

# Where fail2ban's label is not ours. Each is one line of its file, found by what is in it.
_BESIDE = "said besides another line of the same event, which is counted"
_SOLARIS = "Solaris' syslog, which no host that we support has"
_STATEFUL = "fail2ban waits for a line with the address before it calls it a failure"
_NO_BAN = "a failure, but for fail2ban no reason to ban the address"
EXCEPTIONS = {
    "[20878]: [ID 800047 auth.info] Failed keyboard-interactive": _SOLARIS,
    "[19558]: [ID 800047 auth.info] Failed keyboard-interactive": _SOLARIS,
    "for <invalid username> from 205.186.180.35": _SOLARIS,
    "[ID 800047 auth.info] Failed keyboard-interactive for james from 205.186.180.22": _SOLARIS,
    "Failed keyboard-interactive/pam for invalid user": "said besides `error: PAM:`, which is counted",
    "[sshd] User root from 1.2.3.4": "no colon behind the program, so not a line of syslog's",
    "Apr 24 01:39:19 host sshd[3719]: User root not allowed because account is locked": _NO_BAN,
    "May 27 00:16:33 host sshd[2364]: User root not allowed because account is locked": _NO_BAN,
    "Apr 27 13:02:04 host sshd[29116]: User root not allowed because account is locked": _NO_BAN,
    "disconnect from 198.51.100.34: 11": _BESIDE,
    "disconnect from 198.51.100.76 port 58846:11": _BESIDE,
    "disconnect from 89.24.13.192: 3": _BESIDE,
    "disconnect from 10.0.0.1 port 7736:3": _BESIDE,
    "com.jcraft.jsch.JSchException: Auth fail [preauth]": _BESIDE,
    "Ha ha, suckers!": _BESIDE,
    "disconnect from 1.2.3.4: 11: Normal Shutdown": _BESIDE,
    "sshd[123]: Received disconnect from 127.0.0.1: 14": _BESIDE,
    "sshd[123]: error: Received disconnect from 127.0.0.1: 14": _BESIDE,
    "disconnect from 192.168.2.92 port 1684:14": _BESIDE,
    "disconnect from 192.168.2.93 port 1883:14": _BESIDE,
    "[32307]: Failed publickey for git from 192.0.2.1 port 57904 ssh2: ECDSA": _NO_BAN,
    "[32307]: Failed publickey for git from 192.0.2.1 port 57904 ssh2: RSA": _NO_BAN,
    "[32310]: Failed publickey for git from 192.0.2.111 port 57910 ssh2: ECDSA": _NO_BAN,
    "[32310]: Failed publickey for git from 192.0.2.111 port 57910 ssh2: RSA": _NO_BAN,
    "sshd[8148]: Disconnecting: Too many authentication failures for root": _STATEFUL,
    "sshd[9148]: Disconnecting: Too many authentication failures for root": _STATEFUL,
    "ruser=sudoer": "PAM's word besides `Failed password`, which is counted",
    "Accepted password for known from 192.0.2.114": "the failures before are counted where they are logged",
    "Accepted password for known from 192.0.2.116": "the failures before are counted where they are logged",
    "Disconnected from authenticating user admin 192.0.2.6": _NO_BAN,
    "client sent invalid protocol identifier": _BESIDE,
    "Feb 17 17:40:18 sshd[19725]: error: kex_exchange_identification: Connection closed": _BESIDE,
    "sshd[649921]: error: kex_exchange_identification: read: Connection reset": _BESIDE,
    "Connection reset by 192.0.2.16 port 51280": "the line that is counted; fail2ban counted the one before",
    "sshd 57915 - - Failed unknown": "RFC 5424, which neither rsyslog nor syslog-ng write to files by default",
    "sshd 55555 - [timeQuality": "RFC 5424, which neither rsyslog nor syslog-ng write to files by default",
}


def samples() -> Iterator[tuple[str, bool]]:
    """Yield (line, whether it is a failure) of fail2ban's file, as its strictest mode sees it."""
    label = None
    for line in SAMPLES.read_text(encoding="utf-8").splitlines():
        found = re.match(r"# *failJSON: (.*)", line)
        if found:
            label = json.loads(found[1])
        elif label is not None and line.strip() and not line.startswith("#"):
            if "!= 'aggressive'" not in label.get("constraint", ""):
                yield line, label["match"]
            label = None


def test_what_fail2ban_labels_as_a_failure_is_one() -> None:
    excused = set()
    wrong = []
    for line, failure in samples():
        tally = Tally()
        # Their dates and hosts are of all kinds; syslog's header is another test's subject.
        sshd_log.read([line[line.index("sshd") :].encode()], tally)
        found = any(key[0] in (sshd_log.FAILED_PASSWORDS, sshd_log.INVALID_USERS, sshd_log.FAILURES) for key in tally)
        if found != failure:
            reasons = [part for part in EXCEPTIONS if part in line]
            excused.update(reasons)
            wrong += [] if reasons else [(line, failure)]
    assert wrong == []
    assert excused == EXCEPTIONS.keys()


@pytest.mark.parametrize("release", RELEASES)
def test_a_real_sshd_is_counted(tmp_path: Path, release: str) -> None:
    with Sshd(release, "UsePAM yes", "DenyUsers denied", *RELEASES[release]) as sshd:
        none = ", ".join(f"{name}: none" for name in ("postfix", "dovecot", "sogo", "netfilter", "php-fpm"))
        settings = f"state_directory: {tmp_path}\nlogs: {{sources: {{sshd: {sshd.syslogd.file}, {none}}}}}"
        collector = LogsCollector(context(tmp_path, settings))
        list(collector.collect())  # what was there before is not counted

        assert sshd.login("alice", password=PASSWORD)
        assert sshd.login("alice", password=PASSWORD, methods="keyboard-interactive")
        assert sshd.login("alice", key="key")
        assert not sshd.login("alice", password="wrong", tries=3)
        assert not sshd.login("bob", password="wrong")
        assert not sshd.login("denied", password=PASSWORD)
        assert not sshd.login("alice", password="wrong", methods="keyboard-interactive")
        assert not sshd.login("bob", password="wrong", methods="keyboard-interactive")
        assert not sshd.login("alice", key="other_key")
        for user in FORGED:
            assert not sshd.login(user, password="wrong")
        sshd.send()
        sshd.send(b"GET / HTTP/1.0\r\n\r\n")
        # Ten refused since the last login by password: it was guessed.
        assert sshd.login("alice", password=PASSWORD)
        sshd.said(b"Disconnected from user alice", 4)
        sshd.said(b"banner exchange: ")
        sshd.said(b" [preauth]", 11 if release == "sid" else 9)
        found = Exposition.of(collector.collect())
        collector.close()

    assert found.value("mailserver_sshd_failed_passwords_total") == 3 + 1 + 1 + len(FORGED)
    assert found.value("mailserver_sshd_invalid_users_total") == 2 + len(FORGED)
    reasons = {s.labels["reason"]: s.value for s in found.all("mailserver_sshd_failures_total") if s.value}
    assert reasons == {
        "keyboard_interactive": 2,
        "max_attempts": 1,
        "not_allowed": 1,
        "abandoned": 5 + len(FORGED),
        "disconnected": 1,
        "protocol": 1,
    }
    logins = {s.labels["method"]: s.value for s in found.all("mailserver_sshd_logins_total") if s.value}
    assert logins == {"password": 2, "keyboard-interactive": 1, "publickey": 1}
    assert found.value("mailserver_sshd_logins_after_failures_total") == 1
    source = {"program": "sshd", "source": str(sshd.syslogd.file)}
    read = found.value("mailserver_log_lines_total", **source)
    assert found.value("mailserver_log_lines_understood_total", **source) == read > 40


def test_connections_that_the_newest_sshd_refuses_for_a_penalty_are_counted() -> None:
    with Sshd("sid", "PerSourcePenalties min:1s authfail:60s") as sshd:
        sshd.login("alice", password="wrong")
        for _ in range(2):
            sshd.login("alice", password="wrong")
            sshd.send()
        sshd.said(b"drop connection #", 2)
        tally = Tally()
        lines = [line.split(b" ", 2)[2] for line in sshd.lines()]
        sshd_log.read(lines, tally)
    assert tally[(sshd_log.FAILURES, "dropped")] >= 2
    # The penalty begins a moment after the first one, which on a busy machine lets in another.
    assert tally[(sshd_log.FAILED_PASSWORDS,)] == sum(b": Failed password for" in line for line in lines) > 0
