"""systemd's units and timers."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors.base import Collector, Context, Detection, Schedule
from mailserver_exporter.finding import Finding, counted
from mailserver_exporter.sources import SourceError, systemd
from mailserver_exporter.sources.dbus import Client, RefusedError
from mailserver_exporter.sources.systemd import STATES, Unit

# systemd's own socket, for root only, where there is no bus or it does not let us ask.
_PRIVATE = "/systemd/private"
_SOCKETS = ("/run/dbus/system_bus_socket", f"/run{_PRIVATE}")
_BOOTED = "/run/systemd/system"  # sd_booted(3)
_SECONDS = 5.0
# There may be hundreds of units; shown are those that somebody would ask for, and no more than these.
_MAX_FAILED = 50
_MAX_TIMERS = 100
# fail2ban and Docker have collectors of their own.
_MAIL = re.compile(
    r"(postfix(@[\w-]+)?|dovecot|exim4|rspamd|opendkim|opendmarc|openarc|amavis|spamd|spamassassin|clamav-daemon"
    r"|clamav-freshclam|postgrey|postsrsd|policyd-spf|mariadb|mysql|postgresql(@[\w-]+)?|redis-server|redis|valkey-server"
    r"|memcached|nginx|apache2|caddy|php[\d.]*-fpm|sogo|unbound|named|bind9|chrony|chronyd|ntpsec|systemd-timesyncd)"
    r"\.service|certbot\.timer|acme[\w-]*\.timer"
)
_UP = ("active", "reloading", "refreshing")


class SystemdCollector(Collector):
    """Units, as `systemctl list-units --failed`, `systemctl status NAME` and `systemctl list-timers` show them.

    # HELP node_systemd_unit_state Systemd unit
    # TYPE node_systemd_unit_state gauge
    node_systemd_unit_state{name="postfix@-.service",state="active",type="forking"} 1
    node_systemd_unit_state{name="postfix@-.service",state="failed",type="forking"} 0
    node_systemd_units{state="failed"} 0
    node_systemd_system_running 1
    node_systemd_timer_last_trigger_seconds{name="certbot.timer"} 1.79530001e+09
    mailserver_systemd_unit_active{name="postfix@-.service"} 1

    Names as node_exporter's, but not every unit: those that have failed, those of a mail host's usual programs, and
    those that the configuration names. Of the last two is expected to be active what is named or was active once.
    """

    name = "systemd"
    schedule = Schedule(every=15, deadline=10)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._types: dict[str, str] = {}
        # Shown until the exporter ends, so that a recovery is a 0 and not a series that is gone.
        self._failed: dict[str, None] = {}
        self._down: list[str] = []
        self._failed_now: list[str] = []
        self._newest = ""

    def detect(self) -> Detection:
        """Say whether systemd runs the host."""
        socket = self.context.config.systemd.socket
        if socket or self.context.config.systemd.units:
            return Detection(True, str(socket) if socket else "units named in the configuration")
        found = os.path.isdir(self.context.host.path(_BOOTED))
        return Detection(found, "systemd runs the host" if found else f"systemd does not run here: no {_BOOTED}")

    def collect(self) -> Iterator[Metric]:
        """Ask systemd's manager; yield all families."""
        with self._connect() as client:
            units = {unit.name: unit for unit in systemd.units(client)}
            running = systemd.system_state(client) == "running"
            self._failed_now = sorted(name for name, unit in units.items() if unit.active == "failed")
            for name in self._failed_now[:_MAX_FAILED]:
                self._failed.setdefault(name)
            while len(self._failed) > _MAX_FAILED:
                del self._failed[next(iter(self._failed))]
            watched = self._watched(units)
            shown = sorted({*watched, *self._failed})
            self._learn_types(client, [units[name] for name in shown if name in units])
            timers = [
                unit for _, unit in sorted(units.items()) if unit.name.endswith(".timer") and unit.load == "loaded"
            ]
            triggered = systemd.properties(client, timers[:_MAX_TIMERS], "Timer", "LastTriggerUSec")
        self._newest = f"{counted(len(watched), 'unit')} watched, {counted(len(timers), 'timer')}"
        yield from self._states(units, shown)
        yield _summary(units.values())
        help_text = "Whether the system is operational (see 'systemctl is-system-running')"
        yield GaugeMetricFamily("node_systemd_system_running", help_text, 1 if running else 0)
        last = GaugeMetricFamily(
            "node_systemd_timer_last_trigger_seconds", "Seconds since epoch of last trigger.", labels=["name"]
        )
        for name, microseconds in triggered.items():
            if isinstance(microseconds, int):
                last.add_metric([name], microseconds / 1e6)
        yield last
        yield self._active(units, watched)

    def found(self) -> str:
        """Say how much is watched."""
        return self._newest

    def findings(self) -> Iterator[Finding]:
        """Yield a line for each unit that has failed or should be active."""
        for name in self._failed_now[:_MAX_FAILED]:
            yield Finding("systemd", "bad", f"{name} has failed", f"systemctl status {name}")
        for name in self._down:
            if name not in self._failed_now:
                remedy = f"systemctl start {name}, or mailserver-exporter forget {name}"
                yield Finding("systemd", "bad", f"{name} is not active", remedy)

    def _connect(self) -> Client:
        """Return a connection to the first socket over which systemd answers."""
        given = self.context.config.systemd.socket
        reasons = []
        refused = False
        for socket in (str(given),) if given else _SOCKETS:
            client = None
            try:
                client = Client(self.context.host.path(socket), _SECONDS, bus=not socket.endswith(_PRIVATE))
                systemd.system_state(client)
            except (OSError, SourceError) as error:
                if client:
                    client.__exit__(None, None, None)
                refused = refused or isinstance(error, (RefusedError, PermissionError))
                reason = error.strerror if isinstance(error, OSError) else str(error)
                reasons.append(f"{socket}: {reason or error}")
            else:
                return client
        raise SourceError(f"systemd does not answer: {'; '.join(reasons)}", remedy=self._remedy(refused))

    def _remedy(self, refused: bool) -> str:
        if not refused:
            return "systemctl start dbus, or apt install dbus"
        if self.context.host.in_container:
            return "AppArmor keeps containers from D-Bus: add apparmor:unconfined to the exporter's security_opt"
        return "run as root, or allow the exporter's user to ask org.freedesktop.systemd1"

    def _watched(self, units: Mapping[str, Unit]) -> frozenset[str]:
        """Return the names of the units that should be active: those named, and of a mail host's those seen active."""
        usual = {name for name, unit in units.items() if unit.active in _UP and _MAIL.fullmatch(name)}
        expected = self.context.expectations.expect("unit", usual)
        return expected | frozenset(self.context.config.systemd.units)

    def _learn_types(self, client: Client, of: Iterable[Unit]) -> None:
        of = [unit for unit in of if unit.name not in self._types and unit.load == "loaded"]
        for suffix, kind in ((".service", "Service"), (".mount", "Mount")):
            types = systemd.properties(client, [u for u in of if u.name.endswith(suffix)], kind, "Type")
            self._types.update({name: str(value) for name, value in types.items()})

    def _states(self, units: Mapping[str, Unit], shown: Iterable[str]) -> Iterator[Metric]:
        family = GaugeMetricFamily("node_systemd_unit_state", "Systemd unit", labels=["name", "state", "type"])
        for name in shown:
            now = units[name].active if name in units else "inactive"
            for state in STATES:
                family.add_metric([name, state, self._types.get(name, "")], 1 if state == now else 0)
        yield family

    def _active(self, units: Mapping[str, Unit], watched: Iterable[str]) -> Metric:
        family = GaugeMetricFamily(
            "mailserver_systemd_unit_active",
            "Whether a unit that should be active is, reloading included.",
            labels=["name"],
        )
        self._down = []
        for name in sorted(watched):
            active = name in units and units[name].active in _UP
            family.add_metric([name], 1 if active else 0)
            if not active:
                self._down.append(name)
        return family


def _summary(units: Iterable[Unit]) -> Metric:
    counts = Counter(unit.active for unit in units)
    family = GaugeMetricFamily("node_systemd_units", "Summary of systemd unit states", labels=["state"])
    for state in STATES:
        family.add_metric([state], counts[state])
    return family
