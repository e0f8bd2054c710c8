"""fail2ban's jails and bans."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter import __version__
from mailserver_exporter.collectors.base import Collector, Context, Detection, Schedule
from mailserver_exporter.sources import SourceError, fail2ban, fail2ban_db
from mailserver_exporter.sources.fail2ban import Jail, JailSettings

log = logging.getLogger(__name__)

_DAY = 86400.0
_ANSWER_SECONDS = 5.0
# Settings change with a reload only, and take three questions for each jail.
_SETTINGS_SECONDS = 60.0


class Fail2banCollector(Collector):
    """Jails and bans, as `fail2ban-client status JAIL` shows them.

    # HELP f2b_up Whether fail2ban answers.
    # TYPE f2b_up gauge
    f2b_up 1
    f2b_jail_count 1
    f2b_jail_banned_current{jail="sshd"} 2
    f2b_jail_banned_total{jail="sshd"} 17
    f2b_jail_failed_current{jail="sshd"} 1
    f2b_jail_failed_total{jail="sshd"} 96
    f2b_config_jail_ban_time{jail="sshd"} 600
    f2b_config_jail_find_time{jail="sshd"} 600
    f2b_config_jail_max_retries{jail="sshd"} 5
    f2b_version{exporter="0.1.0",fail2ban="1.0.2"} 1
    mailserver_fail2ban_jail_present{jail="sshd"} 1
    mailserver_fail2ban_database_readable 1
    mailserver_fail2ban_bans_24h{jail="sshd"} 9

    The totals begin anew when fail2ban does. Bans of the last 24 hours are from its database, and are left out, with
    one line in the log, where that cannot be read. A server without a database has neither of the last two. A ban that
    was lifted by hand is struck from the database and no longer counted.
    """

    name = "fail2ban"
    schedule = Schedule(every=10, deadline=8)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._settings: dict[str, JailSettings] = {}
        self._database = ""
        self._settings_from = float("-inf")
        self._complaint = ""

    def detect(self) -> Detection:
        """Say whether fail2ban's socket exists; where the configuration names jails, it has to."""
        path = self.context.config.fail2ban.socket
        if self.context.config.fail2ban.jails:
            return Detection(True, f"{path}, jails named in the configuration")
        found = os.path.exists(self.context.host.path(path))
        return Detection(found, str(path) if found else f"no socket {path}")

    def collect(self) -> Iterator[Metric]:
        """Ask the server, and its database; yield all families."""
        version, jails = self._ask()
        yield GaugeMetricFamily("f2b_up", "Whether fail2ban answers.", 1)
        yield GaugeMetricFamily("f2b_jail_count", "Number of jails.", len(jails))
        versions = GaugeMetricFamily(
            "f2b_version", "Version of the exporter and of fail2ban.", labels=["exporter", "fail2ban"]
        )
        versions.add_metric([__version__, version], 1)
        yield versions
        yield from _jail_families(jails)
        yield from self._settings_families()
        present = GaugeMetricFamily(
            "mailserver_fail2ban_jail_present", "Whether an expected jail is there.", labels=["jail"]
        )
        expected = self.context.expectations.expect("jail", jails) | set(self.context.config.fail2ban.jails)
        for jail in sorted(expected):
            present.add_metric([jail], 1 if jail in jails else 0)
        yield present
        yield from self._bans(jails)

    def _ask(self) -> tuple[str, Mapping[str, Jail]]:
        path = self.context.config.fail2ban.socket
        try:
            with fail2ban.Client(self.context.host.path(path), _ANSWER_SECONDS) as client:
                version = client.version()
                jails = client.jails(version)
                self._refresh_settings(client, jails)
        except OSError as error:
            remedy = "systemctl start fail2ban"
            if self.context.host.in_container:
                remedy += f"; and mount the directory {path.parent}, not the socket alone"
            if isinstance(error, PermissionError):
                remedy = "run as root: fail2ban's socket is for root only"
            raise SourceError(
                f"fail2ban does not answer on {path}: {error.strerror or error}", remedy=remedy
            ) from error
        return version, jails

    def _refresh_settings(self, client: fail2ban.Client, jails: Mapping[str, Jail]) -> None:
        now = time.monotonic()
        if self._settings.keys() == jails.keys() and now - self._settings_from < _SETTINGS_SECONDS:
            return
        settings = {}
        for jail in jails:
            try:
                settings[jail] = client.settings(jail)
            except fail2ban.RefusedError:
                continue  # gone since the list of jails was made
        self._settings = settings
        self._database = client.database()
        self._settings_from = now

    def _settings_families(self) -> Iterator[Metric]:
        for name, help_text, attribute in (
            ("ban_time", "Seconds that the jail bans for, negative for ever.", "ban_time"),
            ("find_time", "Seconds in which the jail counts failures.", "find_time"),
            ("max_retries", "Failures that lead to a ban.", "max_retry"),
        ):
            family = GaugeMetricFamily(f"f2b_config_jail_{name}", help_text, labels=["jail"])
            for jail, settings in sorted(self._settings.items()):
                family.add_metric([jail], getattr(settings, attribute))
            yield family

    def _bans(self, jails: Mapping[str, Jail]) -> Iterator[Metric]:
        """Yield the bans of the last day, every jail present; without them where the database cannot be read."""
        if not self._database:
            return
        bans: Mapping[str, int] = {}
        complaint = ""
        try:
            bans = fail2ban_db.bans_since(self.context.host.path(self._database), time.time() - _DAY)
        except SourceError as error:
            complaint = str(error)
        if complaint and complaint != self._complaint:
            log.warning("no bans of the last 24 hours: %s", complaint)
        self._complaint = complaint
        yield GaugeMetricFamily(
            "mailserver_fail2ban_database_readable",
            "Whether fail2ban's database can be read; without it there are no bans of the last 24 hours.",
            0 if complaint else 1,
        )
        if complaint:
            return
        family = GaugeMetricFamily(
            "mailserver_fail2ban_bans_24h", "Bans in the last 24 hours, by fail2ban's database.", labels=["jail"]
        )
        for jail in sorted(jails):
            family.add_metric([jail], bans.get(jail, 0))
        yield family


def _jail_families(jails: Mapping[str, Jail]) -> Iterator[Metric]:
    failed = GaugeMetricFamily("f2b_jail_failed_current", "Failures that the jail remembers now.", labels=["jail"])
    failed_total = CounterMetricFamily("f2b_jail_failed", "Failures since the jail started.", labels=["jail"])
    banned = GaugeMetricFamily("f2b_jail_banned_current", "Addresses that are banned now.", labels=["jail"])
    banned_total = CounterMetricFamily("f2b_jail_banned", "Bans since the jail started.", labels=["jail"])
    for name, jail in sorted(jails.items()):
        failed.add_metric([name], jail.failed)
        failed_total.add_metric([name], jail.failed_total)
        banned.add_metric([name], jail.banned)
        banned_total.add_metric([name], jail.banned_total)
    yield from (failed, failed_total, banned, banned_total)
