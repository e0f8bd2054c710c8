"""Errors by service: what the mail programs complain of, and what of the monitoring itself fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mailserver_exporter.report import commands
from mailserver_exporter.report.compared import NUMERIC, headings, listed, row
from mailserver_exporter.report.counts import Counts, count, total
from mailserver_exporter.report.gauges import gauges
from mailserver_exporter.report.language import Language, marked
from mailserver_exporter.report.model import Action, Cell, Section, State, Table, worst
from mailserver_exporter.report.prometheus import Compared, Prometheus

_POSTFIX, _DOVECOT = "mailserver_postfix_log_messages_total", "mailserver_dovecot_messages_total"
_CLASSES = "mailserver_dovecot_errors_total"
_DROPPED = "mailserver_log_lines_dropped_total"
_NETFILTER = "mailserver_mailcow_netfilter_starts_total"
_ERRORS = ("error", "fatal", "panic")
_ERRORS_FROM = 10
_NETFILTER_FROM = 3

# What Dovecot's errors are about, from when on in a day they matter, and where to look first.
_DOVECOT_CLASSES = {
    "auth_backend": (marked("logins cannot be checked"), 3, "doveadm log errors | tail -20"),
    "storage_quota": (
        marked("a mailbox or the disk is full"),
        _ERRORS_FROM,
        "doveadm quota get -A",
    ),
    "index_corruption": (marked("an index is damaged"), _ERRORS_FROM, "doveadm log errors | tail -20"),
    "permissions": (marked("access to mailboxes is denied"), 1, "doveadm log errors | tail -20"),
    "tls": (marked("TLS"), 100, "doveadm log errors | tail -20"),
    "out_of_memory": (marked("out of memory"), 1, "doveconf -n | grep -i vsz_limit"),
    "other": (marked("something else"), 50, "doveadm log errors | tail -20"),
}


@dataclass(frozen=True)
class Facts:
    """Counts of messages; ``failed`` is for how many seconds each collector failed, by its name."""

    counts: Counts
    failed: Mapping[str, float] = field(default_factory=dict)
    failing: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    silent: Mapping[str, float] = field(default_factory=dict)
    stack: str = ""

    def dovecot(self, name: str) -> Compared:
        """Dovecot's errors of one class."""
        return self.counts.of(_CLASSES, **{"class": name})

    @property
    def errors(self) -> Compared:
        """All errors, without warnings."""
        return total(self.counts.of(_POSTFIX, level=_ERRORS), self.counts.of(_DOVECOT, level=_ERRORS))


def measure(prometheus: Prometheus) -> Facts | None:
    """Return what complains, None where nothing is known. Raises PrometheusError."""
    counts = count(prometheus, [_POSTFIX, _DOVECOT, _CLASSES, _DROPPED, _NETFILTER], ["level", "class", "source"])
    found = gauges(
        prometheus,
        ["mailserver_collector_success", "mailserver_log_source_up", "mailserver_log_last_line_timestamp_seconds"],
        ["log_silence_seconds"],
        [commands.STACK],
    )
    if not counts and not found:
        return None
    share = prometheus.vector(
        "1 - min by (collector) (avg_over_time(mailserver_collector_success{$host}[$period])) > 0"
    )
    now = prometheus.period.end.timestamp()
    silent: dict[str, float] = {}
    for line in found.matching("mailserver_log_last_line_timestamp_seconds"):
        where = {name: line.labels.get(name, "") for name in ("source", "program")}
        limits = found.limits("log_silence_seconds", **where)
        silence = now - line.value
        if not found.old and limits and silence > min(limits.values()):
            silent[f"{where['program']} ({where['source']})"] = silence
    return Facts(
        counts,
        {sample.labels.get("collector", ""): sample.value * prometheus.period.seconds for sample in share},
        tuple(name for name, works in found.by("collector", "mailserver_collector_success").items() if works == 0),
        tuple(name for name, up in found.by("source", "mailserver_log_source_up").items() if up == 0),
        silent,
        found.label("mail_stack", commands.STACK),
    )


def show(facts: Facts, say: Language) -> Section:
    """Return the errors for the reader."""
    counts, rows = facts.counts, []
    for name, metric in (("Postfix", _POSTFIX), ("Dovecot", _DOVECOT)):
        if counts.watches(metric):
            errors = counts.of(metric, level=_ERRORS)
            rows.append(row(say("{program}: errors", program=name), errors, say, "warning" if errors.now else ""))
            rows.append(row(say("{program}: warnings", program=name), counts.of(metric, level="warning"), say))
    for name, errors in counts.by("class", _CLASSES).items():
        about = _DOVECOT_CLASSES.get(name)
        if errors.now:
            text = say("Dovecot: {about}", about=say(about[0]) if about else name)
            rows.append(row(text, errors, say, "warning" if about and errors.now >= about[1] else ""))
    dropped = counts.of(_DROPPED)
    if dropped.now:
        rows.append(row(say("lines of logs that could not be read"), dropped, say))
    starts = counts.of(_NETFILTER)
    if starts.now:
        rows.append(row(say("starts of netfilter"), starts, say))
    tables = [Table(headings(say("Errors"), say), tuple(rows), numeric=NUMERIC)] if rows else []
    blind = _blind(facts, say)
    if blind:
        tables.append(Table((say("Not measured"), say("Since or for")), blind, numeric=frozenset((1,))))
    state = worst("warning" if facts.failing or facts.unreadable or facts.silent else "", *_states(facts), "good")
    summary = say.count(facts.errors.now or 0, "{number} error in the logs", "{number} errors in the logs")
    if not counts.watches(_POSTFIX) and not counts.watches(_DOVECOT):
        summary = say("no log of a mail program is watched")
    if facts.failing:
        summary += "; " + say("not measured: {names}", names=listed(facts.failing, say))
    return Section(say("Errors by service"), summary, state, tuple(tables))


def _states(facts: Facts) -> Iterator[State]:
    for name, (_, many, _) in _DOVECOT_CLASSES.items():
        yield "warning" if (facts.dovecot(name).now or 0) >= many else ""
    yield "warning" if facts.counts.of(_POSTFIX, level=("fatal", "panic")).now else ""


def _blind(facts: Facts, say: Language) -> tuple[tuple[Cell, Cell], ...]:
    rows: list[tuple[Cell, Cell]] = [
        (Cell(say("the log {name}", name=name), "warning"), Cell(say("cannot be read"), "warning"))
        for name in facts.unreadable
    ]
    rows += [
        (Cell(say("{name} has written nothing", name=name)), Cell(say.duration(seconds), "warning"))
        for name, seconds in facts.silent.items()
    ]
    for name, seconds in sorted(facts.failed.items(), key=lambda each: -each[1]):
        if seconds >= 1:
            state: State = "warning" if name in facts.failing else ""
            rows.append((Cell(say("collector {name}", name=name), state), Cell(say.duration(seconds), state)))
    return tuple(rows)


def advise(facts: Facts, say: Language) -> Iterator[Action]:
    """Yield what to do about errors; what cannot be measured first."""
    # That fail2ban does not answer is told with what it leaves unprotected.
    failing = [name for name in facts.failing if name != "fail2ban"]
    if failing:
        yield Action(
            "warning",
            say("Not measured any more: {names}. The check says why.", names=listed(failing, say)),
            "mailserver-exporter check",
            "collector-fails",
        )
    # Where the collector itself fails, each of its sources does.
    if facts.unreadable and "logs" not in facts.failing:
        yield Action(
            "warning",
            say("These logs cannot be read: {names}. The check says why.", names=listed(facts.unreadable, say)),
            "mailserver-exporter check | grep -A1 ' log '",
            "log-unreadable",
        )
    if facts.silent:
        yield Action(
            "warning",
            say(
                "Nothing is written any more by {names}: see whether it runs, and where it writes.",
                names=listed(tuple(facts.silent), say),
            ),
            "mailserver-exporter check | grep -A1 ' log '",
            "log-silent",
        )
    fatal = facts.counts.of(_POSTFIX, level=("fatal", "panic")).now or 0
    if fatal:
        yield Action(
            "warning",
            say.count(
                fatal,
                "Postfix gave up {number} time with a fatal error: see which of its programs and why.",
                "Postfix gave up {number} times with a fatal error: see which of its programs and why.",
            ),
            f"{commands.log(facts.stack, 'postfix', 'fatal:|panic:')} | tail -20",
            "postfix-fatal-errors",
        )
    for name, (about, many, command) in _DOVECOT_CLASSES.items():
        number = facts.dovecot(name).now or 0
        if number >= many:
            yield Action(
                "warning",
                say("Dovecot had {number} errors: {about}.", number=say.number(number), about=say(about)),
                commands.run(facts.stack, "dovecot", command),
                f"dovecot-errors-{name}",
            )
    if (facts.counts.of(_NETFILTER).now or 0) >= _NETFILTER_FROM:
        yield Action(
            "warning",
            say(
                "mailcow's netfilter was started {number} times and forgot all bans each time: see why.",
                number=say.number(facts.counts.of(_NETFILTER).now),
            ),
            "cd /opt/mailcow-dockerized && docker compose logs --since 24h netfilter-mailcow | tail -50",
            "netfilter-restarts",
        )
