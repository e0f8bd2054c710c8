"""What sshd's log was counted into."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors.base import thresholds
from mailserver_exporter.collectors.log_counters import counter, counters
from mailserver_exporter.settings.limits import Limits
from mailserver_exporter.sources import sshd_log
from mailserver_exporter.sources.tally import Tally


def families(tally: Tally) -> Iterator[Metric]:
    """Yield the counters of logins by SSH.

    # HELP mailserver_sshd_failed_passwords_total Passwords that sshd refused, for existing and for unknown users.
    # TYPE mailserver_sshd_failed_passwords_total counter
    mailserver_sshd_failed_passwords_total 3120
    mailserver_sshd_invalid_users_total 1801
    mailserver_sshd_failures_total{reason="publickey"} 12
    mailserver_sshd_failures_total{reason="keyboard_interactive"} 0
    mailserver_sshd_logins_total{method="publickey"} 7
    mailserver_sshd_logins_after_failures_total 0
    """
    yield counter(
        tally,
        sshd_log.FAILED_PASSWORDS,
        "Passwords that sshd refused, for existing and for unknown users.",
    )
    yield counter(
        tally,
        sshd_log.INVALID_USERS,
        "Connections that named a user who does not exist; the passwords tried on them count as failed passwords, too.",
    )
    yield counters(
        tally,
        sshd_log.FAILURES,
        "Other failures by reason, each event in one of them: what was refused other than passwords (publickey, "
        "keyboard_interactive which is also a password where PAM asks, hostbased, gssapi), users who may not log in "
        "(not_allowed), and connections that ended before a login (max_attempts: after too many attempts, abandoned: "
        "after a user was named, disconnected: before, timeout, negotiation: no common algorithm, protocol: not SSH, "
        "dropped: by MaxStartups or penalty).",
        "reason",
        sshd_log.REASONS,
    )
    yield counters(tally, sshd_log.LOGINS, "Logins by the method that completed them.", "method", sshd_log.METHODS)
    yield counter(
        tally,
        sshd_log.GUESSED,
        f"Logins by password from an address of which {sshd_log.MANY_FAILURES} or more passwords had been refused "
        "since its last login by password.",
    )


def limits(configured: Limits) -> Iterator[Metric]:
    """Yield the limit of failed logins.

    # HELP mailserver_threshold_sshd_failures Limit of failed logins by SSH in a quarter of an hour.
    # TYPE mailserver_threshold_sshd_failures gauge
    mailserver_threshold_sshd_failures{severity="warning"} 500
    """
    yield thresholds(
        "sshd_failures", "Limit of failed logins by SSH in a quarter of an hour.", [({}, configured.sshd_failures)]
    )
