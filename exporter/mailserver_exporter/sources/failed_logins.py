"""From which addresses logins failed, by the lines of sshd, Postfix, Dovecot, SOGo and mailcow's web interface.

The words are those that sshd_log.py, postfix_smtpd.py, dovecot_log.py, sogo_log.py and mailcow_ui_log.py count, and
they are fenced in the same way: nobody can have another's address told by a user name of his choice, because the
address is read where the program writes it, before the user's name or behind all of it. (mailcow's web interface
refuses user names with other characters before it logs them.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

_ADDRESS = rb"([0-9A-Fa-f.:]{2,45})"
_FROM = re.compile(rb" from %s(?:%%\w{1,16})?(?: port \d{1,5}(?: ssh2?)?)?\s*\Z" % _ADDRESS)
_AT_PORT = re.compile(rb" %s(?:%%\w{1,16})? port \d{1,5}(?: \[preauth\])?\s*\Z" % _ADDRESS)
_SSHD = re.compile(
    rb"sshd(?:-session|-auth)?(?:\[(\d{1,10})\])?: (?:error: )?(?:"
    rb"(?P<refused>Failed (?:password|keyboard-interactive(?!/pam )[^ ]*) for |PAM: [^:]{1,100}? for )"
    rb"|(?P<unknown>(?:Invalid|Illegal) user )"
    rb"|(?P<left>(?:Connection (?:closed|reset) by|Disconnected from) (?:authenticating|invalid) user ))"
)
# Of the client's name and address, only the name may come from outside, and it is a valid one of the DNS.
_POSTFIX = re.compile(
    rb"postfix[^/\[: ]*/(?:[^\[: ]*/)?smtpd\[\d+\]: warning: [^ \[]*\[%s\](?::\d+)?: SASL [^ ]+ authentication failed"
    rb"(?!: (?:Connection lost|Temporary authentication))" % _ADDRESS
)
_DOVECOT = re.compile(
    rb"(?:dovecot[\w.-]*(?:\[\d+\])?: )?(?P<protocol>[a-z0-9]{1,20})-login(?:\([^ ()<>]*\))?(?:<[^ <>]*>){0,2}: "
    rb"(?:Info: )?[^<]*?\(auth failed(?:, (?P<tries>\d{1,4}) attempts)?[^<]*?user=<"
)
_RIP = re.compile(rb", rip=%s(?:,|\s*\Z)" % _ADDRESS)
_SOGO = re.compile(rb"[^\"'()=]{0,200}?\bSOGoRootPage\S{0,8} Login from '%s' for user" % _ADDRESS)
_UI = re.compile(
    rb"(?:\[[^\]]{10,40}\] \w+: )?(?:\[pool [\w.-]+\] child \d+ said into std(?:err|out): \")?(?:NOTICE: )?"
    rb"(?:PHP message: )?mailcow UI: Invalid password for "
)
_BY = re.compile(rb" by %s\"?\s*\Z" % _ADDRESS)
_PROTOCOLS = {b"imap": "imap", b"pop3": "pop3", b"submission": "smtp", b"managesieve": "sieve"}
_CONNECTIONS = 2000

SERVICES = ("ssh", "smtp", "imap", "pop3", "sieve", "webmail", "mailcow", "other")


class Failure(NamedTuple):
    """So many failed logins from one address, as it is written in the log, by one of SERVICES."""

    address: bytes
    service: str
    times: int = 1


Finder = Callable[[bytes], "Failure | None"]


class Sshd:
    """Lines of sshd. What it says of one connection in several lines is counted once, in whatever order they come."""

    def __init__(self) -> None:
        # Connections, by sshd's process: whether one was counted of which no password is known yet.
        self._known: dict[bytes, bool] = {}

    def __call__(self, line: bytes) -> Failure | None:
        """Return the failure that a line tells of: each refused password, or the user who was given up without one."""
        found = _SSHD.match(line)
        if found is None:
            return None
        if found["left"]:
            address = _AT_PORT.match(line, line.rfind(b" ", 0, line.rfind(b" port ")))
        else:
            address = _FROM.match(line, line.rfind(b" from "))
        if address is None:
            return None
        process, refused = found[1], bool(found["refused"])
        if process is None:
            return None if found["left"] else Failure(address[1], "ssh")
        known = self._known.pop(process, None)
        self._known[process] = known is not False and not refused
        if len(self._known) > _CONNECTIONS:
            del self._known[next(iter(self._known))]
        return Failure(address[1], "ssh") if known is None or (refused and not known) else None


def postfix(line: bytes) -> Failure | None:
    """Return the failure that a line of Postfix' smtpd tells of; one for which the server is to blame is none."""
    found = _POSTFIX.match(line)
    return Failure(found[1], "smtp") if found else None


def dovecot(line: bytes) -> Failure | None:
    """Return the failures that a line of Dovecot's tells of, several where passwords were tried on one connection."""
    found = _DOVECOT.match(line)
    address = _RIP.match(line, line.rfind(b", rip=")) if found else None
    if found is None or address is None:
        return None
    return Failure(address[1], _PROTOCOLS.get(found["protocol"], "other"), int(found["tries"] or 1))


def sogo(line: bytes) -> Failure | None:
    """Return the failure that a line of SOGo's tells of."""
    found = _SOGO.match(line)
    return Failure(found[1], "webmail") if found else None


def mailcow_ui(line: bytes) -> Failure | None:
    """Return the failure that a line of mailcow's php-fpm tells of."""
    found = _BY.match(line, line.rfind(b" by ")) if _UI.match(line) else None
    return Failure(found[1], "mailcow") if found else None


# What the lines of a program that matter have in them; cheap, for logs of gigabytes.
HINTS: Mapping[str, bytes] = {
    "sshd": rb"sshd.*?: (?:\[ )?(?:Failed|Invalid|Illegal|error: PAM:|Connection \w+ by|Disconnected from) ",
    "postfix": rb"authentication failed",
    "dovecot": rb"\(auth failed",
    "sogo": rb"Login from '",
    "php-fpm": rb"mailcow UI: ",
}


# Who writes them, where that is known of a line.
IDENTS = re.compile(r"sshd(-session|-auth)?|postfix[^/]*/(.*/)?smtpd|dovecot")


def finders() -> dict[str, Finder]:
    """Return a new finder for each program that is known, by its name in collectors/log_programs.py."""
    return {"sshd": Sshd(), "postfix": postfix, "dovecot": dovecot, "sogo": sogo, "php-fpm": mailcow_ui}
