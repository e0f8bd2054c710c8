"""What the answers of SMTP servers, and their silence, mean for the admin, and what to do about it.

The texts are those of Google's list of SMTP errors (support.google.com/a/answer/3726730), of Exchange Online, Postfix,
Exim and Dovecot; what no text tells is judged by its code (RFC 3463, RFC 4954, RFC 5321 4.2).
"""

from __future__ import annotations

import re
import smtplib
from dataclasses import dataclass

from mailserver_exporter import network_advice
from mailserver_exporter.settings.notifications import Email
from mailserver_exporter.sources.deadline import TooMuchError
from mailserver_exporter.sources.smtp_client import NoMailServerError, address

_AT_GOOGLE = (
    "make an app password at https://myaccount.google.com/apppasswords (the account needs two-step verification) and "
    "write its 16 letters into {password_file}; username must be the whole address"
)
_BROWSER = "log in as {username} in a browser once and confirm that it was you; if that is not enough, "
_MICROSOFT = (
    "Microsoft takes no password for this mailbox: allow it at admin.microsoft.com (Active users, {username}, Mail, "
    "Manage email apps, Authenticated SMTP), or send through another provider"
)
_CREDENTIALS = "check username ({username}) and the password in {password_file}; many providers want an app password"
_LOG_IN = "this server wants a login: set notifications.email.username and password_file"
_NO_LOGIN = "this server takes no password on this port: use port 587 or 465, or leave out username and password_file"
_TLS = "set notifications.email.require_tls: true, or use port 465"
_REFUSED = "this server refuses this machine; hand mail in on port 587 or 465, with a login"
_NAME = "the server does not like our name: set hostname to the full name of this host"
_LIMIT = "the account has sent as much as its provider allows; it may again within 24 hours"
_SENDER = "set notifications.email.sender to an address that the server lets {username} send from; it is {sender} now"
_RELAY = "this server does not send to {recipient} for {username}: ask who runs it, or send through another one"
_SIZE = "the server takes no message of this size; send through another one, see notifications.email.smarthost"
_FULL = "the mailbox of {recipient} is full: make room, or write to another one (notifications.email.to)"
_LATER = "mostly a matter of minutes: the server is busy, or lets strangers wait (greylisting)"
_LISTED = "the address of this machine is on a blocklist: hand mail in on port 587 with a login, or ask for its removal"
_RECIPIENT = "is {recipient} right? see notifications.email.to"
_CONTENT = "the server takes the message for unwanted: send through another one, or ask who runs it"
_ASCII = "write the addresses in plain letters, or send through a server that can do SMTPUTF8"
_PORTS = "mail is handed in by SMTP, on port 587 or 465; see notifications.email.smarthost"
_PLAIN = "use port 587 or 465; only for a server on this very machine: notifications.email.require_tls: false"
_SPEAKS_TLS = "; a server that expects TLS from the first byte waits for us, but only 465 is taken for such a port"

_NOT_OURS = r"sender address rejected|not owned by|SendAsDenied|5\.7\.60|5\.1\.[78]|not (allowed|permitted) to send"


@dataclass(frozen=True)
class Advice:
    """What was said, what to do, whether it may go by itself, and the stage that it belongs to."""

    said: str
    remedy: str
    retry: bool
    stage: str


@dataclass(frozen=True)
class _Rule:
    """What an answer means that matches ``pattern`` in one of ``stages``; ``belongs`` to another one, perhaps."""

    stages: str
    pattern: str
    remedy: str
    belongs: str = ""
    retry: bool = False


# The first that matches counts.
_RULES = (
    _Rule("connect auth sender", r"must issue a? ?STARTTLS|encryption (is )?required|TLS required|^538", _TLS, "tls"),
    _Rule("auth", r"^534 5\.7\.14|web browser", _BROWSER + _AT_GOOGLE),
    _Rule("auth", r"application-specific password|^534 5\.7\.9|^53[45] .*(gsmtp|support\.google)", _AT_GOOGLE),
    _Rule("auth", r"5\.7\.139|SmtpClientAuthentication|basic authentication is disabled", _MICROSOFT),
    _Rule("auth", r"too many|rate limit|^4", "too many logins, or the server is busy: wait", retry=True),
    _Rule("auth", r"^50\d", _NO_LOGIN),
    _Rule("auth", r"", _CREDENTIALS),
    _Rule("connect recipient", r"block ?list|black ?list|blocked using|spamhaus", _LISTED, "connect"),
    _Rule("connect", r"(helo|ehlo|domain|host ?name|5\.5\.2)", _NAME),
    _Rule("connect", r"^5", _REFUSED),
    _Rule("sender recipient data", r"5\.4\.5|sending (limit|quota)|daily .*(limit|quota)", _LIMIT, retry=True),
    _Rule("sender recipient data", _NOT_OURS, _SENDER, "sender"),
    _Rule("sender recipient", r"^530|authentication required|not authenticated|5\.7\.57", _LOG_IN, "auth"),
    _Rule("sender recipient data", r"5\.3\.4|5\.2\.3|message.* (size|large|big)|^552 .*exceed", _SIZE, "data"),
    _Rule("sender data", r"5\.7\.26|DMARC|unauthenticated", _SENDER, "sender"),
    _Rule("sender", r"^5", _SENDER),
    _Rule("recipient", r"relay", _RELAY),
    _Rule("recipient", r"[45]\.2\.2|over ?quota|is full", _FULL),
    _Rule("recipient", r"helo|ehlo", _NAME, "connect"),
    _Rule("recipient", r"client host", _REFUSED, "connect"),
    _Rule("recipient", r"^5", _RECIPIENT),
    _Rule("data", r"^5", _CONTENT),
    _Rule("", r"", _LATER),
)


def explain(stage: str, error: BaseException | None, said: str, settings: Email, recipient: str = "") -> Advice:
    """Say what an error means; ``said`` is its text, already without secrets."""
    if isinstance(error, smtplib.SMTPResponseException):
        answer = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        return _of_an_answer(stage, f"{error.smtp_code} {' '.join(answer.split())}", said, settings, recipient)
    host, port = address(settings.smarthost)
    if isinstance(error, NoMailServerError | TooMuchError):
        return Advice(said, f"is {settings.smarthost} right? {_PORTS}", retry=False, stage=stage)
    if isinstance(error, smtplib.SMTPServerDisconnected):
        remedy = "it may have been restarted; else its log says why"
        return Advice(f"{said} ({_DOING[stage]})", remedy, retry=True, stage=stage)
    if isinstance(error, UnicodeError) and stage == "connect":
        return Advice(f"{host!r} is no host name", "see notifications.email.smarthost", retry=False, stage=stage)
    if isinstance(error, UnicodeError) and stage == "auth":
        return Advice(said, _filled(_CREDENTIALS, settings, recipient), retry=False, stage=stage)
    if isinstance(error, smtplib.SMTPException | UnicodeError):
        remedy = _PLAIN if stage == "tls" and settings.require_tls else _WITHOUT_ANSWER.get(stage, _PORTS)
        return Advice(said, remedy, retry=False, stage=stage)
    advice = None
    if isinstance(error, OSError):
        advice = network_advice.explain(error, host, port, "notifications.email.ca_file")
    if advice is None:
        return Advice(said, f"see notifications.email.smarthost ({settings.smarthost})", retry=True, stage=stage)
    slow = isinstance(error, TimeoutError) and stage == "connect"
    return Advice(
        advice.said if advice.tls or stage == "connect" else f"{advice.said} ({_DOING[stage]})",
        advice.remedy + (_SPEAKS_TLS if slow else ""),
        advice.retry,
        "tls" if advice.tls else stage,
    )


_DOING = {
    "connect": "while it was greeting us",
    "tls": "when it was asked for TLS",
    "auth": "when it was given the password",
    "sender": "when it was told the sender",
    "recipient": "when it was told the recipients",
    "data": "while the message was sent",
    "acceptance": "after the message was sent: it may have been accepted",
}
_WITHOUT_ANSWER = {"tls": _TLS, "auth": _NO_LOGIN, "sender": _ASCII, "recipient": _ASCII}


def _of_an_answer(stage: str, answer: str, said: str, settings: Email, recipient: str) -> Advice:
    for rule in _RULES:
        if (not rule.stages or stage in rule.stages.split()) and re.search(rule.pattern, answer, re.IGNORECASE):
            break
    remedy = _LOG_IN if rule.remedy is _RELAY and not settings.username else rule.remedy
    retry = rule.retry or answer.startswith("4")
    return Advice(said, _filled(remedy, settings, recipient), retry, rule.belongs or stage)


def _filled(remedy: str, settings: Email, recipient: str) -> str:
    return remedy.format(
        username=settings.username or "us",
        password_file=settings.password_file,
        sender=settings.sender,
        recipient=recipient or ", ".join(settings.to),
    )
