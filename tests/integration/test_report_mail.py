"""The numbers of the sections about mail, security and care, computed from what was recorded without PromQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mailserver_exporter.report.language import Language
from mailserver_exporter.report.prometheus import DAY, WEEK, Compared, Prometheus
from mailserver_exporter.report.sections import (
    backups,
    certificates,
    dns,
    errors,
    mail,
    queue,
    roundtrips,
    security,
    updates,
)
from tests.support.history import History
from tests.support.history_series import END, HOUR, Span

START = END - DAY
SECTIONS = (queue, mail, roundtrips, errors, security, certificates, dns, backups, updates)
SCENARIOS = ("good", "bad", "gaps")
DELIVERIES, TAKEN = "mailserver_postfix_deliveries_total", "postfix_smtpd_messages_processed_total"
# The newest Prometheus for one of them: its ranges are open on the left.
RELEASES = {"gaps": "sid"}


@pytest.fixture(scope="module", params=(*SCENARIOS, "first_day"))
def history(request: pytest.FixtureRequest) -> Iterator[History]:
    with History(request.param, RELEASES.get(request.param, "bookworm")) as history:
        yield history


@pytest.fixture
def asked(history: History) -> Prometheus:
    return Prometheus(history.url, history.instance, history.period)


def counted(history: History, name: str, *wanted: dict[str, str]) -> Compared:
    """Return how much the counters with one of these labels rose in the period, the day and the week before."""
    return Compared(*(sum(_rise(history, name, earlier, labels) for labels in wanted or ({},)) for earlier in _EARLIER))


_EARLIER = (0.0, DAY, WEEK)


def _rise(history: History, name: str, earlier: float, labels: dict[str, str]) -> float:
    return history.increase(name, Span(START - earlier, END - earlier + 1), **labels)


def without_history(history: History, value: Compared) -> Compared:
    return Compared(value.now, None, None) if history.scenario == "first_day" else value


def test_all_mail_is_counted_to_the_message(history: History, asked: Prometheus) -> None:
    facts = mail.measure(asked)
    assert facts is not None
    outside = [{"service": "smtp"}, {"service": "error"}]
    here = [{"service": service} for service in ("lmtp", "local", "virtual", "pipe")]
    users = [{"sasl_method": method} for method in ("PLAIN", "LOGIN")]
    for told, recorded in {
        facts.sent: counted(history, DELIVERIES, *({**each, "status": "sent"} for each in outside)),
        facts.local: counted(history, DELIVERIES, *({**each, "status": "sent"} for each in here)),
        facts.status("deferred"): counted(history, DELIVERIES, {"status": "deferred"}),
        facts.status("bounced"): counted(history, DELIVERIES, {"status": "bounced"}),
        facts.submitted: counted(history, TAKEN, *users),
        facts.milter: counted(history, "mailserver_postfix_milter_rejects_total"),
    }.items():
        assert told == without_history(history, recorded)
    # Whatever the label is called for who did not log in.
    taken = counted(history, TAKEN)
    assert (facts.received.now or 0) + (facts.submitted.now or 0) == taken.now
    assert facts.sent.now == int(facts.sent.now or 0.5)


def test_refusals_are_counted_by_what_for(history: History, asked: Prometheus) -> None:
    facts = mail.measure(asked)
    assert facts is not None
    name = "mailserver_postfix_remote_rejections_total"
    found = facts.counts.by("class", name)
    assert found
    for kind, told in found.items():
        assert told == without_history(history, counted(history, name, {"class": kind}))


def test_each_hour_of_the_chart_is_what_was_sent_in_it(history: History, asked: Prometheus) -> None:
    facts = mail.measure(asked)
    assert facts is not None
    [chart] = mail.show(facts, Language("en", history.period.zone)).charts
    sent = dict(chart.lines[0].points)
    assert len(sent) == 24
    for end, number in sent.items():
        within = Span(end - HOUR, end + 1)
        points = [at for each in history.matching(DELIVERIES, service="smtp") for at, _ in each.points()]
        if number != number:
            assert not [at for at in points if end - HOUR + 300 < at <= end - 300]
        elif history.scenario != "gaps":
            assert number == history.increase(DELIVERIES, within, service="smtp", status="sent")


def test_logins_are_counted_one_by_one(history: History, asked: Prometheus) -> None:
    facts = security.measure(asked)
    assert facts is not None
    for metric in (security.PASSWORDS, security.SASL, security.SOGO, security.MAILCOW_UI, security.GUESSED):
        assert facts.counts.of(metric) == without_history(history, counted(history, metric))
    refused = counted(history, security.DOVECOT, {"reason": "auth_failed"})
    assert facts.counts.of(security.DOVECOT, reason="auth_failed") == without_history(history, refused)
    for jail in facts.jails:
        assert jail.failures == without_history(history, counted(history, "f2b_jail_failed_total", {"jail": jail.name}))


def test_bans_are_those_of_the_last_day(history: History, asked: Prometheus) -> None:
    facts = security.measure(asked)
    assert facts is not None
    assert facts.jails
    for jail in facts.jails:
        assert jail.banned == history.series("f2b_jail_banned_current", jail=jail.name)[-1][1]
        assert jail.bans.now == history.series("mailserver_fail2ban_bans_24h", jail=jail.name)[-1][1]
    current = history.matching("mailserver_fail2ban_bans_current")
    for level, told in facts.levels.items():
        assert told.now == sum(each.points()[-1][1] for each in current if each.labels["level"] == level)


def test_the_queue_is_told_as_it_was(history: History, asked: Prometheus) -> None:
    facts = queue.measure(asked)
    assert facts is not None
    waiting = [
        dict(each.points())
        for each in history.matching("postfix_showq_queue_depth")
        if each.labels["queue"] in ("maildrop", "incoming", "active", "deferred")
    ]
    # One is recorded less often than another.
    latest = [0.0] * len(waiting)
    totals = []
    for at in sorted({at for of in waiting for at in of}):
        latest = [of.get(at, before) for of, before in zip(waiting, latest, strict=True)]
        if START < at <= END:
            totals.append(sum(latest))
    assert facts.now == totals[-1]
    assert facts.highest.now == max(totals)
    in_day = [[value for at, value in of.items() if START < at <= END] for of in waiting]
    assert facts.mean.now == pytest.approx(sum(sum(values) / len(values) for values in in_day))
    ages = [
        value
        for each in history.matching("mailserver_queue_oldest_message_age_seconds")
        if each.labels["queue"] in ("maildrop", "incoming", "active", "deferred")
        for at, value in each.points()
        if START < at <= END
    ]
    assert facts.highest_age.now == max(ages)


def test_round_trips_are_counted_and_timed(history: History, asked: Prometheus) -> None:
    facts = roundtrips.measure(asked)
    assert facts is not None
    trip = facts.trips["local"]
    assert trip.sent == without_history(history, counted(history, "mailserver_roundtrip_attempts_total"))
    assert trip.lost == without_history(history, counted(history, "mailserver_roundtrip_failures_total"))
    points = history.series("mailserver_roundtrip_duration_seconds", loop="local")
    arrived = sorted(value for at, value in points if START < at <= END and value > 0)
    assert trip.slowest == arrived[-1]
    assert trip.median == pytest.approx(arrived[len(arrived) // 2], rel=0.05)


def test_errors_are_counted_by_level_and_class(history: History, asked: Prometheus) -> None:
    facts = errors.measure(asked)
    assert facts is not None
    for metric, label in (
        ("mailserver_postfix_log_messages_total", "level"),
        ("mailserver_dovecot_errors_total", "class"),
    ):
        found = facts.counts.by(label, metric)
        assert found
        for value, told in found.items():
            assert told == without_history(history, counted(history, metric, {label: value}))
    for name, seconds in facts.failed.items():
        values = [v for at, v in history.series("mailserver_collector_success", collector=name) if START < at <= END]
        assert seconds == pytest.approx(DAY * values.count(0) / len(values))


def test_certificates_backups_and_updates_are_those_of_the_end(history: History, asked: Prometheus) -> None:
    shown, care, waiting = certificates.measure(asked), backups.measure(asked), updates.measure(asked)
    assert shown is not None
    assert care is not None
    assert waiting is not None
    ends = {each.points()[-1][1] for each in history.matching("probe_ssl_earliest_cert_expiry")}
    assert {each.expires for each in shown.certificates} == ends
    assert sum(len(each.ports) for each in shown.certificates) == len(
        history.matching("probe_ssl_earliest_cert_expiry")
    )
    for each in care.backups:
        made, size = (
            found.points()[-1][1]
            for metric in ("last_timestamp_seconds", "last_size_bytes")
            for found in history.matching(f"mailserver_backup_{metric}")
            if found.labels["name"] == each.name
        )
        assert (each.age, each.size) == (END - made, size)
    pending = {each.labels["class"]: each.points()[-1][1] for each in history.matching("mailserver_updates_pending")}
    assert (waiting.security.now, waiting.other.now) == (pending["security"], pending["other"])


def test_what_is_wrong_on_the_bad_day_is_to_be_done_and_nothing_on_the_good_one(
    history: History, asked: Prometheus
) -> None:
    say = Language("en", history.period.zone)
    facts: list[tuple[Any, Any]] = [(section, section.measure(asked)) for section in SECTIONS]
    assert all(found is not None for _, found in facts)
    grave = {a.rule for section, found in facts for a in section.advise(found, say) if a.severity != "info"}
    if history.scenario == "bad":
        assert {"certificate-expires-within-limit", "address-on-blocklist", "backup-failed", "reboot-due"} <= grave
        assert {"security-updates-waiting", "refused-for-reputation"} <= grave
    else:
        assert grave == set()


def test_the_sections_are_shown_in_both_languages(history: History, asked: Prometheus) -> None:
    for section in SECTIONS:
        facts: Any = section.measure(asked)
        for language in ("en", "de"):
            shown = section.show(facts, Language(language, history.period.zone))
            assert shown.title
            assert shown.summary
            for table in shown.tables:
                assert {len(row) for row in table.rows} == {len(table.headings)}


def test_few_questions_are_asked(history: History) -> None:
    class Counting(Prometheus):
        questions = 0

        def _ask(self, *words: str, **parameters: str) -> list[dict[str, Any]]:
            self.questions += 1
            return super()._ask(*words, **parameters)

    asked = Counting(history.url, history.instance, history.period)
    for section in SECTIONS:
        section.measure(asked)
    assert asked.questions <= 60
