"""What the logs of mailcow's own programs were counted into."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors.base import thresholds
from mailserver_exporter.collectors.log_counters import counter
from mailserver_exporter.settings.limits import Limits
from mailserver_exporter.sources import mailcow_ui_log, netfilter_log, sogo_log
from mailserver_exporter.sources.tally import Tally


def sogo_families(tally: Tally) -> Iterator[Metric]:
    """Yield what SOGo said.

    # HELP mailserver_sogo_login_failures_total Logins by SOGo's web interface that failed.
    # TYPE mailserver_sogo_login_failures_total counter
    mailserver_sogo_login_failures_total 0
    """
    yield counter(tally, sogo_log.LOGIN_FAILURES, "Logins by SOGo's web interface that failed.")


def netfilter_families(tally: Tally) -> Iterator[Metric]:
    """Yield what netfilter said.

    # HELP mailserver_mailcow_netfilter_bans_total Bans by mailcow's netfilter.
    # TYPE mailserver_mailcow_netfilter_bans_total counter
    mailserver_mailcow_netfilter_bans_total 17
    mailserver_mailcow_netfilter_unbans_total 16
    mailserver_mailcow_netfilter_warnings_total 190
    mailserver_mailcow_netfilter_starts_total 1
    """
    yield counter(tally, netfilter_log.BANS, "Bans by mailcow's netfilter.")
    yield counter(tally, netfilter_log.UNBANS, "Bans that mailcow's netfilter has ended.")
    yield counter(
        tally, netfilter_log.WARNINGS, "Failures that netfilter counted against an address without banning it yet."
    )
    yield counter(tally, netfilter_log.STARTS, "Starts of netfilter, each of which forgets all bans.")


def ui_families(tally: Tally) -> Iterator[Metric]:
    """Yield what mailcow's web interface said.

    # HELP mailserver_mailcow_ui_login_failures_total Logins by mailcow's web interface and keys of its API refused.
    # TYPE mailserver_mailcow_ui_login_failures_total counter
    mailserver_mailcow_ui_login_failures_total 2
    """
    yield counter(
        tally,
        mailcow_ui_log.LOGIN_FAILURES,
        "Logins by mailcow's web interface and keys of its API that were refused.",
    )


def sogo_limits(configured: Limits) -> Iterator[Metric]:
    """Yield ``mailserver_threshold_sogo_login_failures``."""
    yield thresholds(
        "sogo_login_failures",
        "Limit of failed logins by SOGo in a quarter of an hour.",
        [({}, configured.sogo_login_failures)],
    )


def ui_limits(configured: Limits) -> Iterator[Metric]:
    """Yield ``mailserver_threshold_mailcow_ui_login_failures``."""
    yield thresholds(
        "mailcow_ui_login_failures",
        "Limit of failed logins by mailcow's web interface in a quarter of an hour.",
        [({}, configured.mailcow_ui_login_failures)],
    )
