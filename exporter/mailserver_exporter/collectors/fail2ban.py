"""fail2ban's jails and bans."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter import __version__, errand
from mailserver_exporter.collectors.base import Collector, Context, Detection, Schedule
from mailserver_exporter.finding import shortened
from mailserver_exporter.settings.types import Section
from mailserver_exporter.sources import SourceError, fail2ban
from mailserver_exporter.sources.fail2ban import Jail, JailSettings
from mailserver_exporter.sources.fail2ban_db import LEVELS, JailBans

_ANSWER_SECONDS = 5.0
# Settings change with a reload only, and take three questions for each jail.
_SETTINGS_SECONDS = 60.0

# Where the database is unless fail2ban.conf says otherwise; asked for only when the server does not answer.
_USUAL_DATABASE = "/var/lib/fail2ban/fail2ban.sqlite3"
_READ_SECONDS = 20.0
# A day passes and bans end also when nothing is written.
_UNCHANGED_SECONDS = 600.0
# A database that takes long to read is read less often, so that it never takes more than this share of the time.
_SHARE = 0.02


class _OfFail2ban(Collector):
    """What both collectors share: the server's socket."""

    @property
    def section(self) -> Section:
        """Both are switched on and off by ``fail2ban``."""
        return self.context.config.fail2ban

    def detect(self) -> Detection:
        """Say whether fail2ban's socket exists; where the configuration names jails, it has to."""
        path = self.context.config.fail2ban.socket
        if self.context.config.fail2ban.jails:
            return Detection(True, f"{path}, jails named in the configuration")
        found = os.path.exists(self.context.host.path(path))
        return Detection(found, str(path) if found else f"no socket {path}")

    @contextlib.contextmanager
    def _connected(self) -> Iterator[fail2ban.Client]:
        path = self.context.config.fail2ban.socket
        try:
            with fail2ban.Client(self.context.host.path(path), _ANSWER_SECONDS) as client:
                yield client
        except OSError as error:
            remedy = "systemctl start fail2ban"
            if self.context.host.in_container:
                remedy += f"; and mount the directory {path.parent}, not the socket alone"
            if isinstance(error, PermissionError):
                remedy = "run as root: fail2ban's socket is for root only"
            raise SourceError(
                f"fail2ban does not answer on {path}: {error.strerror or error}", remedy=remedy
            ) from error


class Fail2banCollector(_OfFail2ban):
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

    The totals begin anew when fail2ban does.
    """

    name = "fail2ban"
    schedule = Schedule(every=10, deadline=8)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._settings: dict[str, JailSettings] = {}
        self._settings_from = float("-inf")

    def collect(self) -> Iterator[Metric]:
        """Ask the server and yield all families."""
        with self._connected() as client:
            version = client.version()
            jails = client.jails(version)
            self._refresh_settings(client, jails)
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

    def found(self) -> str:
        """Say which jails there are."""
        return f"{self.context.config.fail2ban.socket}: {shortened(sorted(self._settings)) or 'no jail'}"

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


class Fail2banDatabaseCollector(_OfFail2ban):
    """Bans on record, as `sqlite3 /var/lib/fail2ban/fail2ban.sqlite3 'SELECT * FROM bips'` lists them.

    mailserver_fail2ban_bans_24h{jail="sshd"} 9
    mailserver_fail2ban_bans_current{jail="sshd",level="1"} 5
    mailserver_fail2ban_bans_current{jail="sshd",level="2"} 1
    mailserver_fail2ban_bans_current{jail="sshd",level="3"} 0
    mailserver_fail2ban_bans_current{jail="sshd",level="4+"} 1
    mailserver_fail2ban_longest_remaining_ban_seconds{jail="sshd"} 521004
    mailserver_fail2ban_known_offenders{jail="sshd"} 12

    These outlast a restart of fail2ban. A ban that was lifted by hand is struck from the database and no longer
    counted. A server without a database has none of these.
    """

    name = "fail2ban_database"
    schedule = Schedule(every=60, deadline=40)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._jails: Iterable[str] = ()
        self._database = _USUAL_DATABASE
        self._stamp: tuple[object, ...] = ()
        self._bans: Mapping[str, JailBans] | SourceError = {}
        self._until = self._not_before = float("-inf")

    def collect(self) -> Iterator[Metric]:
        """Read the database where it has changed; yield all families."""
        try:
            with self._connected() as client:
                self._jails, self._database = client.names(), client.database()
        except SourceError:
            # That the server is away is told by the other collector; what is on record is still there.
            if not os.path.exists(self.context.host.path(self._database)):
                raise
        if not self._database:
            return
        bans = self._read(self.context.host.path(self._database))
        yield from _ban_families({jail: bans.get(jail, JailBans()) for jail in self._jails or bans}, time.time())

    def found(self) -> str:
        """Say which database is read."""
        return self._database or "fail2ban keeps no database"

    def _read(self, path: str) -> Mapping[str, JailBans]:
        try:
            status = os.stat(path)
        except OSError as error:
            raise SourceError(f"cannot read fail2ban's database {path}: {error.strerror}") from error
        stamp: tuple[object, ...] = (path, status.st_ino, status.st_size, status.st_mtime_ns)
        started = time.monotonic()
        if started >= self._not_before and (stamp != self._stamp or started >= self._until):
            try:
                answer = errand.send(self.name, {"path": path, "now": time.time()}, _READ_SECONDS)
                self._bans = {jail: JailBans(**bans) for jail, bans in answer.items()}
            except SourceError as error:
                self._bans = error
                stamp = ()
            self._stamp = stamp
            self._until = started + _UNCHANGED_SECONDS
            self._not_before = started + (time.monotonic() - started) / _SHARE
        if isinstance(self._bans, SourceError):
            raise SourceError(str(self._bans), remedy=self._bans.remedy)
        return self._bans


def _ban_families(jails: Mapping[str, JailBans], now: float) -> Iterator[Metric]:
    day = GaugeMetricFamily(
        "mailserver_fail2ban_bans_24h", "Bans in the last 24 hours, by fail2ban's database.", labels=["jail"]
    )
    current = GaugeMetricFamily(
        "mailserver_fail2ban_bans_current",
        "Addresses that are banned now, by which of their bans it is, by fail2ban's database.",
        labels=["jail", "level"],
    )
    remaining = GaugeMetricFamily(
        "mailserver_fail2ban_longest_remaining_ban_seconds",
        "How long the longest ban still lasts, 0 without any, +Inf for ever.",
        labels=["jail"],
    )
    offenders = GaugeMetricFamily(
        "mailserver_fail2ban_known_offenders", "Addresses on record that were banned more than once.", labels=["jail"]
    )
    for name, jail in sorted(jails.items()):
        day.add_metric([name], jail.day)
        for level, count in enumerate(jail.current, 1):
            current.add_metric([name, f"{level}+" if level == LEVELS else str(level)], count)
        remaining.add_metric([name], math.inf if jail.longest_end is None else max(0.0, jail.longest_end - now))
        offenders.add_metric([name], jail.offenders)
    yield from (day, current, remaining, offenders)


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
