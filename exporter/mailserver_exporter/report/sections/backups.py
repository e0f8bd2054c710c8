"""Backups: how old and how large each newest one is, and whether one could restore from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from shlex import quote

from mailserver_exporter.report.compared import listed
from mailserver_exporter.report.gauges import Gauges, Limits, gauges, judged
from mailserver_exporter.report.language import NONE, Language
from mailserver_exporter.report.model import Action, Cell, Section, State, Table, worst
from mailserver_exporter.report.prometheus import Prometheus

_BACKUP = "mailserver_backup_"
_METRICS = (
    *("available", "kept", "last_timestamp_seconds", "last_size_bytes", "median_size_bytes", "readable"),
    *("part_present", "last_failure_timestamp_seconds", "last_success_timestamp_seconds"),
    *("last_copy_timestamp_seconds", "last_restore_rehearsal_timestamp_seconds"),
)
_LIMITS = ("backup_age_seconds", "backup_size_ratio", "backup_copy_age_seconds", "backup_rehearsal_age_seconds")
_ROWS = 15


@dataclass(frozen=True)
class Backup:
    """One set; ages in seconds at the end of the period, None for never."""

    name: str
    present: bool
    kept: float | None
    age: float | None
    size: float | None
    usual_size: float | None
    copy_age: float | None
    rehearsal_age: float | None
    readable: bool
    missing_parts: tuple[str, ...]
    failed: bool
    age_limits: Limits
    size_limits: Limits
    copy_limits: Limits
    rehearsal_limits: Limits

    @property
    def ratio(self) -> float | None:
        """Its size divided by the usual one."""
        return self.size / self.usual_size if self.size is not None and self.usual_size else None

    @property
    def problem(self) -> tuple[str, State]:
        """What is wrong with the newest one, by the name of the rule: the worst, since the others follow from it."""
        old = judged(self.age, self.age_limits)
        small = judged(self.ratio, self.size_limits, falling=True)
        for rule, state in (
            ("backup-missing", "warning" if not self.present else ""),
            ("backup-unreadable", "warning" if not self.readable else ""),
            ("backup-failed", (old or "warning") if self.failed else ""),
            ("backup-old", old),
            ("backup-incomplete", "warning" if self.missing_parts else ""),
            ("backup-small", small),
        ):
            if state:
                return rule, state  # type: ignore[return-value] # of literals each
        return "", ""

    @property
    def copy_state(self) -> State:
        """How old the newest copy elsewhere is; never is older than any limit."""
        age = float("inf") if self.copy_age is None else self.copy_age
        return judged(age, self.copy_limits)

    @property
    def rehearsal_state(self) -> State:
        """How long ago a restore was rehearsed; never is longer than any limit."""
        age = float("inf") if self.rehearsal_age is None else self.rehearsal_age
        return judged(age, self.rehearsal_limits)


@dataclass(frozen=True)
class Facts:
    """All sets by their names."""

    backups: tuple[Backup, ...]
    old: bool = False


def measure(prometheus: Prometheus) -> Facts | None:
    """Return the backups, None where none is watched. Raises PrometheusError."""
    found = gauges(prometheus, [_BACKUP + name for name in _METRICS], _LIMITS)
    # One that was only reported, and failed, has but the times of the reports.
    names = {sample.labels.get("name", "") for sample in found.samples}
    if not names:
        return None
    now = prometheus.period.end.timestamp()
    return Facts(tuple(_backup(found, name, now) for name in sorted(names)), found.old)


def _backup(found: Gauges, name: str, now: float) -> Backup:
    def value(metric: str) -> float | None:
        return found.value(_BACKUP + metric, name=name)

    def age(metric: str) -> float | None:
        # 0 stands for never.
        when = value(f"{metric}_timestamp_seconds")
        return now - when if when else None

    failed, succeeded = value("last_failure_timestamp_seconds") or 0, value("last_success_timestamp_seconds") or 0
    return Backup(
        name,
        value("available") != 0 and value("kept") != 0,
        value("kept"),
        age("last"),
        value("last_size_bytes"),
        value("median_size_bytes"),
        age("last_copy"),
        age("last_restore_rehearsal"),
        value("readable") != 0,
        tuple(part for part, there in found.by("part", f"{_BACKUP}part_present", name=name).items() if not there),
        failed > max(succeeded, value("last_timestamp_seconds") or 0),
        *(found.limits(limit, name=name) for limit in _LIMITS),
    )


def show(facts: Facts, say: Language) -> Section:
    """Return the backups for the reader."""
    words = {
        "backup-missing": say("there is none"),
        "backup-unreadable": say("cannot be read"),
        "backup-failed": say("the last one failed"),
        "backup-old": say("too old"),
        "backup-incomplete": say("parts are missing"),
        "backup-small": say("too small"),
    }
    ordered = sorted(facts.backups, key=lambda each: (-_GRAVITY.index(each.problem[1]), each.name))
    rows = []
    for each in ordered[:_ROWS]:
        rule, state = each.problem
        rows.append(
            (
                Cell(each.name),
                Cell(say.duration(each.age), judged(each.age, each.age_limits)),
                Cell(say.bytes(each.size)),
                Cell(say.percent(each.ratio), judged(each.ratio, each.size_limits, falling=True)),
                Cell(say.number(each.kept)),
                Cell(_ago(each.copy_age, say), each.copy_state),
                Cell(_ago(each.rehearsal_age, say), each.rehearsal_state),
                Cell(words.get(rule, say("good")), state or "good"),
            )
        )
    table = Table(
        (
            *(say("Backup"), say("Age"), say("Size"), say("Of the usual"), say("Kept"), say("Copied")),
            *(say("Rehearsed"), say("State")),
        ),
        tuple(rows),
        numeric=frozenset(range(1, 7)),
        left_out=say("{number} others", number=len(ordered) - _ROWS) if len(ordered) > _ROWS else "",
    )
    bad = [each for each in ordered if each.problem[0]]
    ages = [each.age for each in facts.backups if each.age is not None]
    summary = say.count(len(ordered), "{number} backup is good", "{number} backups are good")
    if ages:
        summary += ", " + say("the oldest was made {age} ago", age=say.duration(max(ages)))
    if bad:
        summary = listed([f"{each.name}: {words[each.problem[0]]}" for each in bad], say, 3)
    copies: State = worst(*(each.copy_state for each in facts.backups))
    state = worst(*(each.problem[1] for each in facts.backups), copies, "good")
    notes = (say("Not measured any more when the period ended; this was found last."),) if facts.old else ()
    return Section(say("Backups"), summary, state, (table,), notes=notes)


def _ago(age: float | None, say: Language) -> str:
    return NONE if age is None else say("{age} ago", age=say.duration(age))


_GRAVITY: tuple[State, ...] = ("", "good", "info", "warning", "critical")


def advise(facts: Facts, say: Language) -> Iterator[Action]:
    """Yield what to do about each backup, then about copies and rehearsals of all together."""
    for each in facts.backups:
        rule, state = each.problem
        log = "journalctl -u 'mailserver-backup@*' --since -3d | tail -50"
        if rule == "backup-missing":
            text = say("There is no backup {name}: see whether its disk is mounted.", name=each.name)
            yield Action(state, text, "mailserver-exporter check | grep backup; findmnt", rule)
        elif rule == "backup-unreadable":
            text = say("The newest backup {name} is damaged: make a new one, and look at the disk.", name=each.name)
            yield Action(state, text, "mailserver-exporter check | grep backup; df -h", rule)
        elif rule == "backup-failed":
            text = say("The last backup {name} failed: see what it said.", name=each.name)
            yield Action(state, text, log, rule)
        elif rule == "backup-old":
            text = say(
                "The newest backup {name} is {age} old: see whether its timer runs, and make one now.",
                name=each.name,
                age=say.duration(each.age),
            )
            yield Action(state, text, f"systemctl list-timers 'mailserver-backup*'; {log}", rule)
        elif rule == "backup-incomplete":
            parts = listed(each.missing_parts, say)
            text = say("The newest backup {name} lacks {parts}: see why.", name=each.name, parts=parts)
            yield Action(state, text, log, rule)
        elif rule == "backup-small":
            text = say(
                "The newest backup {name} has only {ratio} of the usual size: see what it lacks.",
                name=each.name,
                ratio=say.percent(each.ratio),
            )
            yield Action(state, text, log, rule)
    # Where the backup itself is old or missing, so is its copy.
    sound = [each for each in facts.backups if each.problem[0] not in ("backup-missing", "backup-old", "backup-failed")]
    late = [each for each in sound if each.copy_state]
    if late:
        yield Action(
            worst(*(each.copy_state for each in late)),
            say(
                "No recent copy on another machine of {names}: if this one is lost, so are its backups.",
                names=listed([each.name for each in late], say),
            ),
            f"mailserver-backup {quote(late[0].name)}",
            "backup-copy-old",
        )
    elif sound and not any(each.copy_age is not None or each.copy_limits for each in facts.backups):
        yield Action(
            "info",
            say("No copy of the backups on another machine is known: make one, or tell of it with backup-mark."),
            f"mailserver-exporter backup-mark {quote(sound[0].name)} --copied",
            "backup-without-copy",
        )
    untried = [each for each in sound if each.rehearsal_state]
    if untried:
        yield Action(
            worst(*(each.rehearsal_state for each in untried)),
            say(
                "Restoring {names} was never rehearsed, or long ago: do so on a quiet day.",
                names=listed([each.name for each in untried], say),
            ),
            f"mailserver-backup rehearse {quote(untried[0].name)}",
            "restore-not-rehearsed",
        )
