"""The programs whose logs are read: what their lines look like, who counts them, and under which names.

The list below is all there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors import log_dovecot, log_mailcow, log_postfix, log_sshd
from mailserver_exporter.settings.limits import Limits
from mailserver_exporter.sources import dovecot_log, mailcow_ui_log, netfilter_log, postfix_log, sogo_log, sshd_log
from mailserver_exporter.sources.tally import Tally


class Parser(Protocol):
    """Counts lines into a tally and returns how many it understood."""

    def __call__(self, lines: Sequence[bytes], tally: Tally, /) -> int: ...


@dataclass(frozen=True)
class Program:
    """One program.

    ``ident`` is a regular expression for the start of ``ident[pid]: message``, the form in which the parser gets the
    lines; without one, it gets them as they are. ``service`` is its service in mailcow's compose project. ``idents``
    and ``files`` say where it is found on a host: what it calls itself in the journal, and the usual files.
    ``own_date`` is the length of the date in a log file that the program writes itself, without syslog's header.
    ``limits`` yields the limits that its series are compared with.
    """

    name: str
    parser: Parser
    families: Callable[[Tally], Iterator[Metric]]
    ident: bytes = b""
    service: str = ""
    idents: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    own_date: int = 0
    limits: Callable[[Limits], Iterator[Metric]] = lambda _: iter(())


# The last one is docker-mailserver's, whose folder is often mounted there.
_MAIL_LOGS = ("/var/log/mail.log", "/var/log/maillog", "/var/log/mail/mail.log")

PROGRAMS: tuple[Program, ...] = (
    Program(
        "postfix",
        postfix_log.read,
        log_postfix.families,
        # Instances and mailcow's services have names of their own, such as postfix-out/smtp and postfix/sogo/smtpd.
        ident=rb"postfix[^/\[: ]*/",
        service="postfix-mailcow",
        idents=tuple(f"postfix/{each}" for each in ("qmgr", "master", "smtpd", "smtp", "pickup", "postfix-script")),
        files=_MAIL_LOGS,
        limits=log_postfix.limits,
    ),
    Program(
        "dovecot",
        dovecot_log.read,
        log_dovecot.families,
        ident=rb"dovecot[\[:]",
        service="dovecot-mailcow",
        idents=("dovecot",),
        files=("/var/log/dovecot.log", *_MAIL_LOGS),
        own_date=len("Nov 22 03:13:51 "),  # log_timestamp of Dovecot's
        limits=log_dovecot.limits,
    ),
    Program(
        "sshd",
        sshd_log.read,
        log_sshd.families,
        ident=rb"sshd(-session|-auth)?[\[:]",
        idents=("sshd", "sshd-session", "sshd-auth"),
        files=("/var/log/auth.log", "/var/log/secure"),
        limits=log_sshd.limits,
    ),
    Program(
        "sogo",
        sogo_log.read,
        log_mailcow.sogo_families,
        service="sogo-mailcow",
        files=("/var/log/sogo/sogo.log",),
        limits=log_mailcow.sogo_limits,
    ),
    Program("netfilter", netfilter_log.read, log_mailcow.netfilter_families, service="netfilter-mailcow"),
    Program(
        "php-fpm",
        mailcow_ui_log.read,
        log_mailcow.ui_families,
        service="php-fpm-mailcow",
        limits=log_mailcow.ui_limits,
    ),
)
