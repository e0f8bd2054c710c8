"""The programs whose logs are read: what their lines look like, who counts them, and under which names.

The list below is all there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors import log_postfix, log_sshd
from mailserver_exporter.settings.limits import Limits
from mailserver_exporter.sources import postfix_log, sshd_log
from mailserver_exporter.sources.tally import Tally


class Parser(Protocol):
    """Counts lines into a tally and returns how many it understood; may remember lines, as long as that is bounded."""

    def __call__(self, lines: Sequence[bytes], tally: Tally, /) -> int: ...


@dataclass(frozen=True)
class Program:
    """One program.

    ``ident`` is a regular expression for the start of ``ident[pid]: message``, the form in which the parser gets the
    lines; without one, it gets them as they are. ``service`` is its service in mailcow's compose project. ``idents``
    and ``files`` say where it is found on a host: what it calls itself in the journal, and the usual files.
    ``limits`` yields the limits that its series are compared with.
    """

    name: str
    parser: Callable[[], Parser]
    families: Callable[[Tally], Iterator[Metric]]
    ident: bytes = b""
    service: str = ""
    idents: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    limits: Callable[[Limits], Iterator[Metric]] = lambda _: iter(())


_MAIL_LOGS = ("/var/log/mail.log", "/var/log/maillog")

PROGRAMS: tuple[Program, ...] = (
    Program(
        "postfix",
        lambda: postfix_log.read,
        log_postfix.families,
        # Instances and mailcow's services have names of their own, such as postfix-out/smtp and postfix/sogo/smtpd.
        ident=rb"postfix[^/\[: ]*/",
        service="postfix-mailcow",
        idents=tuple(f"postfix/{each}" for each in ("qmgr", "master", "smtpd", "smtp", "pickup", "postfix-script")),
        files=_MAIL_LOGS,
        limits=log_postfix.limits,
    ),
    Program(
        "sshd",
        lambda: sshd_log.read,
        log_sshd.families,
        ident=rb"sshd(-session|-auth)?[\[:]",
        idents=("sshd", "sshd-session", "sshd-auth"),
        files=("/var/log/auth.log", "/var/log/secure"),
    ),
)
