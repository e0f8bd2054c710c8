"""Mail of the period: what came, what went, and what was refused and why.

The numbers are those of the Grafana board "Mail flow": deliveries count each attempt for one recipient, so a message
that is deferred three times and then sent counts as three and one; what is refused counts each recipient or message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mailserver_exporter.report import commands
from mailserver_exporter.report.compared import NUMERIC, headings, row
from mailserver_exporter.report.counts import Counts, bar, count, total
from mailserver_exporter.report.gauges import Limits, gauges, judged
from mailserver_exporter.report.language import Language, marked
from mailserver_exporter.report.model import Cell, Chart, Line, Section, State, Table, worst
from mailserver_exporter.report.prometheus import DAY, Compared, Prometheus
from mailserver_exporter.report.sections.mail_advice import (
    BOUNCED,
    DELIVERIES,
    OUR_FAULT,
    REFUSALS_FROM,
    REMOTE,
    advise,
)

__all__ = ["Facts", "advise", "measure", "show"]

_TAKEN = "postfix_smtpd_messages_processed_total"
_REFUSED = "mailserver_postfix_remote_rejections_total"
_BY_US = (
    "postfix_smtpd_messages_rejected_total",
    "postfix_postscreen_messages_rejected_total",
    "postfix_cleanup_messages_rejected_total",
)
_MILTER = "mailserver_postfix_milter_rejects_total"
_DSN = {
    "deferred": "postfix_smtp_deferred_messages_by_dsn_total",
    "bounced": BOUNCED,
}
_EXPIRED = "postfix_qmgr_messages_expired_total"
# Ours, and that of postfix_exporter.
_NO_LOGIN = ("NONE", "")
# What brings mail to mailboxes of this host.
_LOCAL = ("lmtp", "virtual", "local", "pipe")
_TOP = 6
# With fewer bars it is no chart.
_BARS = 3
# Fewer deliveries are not judged, as in the rules.
_JUDGED_FROM = 20

# The details of RFC 3463 and its registry that an admin meets.
_CODES = {
    "1.1": marked("no such mailbox"),
    "1.2": marked("no such domain"),
    "1.10": marked("the domain takes no mail"),
    "2.1": marked("mailbox switched off"),
    "2.2": marked("mailbox full"),
    "2.3": marked("message too large for the mailbox"),
    "3.1": marked("the server's disk is full"),
    "3.2": marked("the server takes no mail at the moment"),
    "3.4": marked("message too large"),
    "4.1": marked("no answer from the server"),
    "4.2": marked("connection broken off"),
    "4.3": marked("name server fails"),
    "4.4": marked("the domain cannot be found"),
    "4.6": marked("mail goes in a circle"),
    "4.7": marked("waited too long"),
    "7.0": marked("refused by policy"),
    "7.1": marked("refused by policy"),
    "7.5": marked("TLS or another protection fails"),
    "7.23": marked("SPF does not pass"),
    "7.25": marked("reverse DNS does not fit"),
    "7.26": marked("authentication of the sender fails"),
}
_CLASSES = {
    "reputation": marked("our reputation"),
    "authentication": marked("proof of the sender (SPF, DKIM, DMARC)"),
    "greylisting": marked("greylisting"),
    "recipient": marked("the recipient"),
    "mailbox": marked("the mailbox"),
    "content": marked("the content"),
    "other": marked("other reasons"),
}


@dataclass(frozen=True)
class Facts:
    """All counts, and the limits of the ratios by service."""

    counts: Counts
    bounced_limits: Mapping[str, Limits]
    deferred_limits: Mapping[str, Limits]
    stack: str = ""

    @property
    def received(self) -> Compared:
        """Messages taken from other servers."""
        return self.counts.of(_TAKEN, sasl_method=_NO_LOGIN)

    @property
    def submitted(self) -> Compared:
        """Messages taken from users who logged in."""
        methods = [each for each in self.counts.by("sasl_method", _TAKEN) if each not in _NO_LOGIN]
        return self.counts.of(_TAKEN, sasl_method=methods)

    @property
    def sent(self) -> Compared:
        """Deliveries to other servers."""
        return self.counts.of(DELIVERIES, service=REMOTE, status="sent")

    @property
    def local(self) -> Compared:
        """Deliveries to mailboxes of this host."""
        return self.counts.of(DELIVERIES, service=_LOCAL, status="sent")

    @property
    def rejected(self) -> Compared:
        """Recipients and messages that Postfix refused."""
        return total(*(self.counts.of(metric) for metric in _BY_US))

    @property
    def milter(self) -> Compared:
        """Those that a milter such as Rspamd refused."""
        return self.counts.of(_MILTER)

    def status(self, status: str) -> Compared:
        """Attempts to deliver that ended so."""
        return self.counts.of(DELIVERIES, status=status)

    def refused(self, name: str) -> float:
        """Deliveries that other servers refused for this in the period."""
        return self.counts.of(_REFUSED, **{"class": name}).now or 0.0

    def ratio(self, status: str, service: str) -> float | None:
        """Return how many ended so, of those that ended (bounced) or were tried (deferred); of too few None."""
        services = REMOTE if service == "smtp" else (service,)
        of = ("sent", "bounced") if status == "bounced" else ("sent", "bounced", "deferred", "expired", "other")
        tried = self.counts.of(DELIVERIES, service=services, status=of).now or 0
        part = self.counts.of(DELIVERIES, service=services, status=status).now or 0
        return part / tried if tried >= _JUDGED_FROM else None

    def worst_ratio(self, status: str) -> tuple[State, str, float]:
        """Return the state, the service and the ratio of what is most beyond its limit."""
        found: list[tuple[State, str, float]] = []
        for service, limits in (self.bounced_limits if status == "bounced" else self.deferred_limits).items():
            ratio = self.ratio(status, service)
            if ratio is not None and (state := judged(ratio, limits)):
                found.append((state, service, ratio))
        return max(found, key=lambda each: (each[0] == "critical", each[2]), default=("", "", 0.0))


def measure(prometheus: Prometheus) -> Facts | None:
    """Return what was counted, None where Postfix' log is not watched. Raises PrometheusError."""
    counts = count(
        prometheus,
        [DELIVERIES, _TAKEN, _REFUSED, *_BY_US, _MILTER, *_DSN.values(), _EXPIRED],
        ["service", "status", "sasl_method", "class", "dsn"],
    )
    if not counts:
        return None
    limits = [f"mailserver_threshold_{status}_ratio" for status in ("bounced", "deferred")]
    found = gauges(prometheus, limits, also=[commands.STACK])
    services = {sample.labels.get("service", "") for each in limits for sample in found.matching(each)}
    return Facts(
        counts,
        {service: found.limits("bounced_ratio", service=service) for service in sorted(services)},
        {service: found.limits("deferred_ratio", service=service) for service in sorted(services)},
        found.label("mail_stack", commands.STACK),
    )


def show(facts: Facts, say: Language) -> Section:
    """Return the day's mail for the reader."""
    refused: State = "warning" if any(facts.refused(name) >= REFUSALS_FROM for name in OUR_FAULT) else ""
    state = worst(facts.worst_ratio("bounced")[0], facts.worst_ratio("deferred")[0], refused, "good")
    summary = say(
        "{received} received, {sent} sent, {bounced} bounced, {rejected} rejected",
        received=say.number((facts.received.now or 0) + (facts.submitted.now or 0)),
        sent=say.number(facts.sent.now),
        bounced=say.number(facts.status("bounced").now),
        rejected=say.number((facts.rejected.now or 0) + (facts.milter.now or 0)),
    )
    notes = []
    since = facts.counts.now.since.get("postfix")
    if since is not None and not facts.counts.now.knows_most(DELIVERIES):
        notes.append(say("Counted since {moment}.", moment=say.moment(since)))
    tables = (_flow(facts, say), *_reasons(facts, say))
    return Section(say("Mail"), summary, state, tables, tuple(_charts(facts, say)), tuple(notes))


def _flow(facts: Facts, say: Language) -> Table:
    bounced, deferred = facts.worst_ratio("bounced")[0], facts.worst_ratio("deferred")[0]
    return Table(
        headings(say("Mail"), say),
        (
            row(say("received from other servers"), facts.received, say),
            row(say("received from users"), facts.submitted, say),
            row(say("sent to other servers"), facts.sent, say),
            row(say("delivered to mailboxes here"), facts.local, say),
            row(say("deferred (attempts)"), facts.status("deferred"), say, deferred),
            row(say("bounced"), facts.status("bounced"), say, bounced),
            row(say("given up after days"), facts.counts.of(_EXPIRED), say),
            row(say("rejected by Postfix"), facts.rejected, say),
            row(say("rejected by the spam filter"), facts.milter, say),
        ),
        numeric=NUMERIC,
    )


def _reasons(facts: Facts, say: Language) -> Iterator[Table]:
    deferred, bounced = (facts.counts.by("dsn", metric) for metric in _DSN.values())
    numbers = {
        code: ((deferred.get(code) or _NONE).now or 0, (bounced.get(code) or _NONE).now or 0)
        for code in {*deferred, *bounced} - {""}
    }
    found = sorted(((code, *both) for code, both in numbers.items() if sum(both)), key=lambda e: (-e[1] - e[2], e[0]))
    if found:
        left = len(found) - _TOP
        yield Table(
            (say("Not delivered to others, why"), say("Code"), say("Deferred"), say("Bounced")),
            tuple(
                (Cell(meaning(code, say)), Cell(code), Cell(say.number(late)), Cell(say.number(back)))
                for code, late, back in found[:_TOP]
            ),
            numeric=frozenset((2, 3)),
            left_out=say.count(left, "{number} other code", "{number} other codes") if left > 0 else "",
        )
    refused = facts.counts.by("class", _REFUSED)
    rows = [(name, number) for name, number in refused.items() if number.now]
    if rows:
        rows.sort(key=lambda each: -(each[1].now or 0))
        yield Table(
            headings(say("Refused by others for"), say),
            tuple(
                row(
                    say(_CLASSES[name]) if name in _CLASSES else name,
                    number,
                    say,
                    "warning" if name in OUR_FAULT and (number.now or 0) >= REFUSALS_FROM else "",
                )
                for name, number in rows
            ),
            numeric=NUMERIC,
        )


_NONE = Compared(None, None, None)


def meaning(code: str, say: Language) -> str:
    """Return an enhanced status code in words."""
    detail = code.partition(".")[2]
    return say(_CODES[detail]) if detail in _CODES else say("another reason")


def _charts(facts: Facts, say: Language) -> Iterator[Chart]:
    now = facts.counts.now
    if now.period.seconds < _BARS * bar(now.period):
        return
    methods = list(facts.counts.by("sasl_method", _TAKEN))
    lines = (
        Line(say("sent"), tuple(now.per_bar(DELIVERIES, service=REMOTE, status="sent"))),
        Line(say("received"), tuple(now.per_bar(_TAKEN, sasl_method=methods))),
        Line(say("rejected"), tuple(now.per_bar(*_BY_US, _MILTER))),
    )
    title = say("Mail by the hour") if bar(now.period) < DAY else say("Mail by the day")
    most = [say.number(max((number for _, number in line.points if number >= 0), default=None)) for line in lines]
    words = say(
        "{title}: at most {sent} sent, {received} received, {rejected} rejected.",
        title=title,
        sent=most[0],
        received=most[1],
        rejected=most[2],
    )
    yield Chart("mail", title, "count", lines, bar(now.period), description=words, bars=True)
