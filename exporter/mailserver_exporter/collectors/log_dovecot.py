"""What Dovecot's log was counted into."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors.base import thresholds
from mailserver_exporter.collectors.log_counters import counters
from mailserver_exporter.settings.limits import Limits
from mailserver_exporter.sources import dovecot_log
from mailserver_exporter.sources.tally import Tally


def families(tally: Tally) -> Iterator[Metric]:
    """Yield the counters of Dovecot.

    # HELP mailserver_dovecot_messages_total Messages in Dovecot's log by level.
    # TYPE mailserver_dovecot_messages_total counter
    mailserver_dovecot_messages_total{level="info"} 81250
    mailserver_dovecot_messages_total{level="error"} 3
    mailserver_dovecot_errors_total{class="permissions"} 2
    mailserver_dovecot_errors_total{class="other"} 1
    mailserver_dovecot_logins_total{protocol="imap"} 20127
    mailserver_dovecot_login_failures_total{reason="auth_failed"} 12
    """
    yield counters(tally, dovecot_log.MESSAGES, "Messages in Dovecot's log by level.", "level", dovecot_log.LEVELS)
    yield counters(
        tally,
        dovecot_log.ERRORS,
        "Messages of the level error, fatal or panic by what they are about, without backtraces; storage_quota also "
        "counts mail that was not stored because the mailbox is full, which Dovecot tells as information.",
        "class",
        dovecot_log.CLASSES,
    )
    yield counters(tally, dovecot_log.LOGINS, "Logins that succeeded by protocol.", "protocol", dovecot_log.PROTOCOLS)
    yield counters(
        tally,
        dovecot_log.LOGIN_FAILURES,
        "Connections that ended without a login by the reason; auth_failed counts each refused password. Logins by "
        "SMTP that Postfix asks Dovecot about are not among them.",
        "reason",
        dovecot_log.REASONS,
    )


def limits(configured: Limits) -> Iterator[Metric]:
    """Yield the limits of errors and of failed logins.

    # HELP mailserver_threshold_dovecot_errors Limit of Dovecot's errors in a quarter of an hour.
    # TYPE mailserver_threshold_dovecot_errors gauge
    mailserver_threshold_dovecot_errors{class="permissions",severity="warning"} 10
    mailserver_threshold_dovecot_login_failures{severity="warning"} 300
    """
    yield thresholds(
        "dovecot_errors",
        "Limit of Dovecot's errors in a quarter of an hour.",
        [({"class": each}, configured.dovecot_errors.of(each)) for each in dovecot_log.CLASSES],
    )
    yield thresholds(
        "dovecot_login_failures",
        "Limit of passwords that Dovecot refused in a quarter of an hour.",
        [({}, configured.dovecot_login_failures)],
    )
