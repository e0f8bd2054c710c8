"""What a well-behaved fortnight does not show: labels that begin, gaps at an edge, resets, a host that fell silent."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from mailserver_exporter.report.counts import Counts, count
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.period import Period
from mailserver_exporter.report.prometheus import Compared, Prometheus
from mailserver_exporter.report.sections import backups, certificates, dns, errors, queue, updates
from tests.support.report_prometheus import INSTANCE, Samples, prometheus

HOUR, DAY = 3600, 86400
PERIOD = Period.before(datetime(2026, 11, 18, 1, tzinfo=timezone.utc))
START, END = int(PERIOD.start.timestamp()), int(PERIOD.end.timestamp())
SILENT = END - 2 * HOUR
"""When the exporter was asked last."""
SENT, BOUNCED = "mailserver_postfix_deliveries_total", "postfix_smtp_bounced_messages_by_dsn_total"
SASL, JAIL = "postfix_smtpd_sasl_authentication_failures_total", "f2b_jail_failed_total"
EXPIRY, BEGIN = "probe_ssl_earliest_cert_expiry", "mailserver_certificate_not_before_timestamp_seconds"
SMTP, SECOND = {"target": "127.0.0.1:25", "module": "smtp"}, {"target": "[::1]:25", "module": "smtp"}
IMAP = {"target": "127.0.0.1:993", "module": "imap"}


def steady(value: float, begin: int = START - 2 * HOUR, end: int = SILENT) -> list[tuple[float, float]]:
    return [(at, value) for at in range(begin, end + 1, 60)]


def rising(first: float, begin: int, end: int, each: float = 1) -> list[tuple[float, float]]:
    """Return a counter that rises once a minute."""
    return [(at, first + each * ((at - begin) // 60)) for at in range(begin, end + 1, 60)]


SAMPLES = (
    # It has counted for years, and 7 more between two questions just before it began anew.
    Samples(SENT, rising(5e6, START - HOUR, START + 5 * HOUR + 60), {"service": "smtp", "status": "sent"}),
    Samples(SENT, [(START + 5 * HOUR + 120, 5e6 + 368)], {"service": "smtp", "status": "sent"}),
    Samples(SENT, rising(2, START + 5 * HOUR + 180, SILENT), {"service": "smtp", "status": "sent"}),
    # The first of its kind.
    Samples(
        BOUNCED,
        [*steady(1, START + 10 * HOUR, START + 11 * HOUR), *steady(3, START + 11 * HOUR + 60)],
        {"dsn": "5.2.2"},
    ),
    # Nobody asked from two hours before the period to an hour into it.
    Samples(SASL, [*steady(100, START - 3 * HOUR, START - 2 * HOUR), *steady(160, START + HOUR)]),
    # fail2ban is watched from noon on, and had counted before.
    Samples(JAIL, rising(4000, START + 12 * HOUR, SILENT), {"jail": "sshd"}),
    Samples("postfix_showq_queue_depth", steady(3), {"queue": "deferred"}),
    Samples("mailserver_queue_oldest_message_age_seconds", steady(50), {"queue": "deferred"}),
    Samples("mailserver_threshold_queue_messages", steady(10), {"severity": "warning"}),
    # Two certificates; the one on [::1] is the first one, of which the begin is told but once.
    Samples(EXPIRY, steady(END + 10 * DAY), SMTP),
    Samples(EXPIRY, steady(END + 10 * DAY), SECOND),
    Samples(EXPIRY, steady(END + 80 * DAY), IMAP),
    Samples(BEGIN, steady(END - 80 * DAY), SMTP),
    Samples(BEGIN, steady(END - 10 * DAY), IMAP),
    Samples("mailserver_certificate_matches_file", steady(0), SMTP),
    Samples("mailserver_certificate_key_bits", steady(1024), {**IMAP, "key_type": "rsa"}),
    Samples("mailserver_threshold_certificate_remaining_seconds", steady(21 * DAY), {**SMTP, "severity": "warning"}),
    Samples("mailserver_dns_check", steady(0), {"check": "spf", "domain": "example.org"}),
    Samples("mailserver_threshold_dns_check", steady(1), {"check": "spf", "severity": "warning"}),
    # Only ever reported, and failed since.
    Samples("mailserver_backup_last_success_timestamp_seconds", steady(START - DAY), {"name": "restic"}),
    Samples("mailserver_backup_last_timestamp_seconds", steady(START - DAY), {"name": "restic"}),
    Samples("mailserver_backup_last_failure_timestamp_seconds", steady(START), {"name": "restic"}),
    Samples("mailserver_backup_last_copy_timestamp_seconds", steady(0), {"name": "restic"}),
    Samples("mailserver_updates_pending", steady(3), {"class": "security"}),
    Samples("mailserver_collector_success", steady(0), {"collector": "dns"}),
    Samples("mailserver_log_source_up", steady(0), {"source": "journal"}),
)


@pytest.fixture(scope="module", params=["bookworm", "sid"])
def asked(request: pytest.FixtureRequest) -> Iterator[Prometheus]:
    with (
        tempfile.TemporaryDirectory(prefix="report-") as folder,
        prometheus(Path(folder), SAMPLES, request.param) as url,
    ):
        yield Prometheus(url, INSTANCE, PERIOD, seconds=60)


@pytest.fixture(scope="module")
def counts(asked: Prometheus) -> Counts:
    return count(asked, [SENT, BOUNCED, SASL, JAIL], ["service", "status", "dsn", "jail"])


def test_a_reset_loses_nothing_that_was_seen_before_it(counts: Counts) -> None:
    # One a minute for five hours and a minute, seven at once, two after the reset, one a minute until the end.
    assert counts.now.number(SENT) == 301 + 7 + 2 + (SILENT - START - 5 * HOUR - 180) // 60


def test_the_first_of_its_kind_counts(counts: Counts) -> None:
    assert counts.now.number(BOUNCED, dsn="5.2.2") == 3


def test_what_happened_while_nobody_asked_is_of_the_day_that_learned_of_it(counts: Counts) -> None:
    assert counts.now.number(SASL) == 60


def test_what_a_program_had_counted_before_it_was_watched_is_not_of_this_day(counts: Counts) -> None:
    assert counts.of(JAIL) == Compared((SILENT - START - 12 * HOUR) // 60, None, None)
    assert counts.now.since["f2b"] == START + 12 * HOUR


def test_a_day_of_which_little_is_known_is_not_compared_with(counts: Counts) -> None:
    assert counts.day_before.number(SENT) is not None
    assert counts.of(SENT).day_before is None


def test_a_host_that_fell_silent_is_told_by_what_it_said_last(asked: Prometheus) -> None:
    say = Language("en", timezone.utc)
    for section in (certificates, backups, dns, updates):
        facts = section.measure(asked)
        assert facts is not None
        assert section.show(facts, say).notes[-1].startswith("Not measured any more when the period ended")
    waiting = queue.measure(asked)
    assert waiting is not None
    assert (waiting.now, waiting.highest.now, waiting.old) == (None, 3, True)
    assert list(queue.advise(waiting, say)) == []


def test_the_same_certificate_on_two_addresses_is_one(asked: Prometheus) -> None:
    facts = certificates.measure(asked)
    assert facts is not None
    first, second = facts.certificates
    assert first.ports == ("127.0.0.1:25", "[::1]:25")
    assert (first.left, first.lifetime, first.problems) == (10 * DAY, 90 * DAY, ("stale",))
    assert (second.ports, second.problems) == (("127.0.0.1:993",), ("weak",))
    rules = [action.rule for action in certificates.advise(facts, Language("en", timezone.utc))]
    assert rules == ["certificate-stale", "certificate-weak"]


def test_a_backup_that_is_only_reported_has_what_was_reported(asked: Prometheus) -> None:
    facts = backups.measure(asked)
    assert facts is not None
    [backup] = facts.backups
    assert (backup.name, backup.present, backup.failed, backup.age) == ("restic", True, True, 2 * DAY)
    assert (backup.size, backup.copy_age) == (None, None)


def test_a_check_has_the_severity_of_its_limit(asked: Prometheus) -> None:
    facts = dns.measure(asked)
    assert facts is not None
    assert facts.failing == {("example.org", "spf"): "warning"}
    assert facts.listed == ()


def test_updates_are_those_found_last(asked: Prometheus) -> None:
    facts = updates.measure(asked)
    assert facts is not None
    assert facts.security.now == 3


def test_what_is_not_watched_is_none() -> None:
    class Empty(Prometheus):
        def _ask(self, *words: str, **parameters: str) -> list[dict[str, object]]:
            return []

    nothing = Empty("http://127.0.0.1:9", INSTANCE, PERIOD)
    for section in (queue, certificates, backups, dns, updates, errors):
        assert section.measure(nothing) is None
