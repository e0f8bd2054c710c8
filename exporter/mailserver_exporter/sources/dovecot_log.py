"""What Dovecot says of itself and of logins, in the words of 2.3 and 2.4 (src/login-common/client-common.c there).

Read are both forms of a line: ``dovecot: imap-login: Logged in: ...`` as syslog has it, where the level of information
is not written, and ``imap-login: Info: Logged in: ...`` as in Dovecot's own log files.

How a message is fenced: service, user and level stand before the message, and a line is only read where the user has
none of the characters that could end that part (auth_username_chars forbids them, too; 2.4 then writes ``?``). Of a
login, everything up to the first ``user=<`` is Dovecot's own text, and only that is looked at; control characters are
replaced by Dovecot. The class of an error is found in the message, which may hold the name of a mailbox: its owner
could move an error that there is anyway into another class.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mailserver_exporter.sources.tally import Tally

MESSAGES = "mailserver_dovecot_messages_total"
ERRORS = "mailserver_dovecot_errors_total"
LOGINS = "mailserver_dovecot_logins_total"
LOGIN_FAILURES = "mailserver_dovecot_login_failures_total"

LEVELS = ("debug", "info", "warning", "error", "fatal", "panic")
CLASSES = ("auth_backend", "storage_quota", "index_corruption", "permissions", "tls", "out_of_memory", "other")
PROTOCOLS = ("imap", "pop3", "submission", "managesieve", "other")

_LINE = re.compile(
    rb"(?:dovecot[\w.-]*(?:\[\d+\])?: )?(?P<service>[a-z][a-z0-9-]{0,40})(?:\([^ ()<>]*\))?(?:<[^ <>]*>){0,2}: "
    rb"(?:(?P<level>Debug|Info|Warning|Error|Fatal|Panic): )?"
)

# What stands in the brackets behind why the connection ended. 2.3 has no word of its own for TLS.
REASONS = {
    "auth_failed": rb"auth failed",
    "no_auth_attempts": rb"no auth attempts",
    "tls": rb"disconnected during TLS handshake|(?:no auth attempts|disconnected before auth)[^()]*\): user=<>, "
    rb"(?:[^<]*, )?TLS handshaking",
    "aborted": rb"auth aborted by client|aborted authentication|client didn't finish SASL auth"
    rb"|disconnected while (?:authenticating|finishing login)",
    "disabled": rb"user disabled|login disabled|password expired|authorization failed",
    "too_many_connections": rb"mail_max_userip_connections=|connection limit reached",
    "cleartext_refused": rb"tried to use (?:disallowed|disabled) (?:plain|clear)text auth|cert required, client didn't",
    "client_certificate": rb"client (?:sent an (?:invalid|untrusted)|didn't send a) cert",
    "internal_failure": rb"auth service reported temporary failure|auth process communication failure|internal failure"
    rb"|disconnected before auth was ready|client_limit and process_limit",
    "proxy": rb"proxy dest ",
    "other": rb"sent invalid base64|tried to use unsupported auth|anonymous logins disabled|credentials contain control"
    rb"|auth referral|The process is shutting down",
}
# TLS before what else it could be.
_ORDER = sorted(REASONS, key=lambda reason: reason != "tls")
# "Authenticate NAME failed" comes besides, and the name of the mechanism is the client's.
_FAILED = re.compile(
    rb"(?!Authenticate )[^<]*?\((?:%s)" % b"|".join(b"(?P<%s>%s)" % (r.encode(), REASONS[r]) for r in _ORDER)
)
_ATTEMPTS = re.compile(rb"[^<]*?\(auth failed, (\d{1,4}) attempts")

_AUTH_SERVICES = (b"auth", b"auth-worker", b"dovecot-auth")
# Where what the system said stands at the end, or before what Dovecot adds.
_SYSTEM = rb"(?:failed|error|Error): %s(?: \(|:|,|$)"
_CLASSES = (
    (
        "out_of_memory",
        re.compile(
            rb"[^<]{0,200}\bOut of memory\b|.*(?:%s)|.*failed to map segment" % (_SYSTEM % rb"Cannot allocate memory"),
            re.DOTALL,
        ),
    ),
    (
        "auth_backend",
        re.compile(
            rb"(?:conn unix:|login: )?[Aa]uth(?:-[a-z]+)?(?:[:(<]| server| process| USER| request| connection)"
            rb"|(?:Timeout waiting for handshake from|Disconnected from|BUG:) [Aa]uth|service\(auth|[Uu]serdb lookup"
        ),
    ),
    (
        "storage_quota",
        re.compile(rb".*%s" % (_SYSTEM % rb"(?:No space left on device|Disk quota exceeded)"), re.DOTALL),
    ),
    (
        "permissions",
        re.compile(
            rb".*%s|Couldn't drop privileges|.*Mail access for users with UID \d+ not permitted"
            % (_SYSTEM % rb"(?:Permission denied|Operation not permitted)"),
            re.DOTALL,
        ),
    ),
    (
        "tls",
        re.compile(
            rb"Failed to initialize SSL|Couldn't (?:parse|initialize|load) .{0,60}(?:SSL|ssl)"
            rb"|Can't load .{0,40}(?:SSL|ssl)|(?:SSL|TLS|ssl)[:_ ]|Error in configuration file .*: ssl_",
            re.DOTALL,
        ),
    ),
    (
        "index_corruption",
        re.compile(
            rb".*(?:\b[Cc]orrupted\b|\bLost log for seq=|Log synchronization error|Fixed index file|Broken file "
            rb"|Transaction log file .* header|Index file .*: (?:Invalid|Wrong|indexid))",
            re.DOTALL,
        ),
    ),
    ("storage_quota", re.compile(rb"[Qq]uota[ :]|.*(?:Quota exceeded|Not enough disk (?:space|quota))", re.DOTALL)),
)
# A full mailbox is no error to Dovecot: it says so as information. The message's id before it has no blank.
_FULL = re.compile(
    rb"(?:sieve: )?msgid=[^ ]*: (?:save failed to [^:]*|failed to store into mailbox '[^']*'): Quota exceeded"
)


def read(lines: Sequence[bytes], tally: Tally) -> int:
    """Count lines of Dovecot's; return how many were understood."""
    understood = 0
    for line in lines:
        found = _LINE.match(line)
        if found is None:
            continue
        understood += 1
        service = found["service"]
        level = (found["level"] or b"Info").decode().lower()
        tally[(MESSAGES, level)] += 1
        start = found.end()
        if level in ("error", "fatal", "panic"):
            if line.startswith(b"Raw backtrace: ", start):
                continue  # of the error before it
            tally[(ERRORS, _class(service, line[start:].rstrip()))] += 1
        elif service.endswith(b"-login"):
            _login(service[:-6].decode(), line, start, tally)
        elif _FULL.match(line, start):
            tally[(ERRORS, "storage_quota")] += 1
    return understood


def _class(service: bytes, message: bytes) -> str:
    for name, pattern in _CLASSES:
        if name == "auth_backend" and service in _AUTH_SERVICES:
            return name
        if pattern.match(message):
            return name
    return "other"


def _login(protocol: str, line: bytes, start: int, tally: Tally) -> None:
    protocol = protocol if protocol in PROTOCOLS else "other"
    if line.startswith((b"Login: user=<", b"Logged in: user=<"), start):
        tally[(LOGINS, protocol)] += 1
    elif (failed := _FAILED.match(line, start)) is not None and failed.lastgroup is not None:
        # A connection on which several passwords were refused is told once, with their number.
        attempts = _ATTEMPTS.match(line, start)
        tally[(LOGIN_FAILURES, failed.lastgroup)] += int(attempts[1]) if attempts else 1
