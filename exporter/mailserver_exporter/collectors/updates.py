"""Packages that wait to be updated, and a reboot that waits to be done."""

from __future__ import annotations

import json
import logging
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter import errand, state_files
from mailserver_exporter.collectors.base import Collector, Context, Detection, Schedule, thresholds
from mailserver_exporter.finding import Finding, counted, shortened
from mailserver_exporter.sources import SourceError, files

log = logging.getLogger(__name__)

_STATUS = "/var/lib/dpkg/status"
_LISTS = "/var/lib/apt/lists"
_REBOOT = "/var/run/reboot-required"
# Touched by a successful `apt-get update` where a package asks apt for that (update-notifier, unattended-upgrades).
_STAMPS = ("/var/lib/apt/periodic/update-success-stamp", _LISTS)
_WATCHED = (_STATUS, _LISTS, "/etc/apt/preferences", "/etc/apt/preferences.d", "/etc/apt/apt.conf.d", "/boot")
_ERRAND_SECONDS = 100.0
_CLASSES = ("security", "other", "held")


class UpdatesCollector(Collector):
    """Pending updates, as `apt list --upgradable` and `cat /var/run/reboot-required.pkgs` show them.

    # HELP apt_upgrades_pending Apt packages pending updates by origin
    # TYPE apt_upgrades_pending gauge
    apt_upgrades_pending{arch="amd64",origin="Debian:bookworm-security/stable-security"} 3
    apt_upgrades_held{arch="",origin=""} 0
    apt_package_cache_timestamp_seconds 1.79530001e+09
    node_reboot_required 0
    mailserver_updates_pending{class="security"} 3
    mailserver_security_update_age_seconds 7261
    mailserver_reboot_required_age_seconds 0
    mailserver_kernel_info{installed="6.1.0-30-amd64",running="6.1.0-30-amd64"} 1
    mailserver_threshold_security_update_age_seconds{severity="warning"} 172800

    From the files of apt and dpkg; neither is run. The names that begin with apt_ are those of the apt_info script for
    node_exporter. An update that is held counts as held and as nothing else, one that Ubuntu gives out in phases when
    all machines get it. A reboot is required when a package says so or a newer kernel than the running one is
    installed. Ages count from when this was first seen, which outlives a restart.
    """

    name = "updates"
    schedule = Schedule(every=60, deadline=120)
    # Looking through all lists takes half a second and more of CPU: not while apt is still at it, and not each minute.
    pause_seconds = 600.0

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._answer: dict[str, Any] = {}
        self._seen: tuple[object, ...] = ()
        self._next = float("-inf")
        self._waiting = Waiting(context)
        self._reboot_for: list[str] = []

    def detect(self) -> Detection:
        """Say whether there are dpkg and apt."""
        missing = [path for path in (_STATUS, _LISTS) if not os.path.exists(self._path(path))]
        return Detection(not missing, f"no {missing[0]}" if missing else "apt and dpkg")

    def collect(self) -> Iterator[Metric]:
        """Yield all families; look through the lists when they or what is installed have changed."""
        now = time.time()
        self._look()
        security = [f"{name}:{arch}" for name, arch, _, _, security, held in self._updates() if security and not held]
        oldest = self._waiting.oldest(security, now)
        yield from self._pending()
        if self._answer["lists"]:
            stamps = [_modified(self._path(path)) for path in _STAMPS]
            yield GaugeMetricFamily(
                "apt_package_cache_timestamp_seconds", "Apt update last run time.", max(*stamps, self._answer["dated"])
            )
        yield GaugeMetricFamily(
            "mailserver_security_update_age_seconds",
            "Time since the oldest pending security update was first seen, 0 when there is none.",
            max(0.0, now - oldest) if security else 0,
        )
        yield from self._reboot(now)
        limits = self.context.config.limits
        for name, help_text in (
            ("security_update_age_seconds", "Limit of the time that a security update may wait."),
            ("reboot_required_age_seconds", "Limit of the time that a required reboot may wait."),
            ("package_lists_age_seconds", "Limit of the time since the package lists were updated."),
        ):
            yield thresholds(name, help_text, [({}, getattr(limits, name))])

    def found(self) -> str:
        """Say how much apt knows of, and what waits."""
        security = sum(bool(security and not held) for *_, security, held in self._updates())
        waiting = counted(len(self._updates()), "update")
        return f"{counted(self._answer['lists'], 'package list')}, {waiting}, {security} of them for security"

    def findings(self) -> Iterator[Finding]:
        """Say what waits, and where nobody can know."""
        if not self._answer:
            return
        if not self._answer["lists"]:
            yield Finding("updates", "bad", f"no package lists in {_LISTS}, so no update is seen", "apt-get update")
        security = sorted({str(name) for name, _, _, _, security, held in self._updates() if security and not held})
        if security:
            yield Finding(
                "updates",
                "bad",
                f"security updates wait: {shortened(security, 5)}",
                "apt-get update && apt-get upgrade",
            )
        for reason in self._reboot_for:
            yield Finding("updates", "bad", f"a reboot is required: {reason}", "systemctl reboot")

    def _path(self, path: str) -> str:
        root = str(self.context.config.updates.root).rstrip("/")
        return self.context.host.path(root + path)

    def _updates(self) -> Sequence[Sequence[Any]]:
        updates: Sequence[Sequence[Any]] = self._answer["updates"]
        return updates

    def _look(self) -> None:
        """Send the errand when something has changed since the last one, and then keeps still for a round."""
        seen = tuple(_stamp(self._path(path)) for path in _WATCHED)
        changed = self._answer.get("seen") != seen
        settled = not self._answer or seen == self._seen
        self._seen = seen
        if changed and settled and time.monotonic() >= self._next:
            host = self.context.host
            request = {"rootfs": host.rootfs, "root": str(self.context.config.updates.root)}
            self._answer = {**errand.send("updates", request, _ERRAND_SECONDS), "seen": seen}
            self._next = time.monotonic() + self.pause_seconds

    def _pending(self) -> Iterator[Metric]:
        pending: Counter[tuple[str, str]] = Counter()
        kept: Counter[tuple[str, str]] = Counter()
        classes: Counter[str] = Counter()
        for _, architecture, _, origin, security, held in self._updates():
            pending[origin, architecture] += 1
            if held:
                kept[origin, architecture] += 1
            classes["held" if held else "security" if security else "other"] += 1
        for name, help_text, counts in (
            ("apt_upgrades_pending", "Apt packages pending updates by origin", pending),
            ("apt_upgrades_held", "Apt packages pending updates but held back.", kept),
        ):
            family = GaugeMetricFamily(name, help_text, labels=["origin", "arch"])
            for labels, count in sorted(counts.items()) or [(("", ""), 0)]:
                family.add_metric(list(labels), count)
            yield family
        family = GaugeMetricFamily(
            "mailserver_updates_pending", "Installed packages for which there is an update.", labels=["class"]
        )
        for each in _CLASSES:
            family.add_metric([each], classes[each])
        yield family

    def _reboot(self, now: float) -> Iterator[Metric]:
        kernel = self._answer["kernel"]
        asked = _modified(self._path(_REBOOT))
        self._reboot_for = []
        if asked:
            packages = _lines(self._path(f"{_REBOOT}.pkgs"))
            self._reboot_for.append(f"for {', '.join(packages[:5])}" if packages else f"{_REBOOT} is there")
        if kernel["outdated"]:
            newer = kernel["newest"] if kernel["newest"] != kernel["running"] else "a newer build of the same"
            self._reboot_for.append(f"the kernel {kernel['running']} runs, {newer} is installed")
        since = min((moment for moment in (asked, kernel["since"]) if moment), default=0.0)
        required = bool(self._reboot_for)
        help_text = "Node reboot is required for software updates."
        yield GaugeMetricFamily("node_reboot_required", help_text, 1 if required else 0)
        yield GaugeMetricFamily(
            "mailserver_reboot_required_age_seconds",
            "Time since the update that requires a reboot, 0 when none is required.",
            max(0.0, now - since) if required else 0,
        )
        family = GaugeMetricFamily(
            "mailserver_kernel_info",
            "The running kernel and the newest installed one of its kind; the value is always 1.",
            labels=["running", "installed"],
        )
        family.add_metric([kernel["running"], kernel["newest"]], 1)
        yield family


class Waiting:
    """Since when which security update has been waiting, in a small file of the state directory."""

    _MAX_BYTES = 1 << 20

    def __init__(self, context: Context) -> None:
        self._file: Path = context.config.state_directory / "security-updates.json"
        self._remember = context.expectations.remember
        self._since: dict[str, float] | None = None
        self._complaint = ""

    def oldest(self, packages: Sequence[str], now: float) -> float:
        """Return since when the first of these has been waiting; forget all others."""
        known = self._load() if self._since is None else self._since
        since = {package: min(known.get(package, now), now) for package in packages}
        if since != self._since:
            self._save(since)
        self._since = since
        return min(since.values(), default=now)

    def _load(self) -> dict[str, float]:
        try:
            found = json.loads(files.read(os.fspath(self._file), self._MAX_BYTES))
            return {str(package): float(moment) for package, moment in found.items()}
        except FileNotFoundError:
            return {}
        except (OSError, SourceError, ValueError, TypeError, AttributeError, RecursionError) as error:
            log.warning("cannot use %s, the age of security updates counts from now: %s", self._file, error)
            return {}

    def _save(self, since: dict[str, float]) -> None:
        if not self._remember:
            return
        try:
            state_files.replace(self._file, json.dumps(since).encode())
        except OSError as error:
            complaint = f"cannot remember since when updates wait in {self._file}: {error.strerror}"
            if complaint != self._complaint:
                log.warning("%s", complaint)
            self._complaint = complaint


def _modified(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return 0.0


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _lines(path: str) -> list[str]:
    try:
        return sorted(set(files.read(path).decode("utf-8", "replace").split()))
    except FileNotFoundError:
        return []
