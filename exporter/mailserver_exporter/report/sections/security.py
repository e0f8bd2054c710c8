"""Who tried to get in, who got in, and who is kept out.

The worst networks are not in Prometheus: who makes the report reads them from the logs and puts them into the facts,
``replace(facts, networks=networks.worst(config, host, start, end))``; without them that table is left out. Where
nothing else is watched, ``Facts(Counts.none(period), networks=...)`` shows them alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailserver_exporter.report import commands
from mailserver_exporter.report.compared import NUMERIC, headings, row
from mailserver_exporter.report.counts import Counts, count, total
from mailserver_exporter.report.gauges import gauges
from mailserver_exporter.report.language import NONE, Language, marked
from mailserver_exporter.report.model import Cell, Section, State, Table, worst
from mailserver_exporter.report.prometheus import Compared, Prometheus
from mailserver_exporter.report.sections.security_advice import (
    DOVECOT,
    GUESSED,
    LOGINS,
    MAILCOW_UI,
    OTHER_FAILURES,
    PASSWORDS,
    SASL,
    SOGO,
    advise,
)

if TYPE_CHECKING:
    from mailserver_exporter.report.networks import Network, Networks

__all__ = ["Facts", "Jail", "advise", "measure", "show"]

_INVALID = "mailserver_sshd_invalid_users_total"
_NETFILTER = "mailserver_mailcow_netfilter_bans_total"
_JAIL_FAILED, _JAIL_BANNED = "f2b_jail_failed_total", "f2b_jail_banned_total"
_BANS, _OFFENDERS = "mailserver_fail2ban_bans_24h", "mailserver_fail2ban_known_offenders"
# What was refused, rather than connections that ended before a login, as in rules/ssh.rules.yml.
_REFUSED = ("publickey", "keyboard_interactive", "hostbased", "gssapi", "not_allowed", "max_attempts")
_UNKNOWN = Compared(None, None, None)
_ROWS = 12
_SERVICES = {
    "ssh": "SSH",
    "smtp": "SMTP",
    "imap": "IMAP",
    "pop3": "POP3",
    "sieve": "Sieve",
    "webmail": marked("webmail"),
    "mailcow": "mailcow",
    "other": marked("others"),
}


@dataclass(frozen=True)
class Jail:
    """One jail of fail2ban; None is what is not known: without a database there are no bans of 24 hours."""

    name: str
    present: bool
    banned: float | None
    bans: Compared
    failures: Compared
    offenders: float | None


@dataclass(frozen=True)
class Facts:
    """What the logs and fail2ban counted; ``levels`` are addresses banned now by which of their bans it is."""

    counts: Counts
    jails: tuple[Jail, ...] = ()
    levels: Mapping[str, Compared] = field(default_factory=dict)
    fail2ban_answers: bool | None = None
    networks: Networks | None = None
    stack: str = ""

    @property
    def ssh(self) -> Compared:
        """Logins by SSH that were refused."""
        return total(self.counts.of(PASSWORDS), self.counts.of(OTHER_FAILURES, reason=_REFUSED))

    @property
    def mail(self) -> Compared:
        """Logins to mailboxes that were refused, by whatever way."""
        return total(
            self.counts.of(DOVECOT, reason="auth_failed"), *(self.counts.of(each) for each in (SASL, SOGO, MAILCOW_UI))
        )

    @property
    def bans(self) -> Compared:
        """Bans in the last 24 hours of all jails, and of mailcow's netfilter in the period."""
        return total(*(jail.bans for jail in self.jails), self.counts.of(_NETFILTER))

    @property
    def banned(self) -> float | None:
        """Addresses that are banned now."""
        known = [jail.banned for jail in self.jails if jail.banned is not None]
        return sum(known) if known else None


def measure(prometheus: Prometheus) -> Facts | None:
    """Return what was counted, None where no logins are watched, and no fail2ban. Raises PrometheusError."""
    counts = count(
        prometheus,
        [
            *(PASSWORDS, _INVALID, OTHER_FAILURES, LOGINS, GUESSED, DOVECOT, SASL, SOGO, MAILCOW_UI, _NETFILTER),
            *(_JAIL_FAILED, _JAIL_BANNED),
        ],
        ["reason", "method", "jail"],
    )
    names = "mailserver_fail2ban_jail_present", "f2b_jail_banned_current", _BANS, _OFFENDERS
    found = gauges(prometheus, names, also=["mailserver_collector_success", commands.STACK])
    watched = any(True for name in names for _ in found.matching(name))
    if not counts and not watched:
        return None
    jails: tuple[Jail, ...] = ()
    levels: dict[str, Compared] = {}
    if watched:
        present = found.by("jail", names[0])
        banned, offenders = found.by("jail", "f2b_jail_banned_current"), found.by("jail", _OFFENDERS)
        bans = prometheus.compared_by(f"max by (jail) ({_BANS}{{$host}})", "jail")
        known = prometheus.compared_by("sum by (level) (mailserver_fail2ban_bans_current{$host})", "level")
        levels = {level: value for (level,), value in known.items()}
        jails = tuple(
            Jail(
                jail,
                present.get(jail, 1) == 1,
                None if found.old else banned.get(jail),
                bans.get((jail,), _UNKNOWN),
                counts.of(_JAIL_FAILED, jail=jail),
                offenders.get(jail),
            )
            for jail in sorted({*present, *banned, *(jail for (jail,) in bans)})
        )
    answers = found.value("mailserver_collector_success", collector="fail2ban")
    return Facts(
        counts,
        jails,
        levels,
        None if answers is None or found.old else answers == 1,
        stack=found.label("mail_stack", commands.STACK),
    )


def show(facts: Facts, say: Language) -> Section:
    """Return it for the reader."""
    tables = [*_logins(facts, say)]
    if facts.jails:
        tables.append(_jails(facts, say))
    if facts.levels and any(level.now for level in facts.levels.values()):
        tables.append(_levels(facts, say))
    notes = []
    if facts.networks is not None:
        if facts.networks.networks:
            tables.append(_networks(facts.networks, say))
        notes += [say("Not read: {problem}", problem=problem) for problem in facts.networks.problems]
    guessed = facts.counts.of(GUESSED).now
    missing = any(not jail.present for jail in facts.jails) or facts.fail2ban_answers is False
    state: State = worst("critical" if guessed else "", "warning" if missing else "", "good")
    parts = []
    if facts.ssh.now is not None:
        parts.append(say.count(facts.ssh.now, "{number} refused login by SSH", "{number} refused logins by SSH"))
    if facts.mail.now is not None:
        parts.append(say.count(facts.mail.now, "{number} to mailboxes", "{number} to mailboxes"))
    if facts.bans.now is not None:
        parts.append(say.count(facts.bans.now, "{number} ban", "{number} bans"))
    if guessed:
        parts.insert(0, say("a password for SSH may have been guessed"))
    summary = ", ".join(parts) or say("only the logs of the networks are known")
    return Section(say("Security"), summary, state, tuple(tables), notes=tuple(notes))


def _logins(facts: Facts, say: Language) -> Iterator[Table]:
    counts = facts.counts
    methods = [each for each in counts.by("method", LOGINS) if each != "publickey"]
    guessed = counts.of(GUESSED)
    rows: list[tuple[str, Compared, State]] = [
        (say("SSH: refused"), facts.ssh, ""),
        (say("SSH: unknown users"), counts.of(_INVALID), ""),
        (say("SSH: logins by key"), counts.of(LOGINS, method="publickey"), ""),
        (say("SSH: logins by other means"), counts.of(LOGINS, method=methods), ""),
        (say("SSH: logins after many failures"), guessed, "critical" if guessed.now else ""),
        (say("IMAP and POP3: refused"), counts.of(DOVECOT, reason="auth_failed"), ""),
        (say("SMTP: refused"), counts.of(SASL), ""),
        (say("SOGo: refused"), counts.of(SOGO), ""),
        (say("mailcow's web interface: refused"), counts.of(MAILCOW_UI), ""),
        (say("bans by netfilter"), counts.of(_NETFILTER), ""),
    ]
    shown = [row(name, value, say, state) for name, value, state in rows if value.now is not None]
    if shown:
        yield Table(headings(say("Logins"), say), tuple(shown), numeric=NUMERIC)


def _jails(facts: Facts, say: Language) -> Table:
    ordered = sorted(facts.jails, key=lambda jail: (jail.present, -(jail.bans.now or 0), jail.name))
    rows = tuple(
        (
            Cell(
                jail.name if jail.present else say("{jail} (gone)", jail=jail.name), "" if jail.present else "warning"
            ),
            Cell(say.number(jail.bans.now)),
            Cell(say.number(jail.bans.day_before)),
            Cell(say.number(jail.bans.week_before)),
            Cell(say.number(jail.banned)),
            Cell(say.number(jail.failures.now)),
            Cell(say.number(jail.offenders)),
        )
        for jail in ordered[:_ROWS]
    )
    return Table(
        (
            *(say("Jail"), say("Bans in 24 h"), say("Day before"), say("Week before"), say("Banned now")),
            *(say("Failures"), say("Repeat offenders")),
        ),
        rows,
        numeric=frozenset(range(1, 7)),
        left_out=say("{number} others", number=len(ordered) - _ROWS) if len(ordered) > _ROWS else "",
    )


def _levels(facts: Facts, say: Language) -> Table:
    rows = tuple(row(say("ban no. {level}", level=level), value, say) for level, value in facts.levels.items())
    return Table(headings(say("Banned now, for which time"), say), rows, numeric=NUMERIC)


def _networks(networks: Networks, say: Language) -> Table:
    rows = tuple(
        (
            Cell(each.address or each.name),
            Cell(_at_least(each, say)),
            Cell(_services(each.services, say)),
            Cell(say.number(each.addresses)),
            Cell(NONE if each.banned is None else say.number(each.banned)),
        )
        for each in networks.networks
    )
    return Table(
        (say("Network"), say("Failures"), say("At"), say("Addresses"), say("Banned now")),
        rows,
        title=say("The worst networks"),
        numeric=frozenset((1, 3, 4)),
    )


def _at_least(network: Network, say: Language) -> str:
    number = say.number(network.failures)
    return say("at least {number}", number=number) if network.at_least else number


def _services(services: Mapping[str, int], say: Language) -> str:
    return ", ".join(service_names(list(services), say))


def service_names(services: Sequence[str], say: Language) -> list[str]:
    """Return how services are called."""
    return [say(_SERVICES[name]) if name in _SERVICES else name for name in services]
