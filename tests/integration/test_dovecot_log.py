"""What is counted from the log of a real Dovecot, 2.3 and 2.4, and from the samples that fail2ban has labelled."""

from __future__ import annotations

import contextlib
import imaplib
import json
import poplib
import re
import smtplib
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver_exporter.collectors.logs import LogsCollector
from mailserver_exporter.sources import dovecot_log, sogo_log
from mailserver_exporter.sources.tally import Tally
from tests.support.contexts import context
from tests.support.dovecot_logins import PASSWORD, Dovecot
from tests.support.metrics import Exposition

SAMPLES = Path("/usr/lib/python3/dist-packages/fail2ban/tests/files/logs")
RELEASES = {"bullseye": "2.3.13", "bookworm": "2.3.19", "sid": "2.4."}
FORGED = [
    "x): Error: y",
    "a,192.0.2.4,sasl:plain)<a>: Error: foo",
    "u>, method=PLAIN, rip=192.0.2.4): Login: user=<root",
    "user\nimap-login: Info: Login: user=<x>",
    "(auth failed, 9999 attempts in 1 secs): user=<x>",
]

# Where fail2ban's label is not ours; each is one line of its file, found by what is in it.
_AUTH = "said by the authentication service besides what the login service, or Postfix, says and is counted for"
EXCEPTIONS = {
    "dovecot-auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=web": _AUTH,
    "ruser=rhost=1.2.3.4 rhost=192.0.43.10": _AUTH,
    "ruser=root rhost=176.61.140.225": _AUTH,
    "auth(default): pam(account@MYSERVERNAME.com": _AUTH,
    "auth-worker(default): Info: pam(username,1.2.3.4)": _AUTH,
    "auth-worker(304): pam(username,1.2.3.4)": _AUTH,
    "auth-worker(12182): pam(user,192.0.2.4)": _AUTH,
    "auth-worker(31326): pam(username,1.2.3.4): unknown user": _AUTH,
    "auth: passwd-file(username,1.2.3.4): unknown user": _AUTH,
    "auth-worker(22401): Info: sql(admin@example.de": _AUTH,
    "ldap(user@server.org,192.168.178.25,<LZmGp6mZaMrAqLIZ>): unknown user": _AUTH,
    "sql(admin@example.ru,192.168.144.226": _AUTH,
    "ldap(user@server.org,192.168.178.25,<LZmGp6mZaMrAqLIZ>): Password mismatch": _AUTH,
    "sql(support,192.0.2.6): unknown user": _AUTH,
    "sql(user@domain.com,192.0.2.7": _AUTH,
    "pam(webapps,192.0.2.7): unknown user": _AUTH,
    "pam(webapps,192.0.2.7): pam_authenticate() failed": _AUTH,
    "pam(user@example.com,192.0.2.6,<PNHQq8pZhqIKAQGd>)": _AUTH,
    "vm5 auth: pam_unix(dovecot:auth)": _AUTH,
    "auth: Info: ldap(dog,52.37.139.121,)": _AUTH,
}


def samples(name: str) -> Iterator[tuple[str, bool, bool]]:
    """Yield (line, whether it is a failure, in its strictest mode) of a file of fail2ban's."""
    label, strict = None, False
    for line in (SAMPLES / name).read_text(encoding="utf-8").splitlines():
        if found := re.match(r"# *failJSON: (.*)", line):
            label = json.loads(found[1])
        elif line.startswith("# filterOptions:"):
            strict = "aggressive" in line
        elif label is not None and line.strip() and not line.startswith("#"):
            yield line, label["match"], strict
            label = None


def message(line: str) -> bytes:
    """Return a sample without its date and host, which are of all kinds; that is another test's subject."""
    header = r"(?:@\S+|(?:\d{4}-\d\d-\d\d|\w{3} \d\d) \d\d:\d\d:\d\d)(?: \S+(?= (?:dovecot|auth)\b))? "
    return re.sub(f"^{header}", "", line).encode()


def test_what_fail2ban_labels_as_a_failure_of_dovecots_is_one() -> None:
    excused = set()
    wrong = []
    for line, failure, strict in samples("dovecot"):
        tally = Tally()
        dovecot_log.read([message(line)], tally)
        reasons = {key[1] for key in tally if key[0] == dovecot_log.LOGIN_FAILURES}
        # Who did not even try is only a failure where fail2ban is strict.
        found = bool(reasons if strict else reasons - {"no_auth_attempts", "tls"})
        if found != failure:
            exceptions = [part for part in EXCEPTIONS if part in line]
            excused.update(exceptions)
            wrong += [] if exceptions else [(line, failure, reasons)]
    assert wrong == []
    assert excused == EXCEPTIONS.keys()


def test_what_fail2ban_labels_as_a_failure_of_sogos_is_one() -> None:
    for line, failure, _ in samples("sogo-auth"):
        tally = Tally()
        sogo_log.read([line.encode()], tally)
        assert bool(tally) == failure, line


@pytest.mark.parametrize("release", RELEASES)
def test_logins_to_a_real_dovecot_are_counted(tmp_path: Path, release: str) -> None:
    with Dovecot(release) as dovecot:
        collector = _collector(tmp_path, dovecot)
        assert RELEASES[release] in dovecot.syslogd.file.read_text()

        dovecot.imap().logout()
        pop3 = poplib.POP3("127.0.0.1", dovecot.ports["pop3"], timeout=30)
        pop3.user("user")
        pop3.pass_(PASSWORD)
        pop3.quit()
        submission = smtplib.SMTP("127.0.0.1", dovecot.ports["submission"], timeout=30)
        with contextlib.suppress(smtplib.SMTPServerDisconnected):  # there is no Postfix behind it
            submission.login("user", PASSWORD)
        submission.close()
        dovecot.authenticate("user", "wrong", times=3)
        dovecot.authenticate("nobody", "wrong")
        for user in FORGED:
            dovecot.authenticate(user, "wrong")
        dovecot.talk("imap")
        dovecot.talk("imap", "a LOGOUT\r\n")
        dovecot.talk("imap", "a AUTHENTICATE PLAIN\r\n", "*\r\n")
        dovecot.talk("imap", "a AUTHENTICATE PLAIN !!!\r\n")
        with dovecot.connected("imaps", greeted=False) as connection:
            connection.sendall(b"no TLS at all\r\n\r\n")
        with dovecot.connected("imaps", greeted=False) as connection, pytest.raises(ssl.SSLError):
            ssl.create_default_context().wrap_socket(connection, server_hostname="mail.example.org")
        held = [dovecot.imap(), dovecot.imap()]
        with pytest.raises(imaplib.IMAP4.error):
            dovecot.imap()
        for each in held:
            each.logout()
        dovecot.users.chmod(0)
        dovecot.lock(dovecot.users)
        dovecot.restart()
        dovecot.authenticate("user", PASSWORD)
        dovecot.said(b"temporary failure")
        dovecot.said(b", TLS handshaking", 2)
        found = Exposition.of(collector.collect())
        collector.close()

    logins = {s.labels["protocol"]: s.value for s in found.all("mailserver_dovecot_logins_total") if s.value}
    assert logins == {"imap": 3, "pop3": 1, "submission": 1}
    reasons = {s.labels["reason"]: s.value for s in found.all("mailserver_dovecot_login_failures_total") if s.value}
    assert reasons == {
        "auth_failed": 3 + 1 + len(FORGED),
        "no_auth_attempts": 2,
        "aborted": 1,
        "other": 1,
        "tls": 2,
        "too_many_connections": 1,
        "internal_failure": 1,
    }
    classes = {s.labels["class"] for s in found.all("mailserver_dovecot_errors_total") if s.value}
    # The submission that has no Postfix behind it is the other error.
    assert classes == {"auth_backend", "other"}
    assert found.value("mailserver_dovecot_errors_total", **{"class": "other"}) == 1
    source = {"program": "dovecot", "source": str(dovecot.syslogd.file)}
    read = found.value("mailserver_log_lines_total", **source)
    assert found.value("mailserver_log_lines_understood_total", **source) == read > 30


@pytest.mark.parametrize("release", RELEASES)
def test_errors_of_a_real_dovecot_are_counted_by_their_class(tmp_path: Path, release: str) -> None:
    with Dovecot(release) as dovecot:
        collector = _collector(tmp_path, dovecot)

        # Full: 2.4 lets the last message exceed the quota.
        for _ in range(2):
            dovecot.deliver("full", f"Message-ID: <{release}@example.org>\r\n\r\n{'x' * 4000}")
        _damage_index(dovecot)
        locked = dovecot.imap("locked")
        locked.append("INBOX", "", "", b"Subject: x\r\n\r\nx")
        locked.logout()
        dovecot.lock(dovecot.mail / "locked")
        locked = dovecot.imap("locked")
        locked.select()
        locked.logout()
        _exhaust_memory(dovecot)
        dovecot.said(b"Out of memory")
        dovecot.users.unlink()
        dovecot.restart()
        dovecot.authenticate("user", PASSWORD)
        dovecot.said(b"No such file or directory")
        dovecot.certificate.write_text("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
        dovecot.restart()
        with dovecot.connected("imaps", greeted=False):
            dovecot.said(b"SSL")
        found = Exposition.of(collector.collect())
        collector.close()

    counts = {s.labels["class"]: s.value for s in found.all("mailserver_dovecot_errors_total")}
    assert counts["storage_quota"] == (1 if release == "sid" else 2)
    assert {name for name, count in counts.items() if count} >= set(dovecot_log.CLASSES) - {"other"}, counts
    assert counts["other"] == 0
    levels = {s.labels["level"]: s.value for s in found.all("mailserver_dovecot_messages_total")}
    # What is full was told as information, and the backtrace belongs to the error before it.
    errors = sum(counts.values()) - counts["storage_quota"]
    assert errors == levels["error"] + levels["fatal"] + levels["panic"] - 1


def _collector(folder: Path, dovecot: Dovecot) -> LogsCollector:
    none = ", ".join(f"{name}: none" for name in ("postfix", "sshd", "sogo", "netfilter", "php-fpm"))
    settings = f"state_directory: {folder}\nlogs: {{sources: {{dovecot: {dovecot.syslogd.file}, {none}}}}}"
    collector = LogsCollector(context(folder, settings))
    list(collector.collect())  # what was there before is not counted
    return collector


def _damage_index(dovecot: Dovecot) -> None:
    connection = dovecot.imap()
    connection.append("INBOX", "", "", b"Subject: x\r\n\r\nx")
    connection.select()
    connection.fetch("1:*", "(ENVELOPE)")
    connection.logout()
    dovecot.said(b"Logged out")
    (dovecot.mail / "user/dovecot.index.cache").write_bytes(b"garbage" * 100)
    connection = dovecot.imap()
    connection.select()
    connection.fetch("1:*", "(ENVELOPE)")
    connection.logout()


def _exhaust_memory(dovecot: Dovecot) -> None:
    """Search for 150 MB, of which imap, with 128 MB, would need a copy."""
    with dovecot.connected("imap") as connection:
        for line in (f"a LOGIN user {PASSWORD}", "b SELECT INBOX", "c SEARCH TEXT {150000000}"):
            connection.sendall(line.encode() + b"\r\n")
            connection.recv(4096)
        with contextlib.suppress(OSError):
            for _ in range(150):
                connection.sendall(b"x" * 1_000_000)
