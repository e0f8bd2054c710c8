"""What sshd(8) says of logins, in the words of OpenSSH 8.4 to 10.5 (auth.c, auth-pam.c, packet.c, kex.c, sshd.c there).

How a message is fenced: it is recognised by how it begins, and what the other side may choose comes after that. A user
name that holds a whole message of sshd's is therefore never read as one. sshd itself escapes control characters, so
that a user name cannot begin a new line either. Where something is read behind the user name, it is read at the end
of the line, which sshd writes after it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mailserver_exporter.sources.tally import Tally

FAILED_PASSWORDS = "mailserver_sshd_failed_passwords_total"
INVALID_USERS = "mailserver_sshd_invalid_users_total"
FAILURES = "mailserver_sshd_failures_total"
LOGINS = "mailserver_sshd_logins_total"
GUESSED = "mailserver_sshd_logins_after_failures_total"

# As sshd names them; the last is for those that patches add.
METHODS = (
    "publickey",
    "password",
    "keyboard-interactive",
    "hostbased",
    "gssapi-with-mic",
    "gssapi-keyex",
    "none",
    "other",
)

# One message of each event is counted. What sshd says besides is in `known` below: it is understood and counts nothing.
REASONS = {
    "publickey": rb"Failed publickey for ",
    # A password or one-time code by PAM: the line is there for every attempt, and "Failed keyboard-interactive/pam" is
    # not. A message of PAM's that is no verdict has no " for ".
    "keyboard_interactive": rb"error: PAM: [^:]{1,100}? for |Failed keyboard-interactive(?!/pam )[^ ]* for ",
    "hostbased": rb"Failed hostbased for ",
    "gssapi": rb"Failed gssapi[a-z-]* for ",
    "max_attempts": rb"error: maximum authentication attempts exceeded for "
    rb"|Disconnecting: Too many authentication fail",
    "not_allowed": rb"User .* not allowed because |ROOT LOGIN REFUSED FROM |Authentication refused for "
    rb"|Authentication refused: |refused connect from |fatal: Access denied for user |Account .* has expired"
    rb"|User .* password has expired|error: Authentication key .* revoked by ",
    # Somebody named a user and went away.
    "abandoned": rb"(?:Connection (?:closed|reset) by|Disconnected from) (?:authenticating|invalid) user ",
    # Nobody was named: a scan, or a check whether the port answers.
    "disconnected": rb"(?:Connection (?:closed|reset) by|Disconnected from) [^ ]+ (?:port \d+(?: \[preauth\])?"
    rb"|\[preauth\])$|Did not receive identification string |fatal: Read from socket failed: ",
    "timeout": rb"(?:fatal: )?Timeout before authentication for |(?:fatal: )?Connection from .* timed out",
    "negotiation": rb"(?:fatal: )?Unable to negotiate (?:with|a) |fatal: no matching ",
    "protocol": rb"banner exchange: |Bad protocol version identification |error: Protocol major versions differ"
    rb"|Disconnecting [^ ]+ port \d+: (?:Packet corrupt|Bad packet|Corrupted)|(?:fatal: )?ssh_dispatch_run_fatal: "
    rb"|(?:error: )?Bad remote protocol version identification|(?:probed|scanned) from ",
    "dropped": rb"(?:error: |fatal: )?drop connection #",
    "other": rb"Failed [^ ]+ for |Disconnecting .*: Change of username or service not allowed"
    rb"|fatal: .*\[preauth\]$|error: Could not get shadow information for ",
}

_KNOWN = (
    rb"Accepted (?P<method>[a-z0-9-]+)",
    rb"Failed (?P<password>password) for ",
    rb"(?:Invalid|Illegal) (?P<invalid>user) ",
    # Said besides, see REASONS; and what is no failure.
    rb"(?P<known>Failed keyboard-interactive/pam for |Received disconnect from |error: Received disconnect from "
    rb"|Disconnecting .*: Too many authentication fail|error: kex_exchange_identification: "
    rb"|kex_exchange_identification: "
    rb"|input_userauth_request: |(?:error: )?beginning MaxStartups|exited MaxStartups|Postponed |Partial "
    rb"|error: kex_protocol_error: |kex_protocol_error: |Connection from [^ ]+ port \d+ on "
    rb"|Disconnected from user |Connection (?:closed|reset) by user |Connection closed by [^ ]+$"
    rb"|pam_[a-z_]+\(sshd:|PAM \d+ more authentication failure|PAM: |User child is on pid |Starting session: "
    rb"|Close session: |Session closed|Transferred: |Closing connection to |Server listening on |Received signal "
    rb"|Exiting on signal|srclimit_|reverse mapping checking |Address [^ ]+ maps to |Nasty PTR |Accepted key "
    rb"|Accepted certificate |SSH: Server;|Root login accepted )",
)
# Each reason's name is the name of a group, which says why a line matched; the order decides between them.
_MESSAGE = re.compile(
    b"|".join((*_KNOWN, *(b"(?P<%s>%s)" % (reason.encode(), pattern) for reason, pattern in REASONS.items()))),
    re.DOTALL,
)
# Behind the user name, so at the very end, where sshd writes it.
_ADDRESS = re.compile(rb".* from ([0-9A-Fa-f.:%]{2,60})(?: port \d{1,5}(?: ssh2?)?)?\s*\Z", re.DOTALL)

# How often a password has been refused by address: in the tally, because it must outlive the process; not exported.
_REFUSED = "sshd refused"
MANY_FAILURES = 10
_MAX_KEYS = 300
_FORGOTTEN_AT_ONCE = 50


def read(lines: Sequence[bytes], tally: Tally) -> int:
    """Count ``sshd[pid]: message`` lines, also of sshd-session and sshd-auth; return how many were understood."""
    understood = 0
    for line in lines:
        found = _MESSAGE.match(line, line.find(b": ") + 2)
        if found is None:
            continue
        understood += 1
        what = found.lastgroup
        if what == "known":
            continue
        if what == "password":
            tally[(FAILED_PASSWORDS,)] += 1
            _refused(line, tally)
        elif what == "invalid":
            tally[(INVALID_USERS,)] += 1
        elif what == "method":
            method = found["method"].decode()
            tally[(LOGINS, method if method in METHODS else "other")] += 1
            if method in ("password", "keyboard-interactive"):
                _accepted(line, tally)
        elif what is not None:
            tally[(FAILURES, what)] += 1
            if what == "keyboard_interactive":
                _refused(line, tally)
    return understood


def _refused(line: bytes, tally: Tally) -> None:
    if (address := _address(line)) is None:
        return
    # Put at the end anew, so that the first ones are those that have been quiet for longest.
    tally[address] = tally.pop(address, 0) + 1
    if len(tally) > _MAX_KEYS:
        for key in [key for key in tally if key[0] == _REFUSED][:_FORGOTTEN_AT_ONCE]:
            del tally[key]


def _accepted(line: bytes, tally: Tally) -> None:
    if (address := _address(line)) is not None and tally.pop(address, 0) >= MANY_FAILURES:
        tally[(GUESSED,)] += 1


def _address(line: bytes) -> tuple[str, str] | None:
    found = _ADDRESS.match(line)
    return (_REFUSED, found[1].decode()) if found else None
