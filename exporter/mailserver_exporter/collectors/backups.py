"""Backups: how old and how large the newest is, what it consists of, whether it can be read, and where else it is."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors import backup_sets
from mailserver_exporter.collectors.backup_checks import RESULTS, Checks
from mailserver_exporter.collectors.backup_memory import Memory
from mailserver_exporter.collectors.backup_sets import BackupSet, has_part, named
from mailserver_exporter.collectors.backup_watch import Look, Watch, median
from mailserver_exporter.collectors.base import Collector, Context, Detection, Schedule, thresholds
from mailserver_exporter.finding import Finding, shortened
from mailserver_exporter.settings.limits import BackupAgeLimit, DurationLimit
from mailserver_exporter.sources import SourceError, backup_marks
from mailserver_exporter.sources.backup_marks import Mark

log = logging.getLogger(__name__)

_WAIT_SECONDS = 20.0
# A look may take longer than it is waited for; its result is good for the next rounds.
_LOOK_MAX_AGE = 120.0
_REDETECT_SECONDS = 300.0
_COPY = " (copy)"

_HELP = {
    "available": "Whether the directory of the backups can be read.",
    "kept": "Number of whole backups.",
    "last_timestamp_seconds": "When the newest whole backup was made.",
    "last_size_bytes": "Size of the newest whole backup.",
    "median_size_bytes": "Median size of the last ten whole backups.",
    "readable": "Whether every archive could be read to its end, of the newest backup of which that is known.",
    "last_failure_timestamp_seconds": "When a failure was last reported by backup-mark, 0 for never.",
    "last_success_timestamp_seconds": "When a success was last reported by backup-mark, 0 for never.",
    "last_restore_rehearsal_timestamp_seconds": "When a rehearsed restore was last reported, 0 for never.",
    "last_copy_timestamp_seconds": "When the newest copy elsewhere was made or reported, 0 for never.",
}


@dataclass(frozen=True)
class _Known:
    """All that is known of one name."""

    name: str
    set: BackupSet | None
    look: Look | Exception | None
    copy: Look | Exception | None
    mark: Mark

    @property
    def whole(self) -> Look | None:
        """The look, if it found a whole backup."""
        return self.look if isinstance(self.look, Look) and self.look.whole else None

    @property
    def days(self) -> int:
        """How many days usually lie between two backups."""
        return self.whole.interval_days if self.whole else 1

    @property
    def has_copy(self) -> bool:
        """Whether a copy elsewhere is expected: the configuration names it, or one was reported once."""
        return self.mark.copied > 0 or (self.set is not None and self.set.copy is not None)


class BackupsCollector(Collector):
    """Backups, as `ls -l /srv/backups/configs` shows them, `tar -tf` reads them and `backup-mark` reports them.

    mailserver_backup_available{name="configs"} 1
    mailserver_backup_kept{name="configs"} 30
    mailserver_backup_last_timestamp_seconds{name="configs"} 1769828400
    mailserver_backup_last_size_bytes{name="configs"} 4821300
    mailserver_backup_median_size_bytes{name="configs"} 4819200
    mailserver_backup_part_present{name="configs", part="etc.tar.gz"} 1
    mailserver_backup_readable{name="configs"} 1
    mailserver_backup_check_result{name="configs", result="good"} 1
    mailserver_backup_last_failure_timestamp_seconds{name="configs"} 0
    mailserver_backup_last_success_timestamp_seconds{name="configs"} 1769828402
    mailserver_backup_last_restore_rehearsal_timestamp_seconds{name="configs"} 0
    mailserver_backup_last_copy_timestamp_seconds{name="configs"} 1769828431
    mailserver_threshold_backup_age_seconds{name="configs", severity="warning"} 93600

    A backup that is being written is none yet: it counts once nothing in it has changed for two minutes (an hour while
    a part is missing). Without a whole backup there is no time and no size. The limits of age are for daily backups; of
    those that are usually made every N days they are N times as long, unless an override says what they are.
    """

    name = "backups"
    schedule = Schedule(every=30, deadline=60)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._section = context.config.backups
        self._state_directory = str(context.config.state_directory)
        self._memory = Memory(context.config.state_directory, remember=context.expectations.remember)
        self._memory.load()
        self._checks = Checks(context, self._memory.verdicts)
        self._by_place: dict[str, list[BackupSet]] = {}
        self._detected_at = float("-inf")
        self._watches: dict[str, Watch] = {}
        # What each look came to, and when on the monotonic clock; written by calls that may hang.
        self._looks: dict[str, tuple[float, Look | Exception]] = {}
        self._findings: list[Finding] = []

    def detect(self) -> Detection:
        """Say whether backups are configured, were seen or reported before, or are in one of the usual places."""
        if self._section.sets:
            return Detection(True, ", ".join(self._section.sets))
        known = self.context.expectations.expect("backup", ())
        if known:
            return Detection(True, ", ".join(sorted(known)))
        with contextlib.suppress(OSError):  # collect() tells
            if backup_marks.names(self._state_directory):
                return Detection(True, "reported by backup-mark")
        names = ", ".join(each.name for each in self._detected(0.5))
        return Detection(bool(names), names or "no dated backups in /srv/backups, /backup, /var/backups and the like")

    def collect(self) -> Iterator[Metric]:
        """Look at every directory, send for a check of what is new, and yield all families."""
        marks, broken_marks = backup_marks.read_all(self._state_directory)
        sets = backup_sets.configured(self._section) or self._detected(_WAIT_SECONDS)
        looks = self._look_at(sets)
        by_name = {each.name: each for each in sets}
        names = by_name.keys() | marks.keys()
        if not self._section.sets:
            names |= self.context.expectations.expect("backup", by_name)
        known = [
            _Known(name, by_name.get(name), looks.get(name), looks.get(name + _COPY), marks.get(name, Mark()))
            for name in sorted(names)
        ]
        yield from self._families(known)
        yield from self._thresholds(known)
        self._findings = [Finding("backup mark", "bad", reason, "delete the file") for reason in broken_marks.values()]
        self._findings += [self._finding(each) for each in known]
        self._checks.send_next({each.name: each.whole for each in known if each.whole})
        records = {name: watch.remembered() for name, watch in self._watches.items()}
        self._memory.save(records, self._checks.remembered())

    def findings(self) -> Iterable[Finding]:
        """Say of each backup what was found."""
        return self._findings

    # Which there are

    def _detected(self, seconds: float) -> list[BackupSet]:
        """Return what is in the usual places; one whose disk hangs keeps what it had."""
        if time.monotonic() - self._detected_at > _REDETECT_SECONDS:
            self._detected_at = time.monotonic()
            calls = {("backups in", place): partial(self._look_in, place) for place in backup_sets.PLACES}
            self.context.hanging_calls.run(calls, seconds)
        found = [each for place in backup_sets.PLACES for each in self._by_place.get(place, ())]
        return backup_sets.distinct(found)

    def _look_in(self, place: str) -> None:
        """Note the sets of a place; those that have gone are still looked for where they were."""
        found = backup_sets.in_place(self.context.host, place)
        new = {(each.name, each.path) for each in found}
        old = [each for each in self._by_place.get(place, ()) if (each.name, each.path) not in new]
        self._by_place[place] = [*old, *found]

    # What they are like

    def _look_at(self, sets: list[BackupSet]) -> dict[str, Look | Exception]:
        """Look at all directories at once and wait a while; one that hangs is told as an exception."""
        wanted = [*sets, *(replace(s, name=s.name + _COPY, path=s.copy) for s in sets if s.copy is not None)]
        watches = {}
        for each in wanted:
            watch = self._watches.get(each.name)
            if watch is None or watch.set != each:
                watch = Watch(each, self._memory.records.get(each.name, {}), self._section.quiet)
            watches[each.name] = watch
        self._watches = watches
        calls = {("backups", name): partial(self._look, watch) for name, watch in watches.items()}
        self.context.hanging_calls.run(calls, _WAIT_SECONDS)
        hangs = (float("-inf"), TimeoutError("does not answer"))
        oldest = time.monotonic() - _LOOK_MAX_AGE
        newest = {name: self._looks.get(name, hangs) for name in watches}
        return {name: look if when >= oldest else hangs[1] for name, (when, look) in newest.items()}

    def _look(self, watch: Watch) -> None:
        look: Look | Exception
        try:
            look = watch.look(self.context.host.path(watch.set.path), self._parts(watch.set, None), time.time())
        except (OSError, SourceError) as error:
            look = error
        self._looks[watch.set.name] = (time.monotonic(), look)

    def _parts(self, backup_set: BackupSet, look: Look | None) -> list[str]:
        """Return the parts of the configuration, and those that were usual once, which are remembered.

        At first all that were usual lately are taken; later what comes anew, so that what was let go of stays so.
        """
        if not backup_set.learns:
            return list(backup_set.parts)
        begin = backup_set.name.removesuffix(_COPY) + "/"
        known = self._expected_parts(begin, set())
        if look is not None:
            usual = self._watches[backup_set.name].usual_parts(look)
            new = usual & named(backup_set, look.whole[0][1].names) if known else usual
            known = self._expected_parts(begin, {f"{begin}{part}" for part in new})
        return [*backup_set.parts, *sorted(known - backup_set.parts.keys())]

    def _expected_parts(self, begin: str, present: set[str]) -> set[str]:
        known = self.context.expectations.expect("backup_part", present)
        return {part.removeprefix(begin) for part in known if part.startswith(begin)}

    # How it is told

    def _families(self, known: list[_Known]) -> Iterator[Metric]:
        families = {
            name: GaugeMetricFamily(f"mailserver_backup_{name}", text, labels=["name"]) for name, text in _HELP.items()
        }
        parts = GaugeMetricFamily(
            "mailserver_backup_part_present",
            "Whether the newest whole backup has a part that it should have.",
            labels=["name", "part"],
        )
        results = GaugeMetricFamily(
            "mailserver_backup_check_result",
            "1 for what reading the newest whole backup to its end has shown, else 0.",
            labels=["name", "result"],
        )
        for each in known:
            for key, value in self._facts(each):
                families[key].add_metric([each.name], value)
            if each.whole and each.set:
                _, record = each.whole.whole[0]
                for part in self._parts(each.set, each.whole):
                    parts.add_metric([each.name, part], has_part(each.set, record.names, part))
                newest = self._checks.of_newest(each.name, each.whole)
                for result in RESULTS:
                    results.add_metric([each.name, result], newest.result == result)
        yield from (*families.values(), parts, results)

    def _facts(self, known: _Known) -> Iterator[tuple[str, float]]:
        look, mark = known.look, known.mark
        if isinstance(look, Look):
            yield "available", 1
            yield "kept", look.count
        elif known.set is not None or not mark.succeeded:
            yield "available", 0
        if known.whole:
            yield "last_timestamp_seconds", known.whole.whole[0][1].made
            yield "last_size_bytes", known.whole.whole[0][1].size
            yield "median_size_bytes", known.whole.median_size
            verdict = self._checks.verdicts.get(known.name)
            if verdict and verdict.result in ("good", "broken"):
                yield "readable", verdict.result == "good"
        elif known.set is None and mark.succeeded:
            yield "last_timestamp_seconds", mark.succeeded
            if mark.sizes:
                yield "last_size_bytes", mark.sizes[-1]
                yield "median_size_bytes", median(mark.sizes)
        yield "last_failure_timestamp_seconds", mark.failed
        yield "last_success_timestamp_seconds", mark.succeeded
        yield "last_restore_rehearsal_timestamp_seconds", mark.rehearsed
        copy = known.copy.whole[0][1].made if isinstance(known.copy, Look) and known.copy.whole else 0.0
        yield "last_copy_timestamp_seconds", max(copy, mark.copied)

    def _thresholds(self, known: list[_Known]) -> Iterator[Metric]:
        limits = self.context.config.limits
        sizes, rehearsals = limits.backup_size_ratio, limits.backup_rehearsal_age_seconds
        yield thresholds(
            "backup_age_seconds",
            "Limit of the age of the newest backup; of one that is not made daily as many times as long.",
            [({"name": each.name}, _stretched(limits.backup_age_seconds, each)) for each in known],
        )
        yield thresholds(
            "backup_size_ratio",
            "Limit of the newest backup's size divided by the median of the last ten.",
            [({"name": each.name}, sizes.overrides.get(each.name, sizes)) for each in known],
        )
        yield thresholds(
            "backup_copy_age_seconds",
            "Limit of the age of the newest copy elsewhere, where there was one or the configuration names its place.",
            [({"name": e.name}, _stretched(limits.backup_copy_age_seconds, e)) for e in known if e.has_copy],
        )
        yield thresholds(
            "backup_rehearsal_age_seconds",
            "Limit of the time since a restore was rehearsed.",
            [({"name": each.name}, rehearsals.overrides.get(each.name, rehearsals)) for each in known],
        )

    def _finding(self, known: _Known) -> Finding:
        subject, look, mark = f"backup {known.name}", known.look, known.mark
        newest = known.whole.whole[0][1].made if known.whole else 0.0
        if mark.failed > max(mark.succeeded, newest):
            return Finding(subject, "bad", "the newest attempt was reported as failed", "see the log of what makes it")
        if known.set is None:
            if mark.succeeded:
                return Finding(subject, "good", "reported by backup-mark")
            remedy = f"mailserver-exporter forget {known.name}, if it is made no more"
            return Finding(subject, "bad", "not found any more, and never reported", remedy)
        path = known.set.path
        if not isinstance(look, Look):
            reason = look.strerror if isinstance(look, OSError) and look.strerror else look
            remedy = look.remedy if isinstance(look, SourceError) and look.remedy else f"ls -ld {path}"
            return Finding(subject, "bad", f"{path}: {reason}", remedy)
        told = f"{path}: {look.count} whole"
        told += f", {look.unfinished} being written" if look.unfinished else ""
        told += f", {look.in_future} dated in the future and not counted" if look.in_future else ""
        if not look.whole:
            return Finding(subject, "bad", told, f"make one; ls -la {path} shows what is there")
        names = look.whole[0][1].names
        missing = [part for part in self._parts(known.set, look) if not has_part(known.set, names, part)]
        told += f", without {shortened(missing)}" if missing else ""
        verdict = self._checks.of_newest(known.name, look)
        remedy = "apt install zstd" if "program zstd" in verdict.detail else ""
        if verdict.result == "broken" or missing:
            remedy = f"make a new one, and see whether all of it is there: ls -la {path}"
        return Finding(subject, "bad" if remedy else "good", f"{told}, {verdict.result}: {verdict.detail}", remedy)


def _stretched(limit: BackupAgeLimit, known: _Known) -> DurationLimit:
    """Return the limits of a name: its own, or those of a daily backup, longer where it is made less often."""
    own = limit.overrides.get(known.name)
    if own is not None:
        return own
    return DurationLimit(**{severity: value * known.days for severity, value in limit.severities()})
