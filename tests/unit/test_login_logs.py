"""Logins and errors in the logs of sshd, Dovecot, SOGo, netfilter and mailcow's interface; tests/integration has the
real servers. What anybody can put into a log must never reach a counter that is not its own.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from mailserver_exporter.collectors import log_dovecot, log_mailcow, log_sshd
from mailserver_exporter.collectors.log_programs import PROGRAMS
from mailserver_exporter.settings.limits import Limits
from mailserver_exporter.sources import dovecot_log, mailcow_ui_log, netfilter_log, sogo_log, sshd_log, syslog
from mailserver_exporter.sources.tally import Tally
from tests.support.metrics import Exposition

Read = Callable[[Sequence[bytes], Tally], int]


def counted(read: Read, *lines: bytes) -> dict[tuple[str, ...], float]:
    """Return what is counted and exported."""
    tally = Tally()
    read(lines, tally)
    return {key: value for key, value in tally.items() if key[0].startswith("mailserver_")}


# sshd: recorded of OpenSSH 9.2 and 10.x, `ssh -o User=... localhost` with various methods


@pytest.mark.parametrize(
    ("message", "key"),
    [
        (b"Failed password for root from 192.0.2.1 port 22 ssh2", (sshd_log.FAILED_PASSWORDS,)),
        (b"Failed password for invalid user bob from 2001:db8::1 port 22 ssh2", (sshd_log.FAILED_PASSWORDS,)),
        (b"Invalid user  from 192.0.2.1 port 34916", (sshd_log.INVALID_USERS,)),
        (b"Accepted publickey for root from 192.0.2.1 port 22 ssh2: ED25519 SHA256:x", (sshd_log.LOGINS, "publickey")),
        (
            b"Accepted keyboard-interactive/pam for root from 192.0.2.1 port 22 ssh2",
            (sshd_log.LOGINS, "keyboard-interactive"),
        ),
        (b"Accepted hovercraft for root from 192.0.2.1 port 22 ssh2", (sshd_log.LOGINS, "other")),
        (b"Failed publickey for invalid user a from 192.0.2.1 port 1 ssh2: RSA x", (sshd_log.FAILURES, "publickey")),
        (b"error: PAM: Authentication failure for root from 192.0.2.1", (sshd_log.FAILURES, "keyboard_interactive")),
        (b"Failed keyboard-interactive/bsdauth for root from ::1 port 1", (sshd_log.FAILURES, "keyboard_interactive")),
        (b"Failed none for invalid user a from 192.0.2.1 port 1 ssh2", (sshd_log.FAILURES, "other")),
        (
            b"error: maximum authentication attempts exceeded for root from 192.0.2.1 port 1 ssh2 [preauth]",
            (sshd_log.FAILURES, "max_attempts"),
        ),
        (b"User a not allowed because shell /x does not exist", (sshd_log.FAILURES, "not_allowed")),
        (b"ROOT LOGIN REFUSED FROM 192.0.2.1 port 22", (sshd_log.FAILURES, "not_allowed")),
        (
            b"fatal: Access denied for user a by PAM account configuration [preauth]",
            (sshd_log.FAILURES, "not_allowed"),
        ),
        (b"Connection reset by invalid user a 192.0.2.1 port 22 [preauth]", (sshd_log.FAILURES, "abandoned")),
        (b"Disconnected from authenticating user root ::1 port 22 [preauth]", (sshd_log.FAILURES, "abandoned")),
        (b"Connection closed by 192.0.2.1 port 22", (sshd_log.FAILURES, "disconnected")),
        (b"Connection closed by 192.0.2.1 port 22 [preauth]", (sshd_log.FAILURES, "disconnected")),
        (b"fatal: Timeout before authentication for 192.0.2.1 port 22", (sshd_log.FAILURES, "timeout")),
        (
            b"Timeout before authentication for connection from 192.0.2.1 to 192.0.2.2, pid = 30",
            (sshd_log.FAILURES, "timeout"),
        ),
        (
            b"Unable to negotiate with 192.0.2.1 port 22: no matching host key type found. Their offer: x [preauth]",
            (sshd_log.FAILURES, "negotiation"),
        ),
        (b"banner exchange: Connection from ::1 port 2: invalid format [preauth]", (sshd_log.FAILURES, "protocol")),
        (
            b"drop connection #10 from [192.0.2.1]:52100 on [192.0.2.2]:22 past MaxStartups",
            (sshd_log.FAILURES, "dropped"),
        ),
    ],
)
@pytest.mark.parametrize("ident", [b"sshd[17]: ", b"sshd: ", b"sshd-session[17]: ", b"sshd-auth[17]: "])
def test_sshd_is_counted_once_for_each_event(ident: bytes, message: bytes, key: tuple[str, ...]) -> None:
    assert counted(sshd_log.read, ident + message) == {key: 1}


@pytest.mark.parametrize(
    "message",
    [
        b"Failed keyboard-interactive/pam for invalid user bob from 192.0.2.1 port 22 ssh2",
        b"Received disconnect from 192.0.2.1 port 22:11: Bye Bye [preauth]",
        b"Disconnecting authenticating user a 192.0.2.1 port 22: Too many authentication failures [preauth]",
        b"error: kex_exchange_identification: Connection closed by remote host",
        b"Disconnected from user alice 192.0.2.1 port 22",
        b"Postponed publickey for git from 192.0.2.1 port 57904 ssh2 [preauth]",
        b"pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=::1  user=root",
        b"Server listening on 0.0.0.0 port 22.",
    ],
)
def test_what_sshd_says_besides_is_understood_and_not_counted(message: bytes) -> None:
    tally = Tally()
    assert sshd_log.read([b"sshd[17]: " + message], tally) == 1
    assert not tally


def test_a_login_after_many_failures_from_its_address_is_told() -> None:
    failed = b"sshd[17]: Failed password for root from 192.0.2.1 port 5022 ssh2"
    other = b"sshd[17]: Failed password for root from 192.0.2.2 port 5022 ssh2"
    accepted = b"sshd[18]: Accepted password for root from 192.0.2.1 port 5023 ssh2"
    tally = Tally()

    sshd_log.read([failed] * 9 + [other] * 30 + [accepted], tally)
    assert (sshd_log.GUESSED,) not in tally, "nine may be typing errors"
    sshd_log.read([failed] * 5, tally)
    # The exporter is started anew in between.
    tally = Tally.load(tally.dump())
    sshd_log.read([failed] * 5 + [accepted, accepted], tally)
    assert tally[(sshd_log.GUESSED,)] == 1


def test_a_login_by_key_is_no_guess() -> None:
    failed = b"sshd[17]: Failed password for root from 192.0.2.1 port 5022 ssh2"
    accepted = b"sshd[18]: Accepted publickey for root from 192.0.2.1 port 5023 ssh2: ED25519 SHA256:x"
    assert (sshd_log.GUESSED,) not in counted(sshd_log.read, *[failed] * 20, accepted)


def test_a_botnet_does_not_fill_the_memory() -> None:
    tally = Tally()
    for number in range(5000):
        address = b"10.%d.%d.1" % divmod(number, 256)
        sshd_log.read([b"sshd[1]: Failed password for root from %s port 1 ssh2" % address], tally)
    assert len(tally) <= 300
    # Who was there last is remembered.
    sshd_log.read([b"sshd[1]: Failed password for root from %s port 1 ssh2" % address] * 9, tally)
    sshd_log.read([b"sshd[1]: Accepted password for root from %s port 1 ssh2" % address], tally)
    assert tally[(sshd_log.GUESSED,)] == 1


def test_addresses_are_not_exported() -> None:
    tally = Tally()
    sshd_log.read([b"sshd[1]: Failed password for root from 192.0.2.77 port 1 ssh2"], tally)
    assert "192.0.2.77" not in Exposition.of(log_sshd.families(tally)).text


# Dovecot: recorded of 2.3.19 and 2.4.1; each message with its level, as in syslog and as in Dovecot's own file


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"auth: Error: mysql(db): Connect failed to database (mailcow): Can't connect", "auth_backend"),
        (b"auth-worker(7): Error: conn unix:auth-worker (pid=1,uid=401): sql(a): query failed", "auth_backend"),
        (b"auth(user,192.0.2.1,sasl:plain)<x/y>: Error: passwd-file: open(/x) failed: Permission den", "auth_backend"),
        (b"imap-login: Error: auth: connect(login) in directory /run/dovecot failed: Connection ref", "auth_backend"),
        (b"lmtp(7): Error: auth-master: userdb lookup(a@b): Timeout", "auth_backend"),
        (b"master: Error: service(auth): command startup failed, throttling for 2.000 secs", "auth_backend"),
        (b"imap(a)<1><x>: Error: open(/v/a) failed: Permission denied (euid=8(vmail) missing +r)", "permissions"),
        (b"imap(a)<1><x>: Error: write(/v/a) failed: No space left on device", "storage_quota"),
        (b"imap(a)<1><x>: Error: Corrupted index file /v/a/dovecot.index: unexpected", "index_corruption"),
        (b"imap(a)<1><x>: Error: Mailbox INBOX: Deleting corrupted cache: x", "index_corruption"),
        (b"imap(a)<1><x>: Fatal: pool_system_realloc(268435456): Out of memory", "out_of_memory"),
        (
            b"imap(a)<1><x>: Fatal: master: service(imap): child 1 returned error 83 (Out of memory (service imap {",
            "out_of_memory",
        ),
        (b"imap-login: Error: Failed to initialize SSL server context: Can't load SSL certificate", "tls"),
        (b"imap-login: Fatal: Couldn't parse private ssl_key: error:0906A068", "tls"),
        (b"submission(a)<1><x>: Error: smtp-client: conn 127.0.0.1:9 failed: Connection refused", "other"),
        (b"imap(a)<1><x>: Panic: file x.c: line 1: assertion failed", "other"),
    ],
)
@pytest.mark.parametrize("ident", [b"dovecot: ", b"dovecot[17]: ", b""])
def test_dovecots_errors_have_a_class(ident: bytes, line: bytes, name: str) -> None:
    found = counted(dovecot_log.read, ident + line)
    assert {key[1:] for key in found if key[0] == dovecot_log.ERRORS} == {(name,)}
    assert sum(found.values()) == 2


@pytest.mark.parametrize(
    ("message", "key", "times"),
    [
        (b"Login: user=<a>, method=PLAIN", (dovecot_log.LOGINS, "imap"), 1),
        (b"Logged in: user=<a>, method=PLAIN", (dovecot_log.LOGINS, "imap"), 1),
        (b"Disconnected (auth failed, 3 attempts in 8 secs): user=<a>", (dovecot_log.LOGIN_FAILURES, "auth_failed"), 3),
        (
            b"Login aborted: Logged out (auth failed, 2 attempts in 0 secs) (auth_failed): user=<a>",
            (dovecot_log.LOGIN_FAILURES, "auth_failed"),
            2,
        ),
        (
            b"Disconnected: Connection closed (no auth attempts in 0 secs): user=<>, rip=::1, TLS handshaking: x",
            (dovecot_log.LOGIN_FAILURES, "tls"),
            1,
        ),
        (
            b"Disconnected: Maximum number of connections from user+IP exceeded (mail_max_userip_connections=2): user",
            (dovecot_log.LOGIN_FAILURES, "too_many_connections"),
            1,
        ),
        (
            b"Disconnected: Connection closed (user disabled): user=<a>",
            (dovecot_log.LOGIN_FAILURES, "disabled"),
            1,
        ),
        (
            b"Aborted login (tried to use disallowed plaintext auth): user=<>",
            (dovecot_log.LOGIN_FAILURES, "cleartext_refused"),
            1,
        ),
    ],
)
def test_logins_to_dovecot_are_counted(message: bytes, key: tuple[str, str], times: int) -> None:
    info = {(dovecot_log.MESSAGES, "info"): 1}
    assert counted(dovecot_log.read, b"dovecot: imap-login: " + message) == {**info, key: times}
    assert counted(dovecot_log.read, b"imap-login: Info: " + message) == {**info, key: times}


# mailcow: lines of its containers, by the text of its sources and of syslog-ng's and php-fpm's formats


def test_netfilter_is_counted_with_and_without_dates() -> None:
    messages = [
        (b"INFO", b"Using NFTables backend"),
        (b"INFO", b"Watching Redis channel F2B_CHANNEL"),
        (b"WARN", b"192.0.2.1 matched rule id 1 (mailcow UI: Invalid password for x by 192.0.2.1)"),
        (b"WARN", b"9 more attempts in the next 600 seconds until 192.0.2.1/32 is banned"),
        (b"CRIT", b"Banning 192.0.2.1/32 for 30 minutes"),
        (b"INFO", b"Unbanning 2001:db8::1/128"),
    ]
    for lines in (
        [message for _, message in messages],
        [b"2026-11-22 03:15:55 %s: %s" % each for each in messages],
    ):
        tally = Tally()
        assert netfilter_log.read(lines, tally) == len(messages)
        assert tally == {
            (netfilter_log.STARTS,): 1,
            (netfilter_log.WARNINGS,): 1,
            (netfilter_log.BANS,): 1,
            (netfilter_log.UNBANS,): 1,
        }


@pytest.mark.parametrize(
    "line",
    [
        b'[22-Nov-2026 03:15:55] WARNING: [pool web-worker] child 12 said into stderr: "mailcow UI: Invalid password '
        b'for admin by 192.0.2.1"',
        b"NOTICE: PHP message: mailcow UI: Invalid password for admin by 192.0.2.1",
        b"mailcow UI: Invalid password for admin by 192.0.2.1",
    ],
)
def test_failed_logins_to_mailcows_interface_are_counted(line: bytes) -> None:
    assert counted(mailcow_ui_log.read, line) == {(mailcow_ui_log.LOGIN_FAILURES,): 1}


def test_an_address_of_a_page_is_no_failed_login() -> None:
    page = b'172.22.1.7 -  22/Nov/2026:03:15:55 +0000 "GET /?mailcow UI: Invalid password for x by ::1" 200'
    assert counted(mailcow_ui_log.read, page) == {}
    page = b"Nov 22 03:15:55 7a8b9c sogod [69]: 192.0.2.1 \"GET /SOGo/SOGoRootPage Login from 'x' for user 'y'\" 403"
    assert counted(sogo_log.read, page) == {}


@pytest.mark.parametrize("host", [b"", b"7a8b9c0d1e2f "])
def test_failed_logins_to_sogo_are_counted(host: bytes) -> None:
    line = (
        b"Nov 22 03:15:55 %ssogod [69]: SOGoRootPage Login from '192.0.2.1' for user 'a@b' might not have worked - "
        b"password policy: 65535  grace: -1  expire: -1  bound: 0" % host
    )
    assert counted(sogo_log.read, line) == {(sogo_log.LOGIN_FAILURES,): 1}


# Hostile

# A user name in each place where one stands, with what the line counts without it.
TEMPLATES: list[tuple[Read, bytes]] = [
    (sshd_log.read, b"sshd[1]: Failed password for invalid user %s from 192.0.2.1 port 22 ssh2"),
    (sshd_log.read, b"sshd[1]: Invalid user %s from 192.0.2.1 port 22"),
    (sshd_log.read, b"sshd[1]: Connection closed by invalid user %s 192.0.2.1 port 22 [preauth]"),
    (sshd_log.read, b"sshd[1]: error: PAM: Authentication failure for illegal user %s from 192.0.2.1"),
    (sshd_log.read, b"sshd[1]: error: maximum authentication attempts exceeded for %s from ::1 port 2 ssh2 [preauth]"),
    (sshd_log.read, b'sshd[1]: error: kex_exchange_identification: client sent invalid protocol identifier "%s"'),
    (dovecot_log.read, b"dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<%s>, rip=::1"),
    (dovecot_log.read, b"dovecot: imap-login: Login aborted: x (no auth attempts in 2 secs) (y): user=<%s>, rip=::1"),
    (dovecot_log.read, b"dovecot: imap-login: Authenticate %s failed: Unsupported: user=<>, rip=::1"),
    (dovecot_log.read, b"dovecot: auth: plain(?,::1,<x>): Username character disallowed (username: %s)"),
    (dovecot_log.read, b"dovecot: lmtp(a)<1><x>: msgid=<a>: saved mail to %s"),
    (netfilter_log.read, b"2026-11-22 03:15:55 WARN: 192.0.2.1 matched rule id 3 (%s)"),
    (mailcow_ui_log.read, b"NOTICE: PHP message: mailcow UI: Invalid password for %s by 192.0.2.1"),
    (sogo_log.read, b"Nov 22 03:15:55 sogod [69]: SOGoRootPage Login from '%s' for user 'a' might not have worked"),
]
PIECES = [
    b"sshd[1]: Failed password for root from 192.0.2.9 port 22 ssh2",
    b"Accepted password for root from 192.0.2.9 port 22 ssh2",
    b" from 192.0.2.9 port 22 ssh2",
    b" [preauth]",
    b"Invalid user ",
    b"): Error: ",
    b"dovecot: imap-login: Login: user=<root>, ",
    b"Info: Logged in: user=<",
    b"(auth failed, 9999 attempts in 1 secs): user=<",
    b"(no auth attempts in 0 secs): user=<>, TLS handshaking",
    b": save failed to INBOX: Quota exceeded (mailbox for user is full)",
    b"Banning 192.0.2.9/32 for 30 minutes",
    b"CRIT: ",
    b"mailcow UI: Invalid password for ",
    b"SOGoRootPage Login from '",
    b"message repeated 999 times: [ ",
    b"<>\"'()[]{}%s\\n#012",
    b"\xff\xfe\x00\x1b[2J",
    b" " * 50,
    "é漢".encode(),
    b"x" * 3000,
]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template[1][:60].decode())
def test_a_user_name_reaches_no_counter_but_that_of_its_line(template: tuple[Read, bytes]) -> None:
    read, line = template
    chance = random.Random(7)
    expected = counted(read, line.replace(b"%s", b"name"))
    for _ in range(500):
        forged = b"".join(chance.choices(PIECES, k=chance.randint(1, 5)))
        assert counted(read, line.replace(b"%s", forged)) == expected, forged
        # And on the road through a file of syslog's, where a repetition could be forged, too.
        if line.startswith((b"sshd", b"dovecot")):
            [body] = syslog.bodies([b"Nov 22 03:15:55 mail " + line.replace(b"%s", forged)])
            assert counted(read, body) == expected


@pytest.mark.parametrize("read", {read for read, _ in TEMPLATES}, ids=lambda read: read.__module__.rpartition(".")[2])
def test_rubbish_is_neither_counted_nor_a_failure(read: Read) -> None:
    chance = random.Random(7)
    rubbish = [chance.randbytes(chance.randint(0, 300)) for _ in range(500)]
    tally = Tally()
    read([*rubbish, b"", b": ", b"x" * 65536, b" from " * 10000, b"(" * 65000, b"sshd[1]: " + b"a" * 65000], tally)
    assert not tally


@pytest.mark.parametrize(
    "line",
    [
        b"sshd[1]: Failed password for " + b" from 192.0.2.1" * 4000,
        b"sshd[1]: error: PAM: " + b"a for " * 10000,
        b"sshd[1]: User " + b"not allowed " * 5000,
        b"dovecot: imap-login: Disconnected " + b"(auth failed, " * 4000,
        b"dovecot: imap(a)<1><x>: Error: " + b"failed: Mailbox x: " * 3000,
        b"dovecot: lmtp(a)<1><x>: msgid=" + b"<a>: save failed to " * 3000,
        b"Nov 22 03:15:55 " + b"SOGoRootPage " * 4000,
    ],
)
@pytest.mark.timeout(10)
def test_a_line_that_repeats_itself_takes_no_time(line: bytes) -> None:
    for read in {read for read, _ in TEMPLATES}:
        read([line] * 20, Tally())


# Names


def test_every_value_of_every_label_is_there_from_the_start() -> None:
    nothing = Tally()
    found = Exposition.of(
        family
        for families in (
            log_sshd.families,
            log_dovecot.families,
            log_mailcow.sogo_families,
            log_mailcow.netfilter_families,
            log_mailcow.ui_families,
        )
        for family in families(nothing)
    )
    assert not nothing
    assert {sample.value for sample in found.samples} == {0}
    assert {s.labels["reason"] for s in found.all("mailserver_sshd_failures_total")} == set(sshd_log.REASONS)
    assert {s.labels["class"] for s in found.all("mailserver_dovecot_errors_total")} == set(dovecot_log.CLASSES)
    assert found.value("mailserver_mailcow_netfilter_bans_total") == 0


def test_programs_whose_lines_are_told_apart_by_their_beginning_have_their_limits_exported() -> None:
    names = {f.name for each in PROGRAMS for f in each.limits(Limits())}
    assert {"mailserver_threshold_sshd_failures", "mailserver_threshold_dovecot_errors"} <= names
    errors = Exposition.of(log_dovecot.limits(Limits())).all("mailserver_threshold_dovecot_errors")
    limits = {(s.labels["class"], s.labels["severity"]): s.value for s in errors}
    assert limits[("auth_backend", "critical")] == 30
    assert limits[("out_of_memory", "warning")] == 0
    assert limits[("permissions", "warning")] == 10
