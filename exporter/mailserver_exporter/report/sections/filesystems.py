"""The file systems: how full they are, how full they were, and when they will be full."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

from mailserver_exporter.report import course, pace
from mailserver_exporter.report.gauges import Limits, gauges, judged
from mailserver_exporter.report.language import NONE, Language
from mailserver_exporter.report.model import Action, Cell, Chart, Limit, Line, Section, State, Table, worst
from mailserver_exporter.report.prometheus import DAY, Compared, Prometheus

# As rules/filesystem.rules.yml counts: as df(1), what is reserved for root is not there for mail.
_RATIO = (
    "max by (mountpoint) (1 - node_filesystem_avail_bytes{$host}AT / (node_filesystem_size_bytes{$host}AT"
    " - node_filesystem_free_bytes{$host}AT + node_filesystem_avail_bytes{$host}AT))"
)
_MOST_LEFT = "max by (mountpoint) (max_over_time(node_filesystem_avail_bytes{$host}[86399999ms]))"
_SIZE, _FREE, _AVAIL = (f"node_filesystem_{what}_bytes" for what in ("size", "free", "avail"))
_FILES, _FILES_FREE = "node_filesystem_files", "node_filesystem_files_free"
_READONLY, _ERROR = "node_filesystem_readonly", "node_filesystem_device_error"
_PRESENT = "mailserver_filesystem_present"

_UNKNOWN = Compared(None, None, None)
_DAYS = 7
_PART = 3 * 3600.0
_CHARTED = 5
_SOON_DAYS = 14.0
_YEAR_DAYS = 365.0
_ROWS = 15
_ACTIONS = 5


@dataclass(frozen=True)
class Filesystem:
    """One of them, in bytes, ratios of 0 to 1 and days; ``fault`` is missing, silent, read-only or nothing."""

    mountpoint: str
    size: float | None = None
    available: float | None = None
    usage: Compared = _UNKNOWN
    inodes: float | None = None
    limits: Limits = field(default_factory=dict)
    days: float | None = None
    fault: str = ""

    @property
    def full_soon(self) -> bool:
        """Whether it needs room soon; what has no limit, such as a CD, is full and may be."""
        return self.days is not None and self.days < _SOON_DAYS and bool(self.limits)

    @property
    def state(self) -> State:
        """How it is by its limits and by its pace."""
        if self.fault:
            return "critical"
        soon: State = "warning" if self.full_soon else ""
        return worst("good", judged(self.usage.now, self.limits), judged(self.inodes, self.limits), soon)


@dataclass(frozen=True)
class Facts:
    """All of them, those that need attention first; ``courses`` are the ratios of the fullest."""

    filesystems: tuple[Filesystem, ...]
    courses: tuple[Line, ...] = ()
    step: float = 300.0
    old: bool = False


def measure(prometheus: Prometheus) -> Facts | None:
    """Return what is known of them, None where none is watched. Raises PrometheusError."""
    found = gauges(
        prometheus,
        [_SIZE, _FREE, _AVAIL, _FILES, _FILES_FREE, _READONLY, _ERROR, _PRESENT],
        ["filesystem_usage_ratio"],
    )
    sizes, available = found.by("mountpoint", _SIZE), found.by("mountpoint", _AVAIL)
    files, files_free = found.by("mountpoint", _FILES), found.by("mountpoint", _FILES_FREE)
    present, errors = found.by("mountpoint", _PRESENT), found.by("mountpoint", _ERROR)
    readonly = found.by("mountpoint", _READONLY)
    names = {**sizes, **present, **errors}
    if not names:
        return None
    usage = prometheus.compared_by(_RATIO.replace("AT", ""), "mountpoint")
    left = {
        series.labels.get("mountpoint", ""): series.points
        for series in prometheus.matrix(_MOST_LEFT, DAY, length=_DAYS * DAY)
    }

    today = {
        series.labels.get("mountpoint", ""): series.points
        for series in prometheus.matrix(f"max by (mountpoint) ({_AVAIL}{{$host}})", _PART, length=DAY)
    }

    def one(name: str) -> Filesystem:
        fault = ""
        # Only what has worked before, or was once mounted for writing, is broken when it is not so now.
        if present.get(name) == 0:
            fault = "missing"
        elif name in present and errors.get(name):
            fault = "silent"
        elif name in present and readonly.get(name):
            fault = "read-only"
        return Filesystem(
            name,
            sizes.get(name),
            available.get(name),
            usage.get((name,), _UNKNOWN),
            1 - files_free.get(name, 0.0) / files[name] if files.get(name) else None,
            found.limits("filesystem_usage_ratio", mountpoint=name),
            _days_left(available.get(name), left.get(name, ()), today.get(name, ())),
            fault,
        )

    return Facts(
        tuple(sorted((one(name) for name in names), key=_gravity)),
        _courses(prometheus),
        course.step(prometheus.period),
        found.old,
    )


def _days_left(available: float | None, week: course.Points, today: course.Points) -> float | None:
    usual = pace.per_day(week)
    return pace.days_left(available, pace.taken(usual, pace.today_per_day(today), available))


def _courses(prometheus: Prometheus) -> tuple[Line, ...]:
    query = f"{_RATIO.replace('AT', '')} and on (mountpoint) topk({_CHARTED}, {_RATIO.replace('AT', ' @ end()')})"
    found = prometheus.matrix(query, course.step(prometheus.period))
    lines = [Line(series.labels.get("mountpoint", ""), series.points) for series in found]
    return tuple(sorted(lines, key=lambda line: (-line.points[-1][1], line.label)))


def _gravity(filesystem: Filesystem) -> tuple[bool, bool, float, float, str]:
    state = filesystem.state
    days = filesystem.days if filesystem.days is not None and state != "good" else float("inf")
    return (state != "critical", state != "warning", days, -(filesystem.usage.now or 0.0), filesystem.mountpoint)


def show(facts: Facts, say: Language) -> Section:
    """Return the file systems for the reader; of many those that need attention and the fullest."""
    shown = facts.filesystems[:_ROWS]
    rest = len(facts.filesystems) - len(shown)
    table = Table(
        (
            say("File system"),
            say("Used"),
            say("Day before"),
            say("Week before"),
            say("Free"),
            say("Full"),
            say("Inodes used"),
        ),
        tuple(_row(filesystem, say) for filesystem in shown),
        numeric=frozenset(range(1, 7)),
        left_out=say("{number} more, less full", number=rest) if rest else "",
    )
    state = worst(*(filesystem.state for filesystem in facts.filesystems))
    old = (say("The file systems were not measured any more when the period ended."),) if facts.old else ()
    charts = (_chart(facts, say),) if facts.courses else ()
    return Section(say("File systems"), _summary(facts, say), "" if facts.old else state, (table,), charts, old)


def _summary(facts: Facts, say: Language) -> str:
    broken = sum(bool(filesystem.fault) for filesystem in facts.filesystems)
    fullest = max(facts.filesystems, key=lambda filesystem: filesystem.usage.now or 0.0)
    days = [filesystem for filesystem in facts.filesystems if filesystem.days is not None]
    text = say(
        "{mountpoint} is the fullest: {ratio}", mountpoint=fullest.mountpoint, ratio=say.percent(fullest.usage.now)
    )
    if days:
        first = min(days, key=lambda filesystem: filesystem.days or 0.0)
        if (first.days or 0.0) < _YEAR_DAYS:
            text = say(
                "{text}; at its pace {mountpoint} is full {days}",
                text=text,
                mountpoint=first.mountpoint,
                days=_days(first.days, say),
            )
    if broken:
        text = say.count(broken, "{number} does not work; {text}", "{number} do not work; {text}", text=text)
    return text


def _row(filesystem: Filesystem, say: Language) -> tuple[Cell, ...]:
    usage = filesystem.usage
    faults = {"missing": say("not mounted"), "silent": say("does not answer"), "read-only": say("read-only")}
    name = filesystem.mountpoint
    free = say("{free} of {size}", free=say.bytes(filesystem.available), size=say.bytes(filesystem.size))
    return (
        Cell(f"{name} ({faults[filesystem.fault]})" if filesystem.fault else name, filesystem.state),
        Cell(say.percent(usage.now, 1), judged(usage.now, filesystem.limits)),
        Cell(say.percent(usage.day_before, 1)),
        Cell(say.percent(usage.week_before, 1)),
        Cell(free if filesystem.size is not None else NONE),
        Cell(_days(filesystem.days, say), "warning" if filesystem.full_soon else ""),
        Cell(say.percent(filesystem.inodes), judged(filesystem.inodes, filesystem.limits)),
    )


def _days(days: float | None, say: Language) -> str:
    if days is None:
        return NONE
    if days >= _YEAR_DAYS:
        return say("in over a year")
    return say.count(round(days), "in {number} day", "in {number} days") if days >= 1 else say("within a day")


def _chart(facts: Facts, say: Language) -> Chart:
    # Lines across the chart are true only where all have the same limits.
    charted = [each for each in facts.filesystems if each.mountpoint in {line.label for line in facts.courses}]
    limits = charted[0].limits if charted and all(each.limits == charted[0].limits for each in charted) else {}
    return Chart(
        "filesystems",
        say("The fullest file systems"),
        "ratio",
        facts.courses,
        facts.step,
        tuple(Limit(severity, value) for severity, value in limits.items()),
        ", ".join(f"{line.label}: {say.percent(line.points[-1][1])}" for line in facts.courses),
    )


def advise(facts: Facts, say: Language) -> Iterator[Action]:
    """Yield one thing to do for each that needs it, the gravest of its reasons; beyond five one for all others."""
    actions = [action for filesystem in facts.filesystems if (action := _advised(filesystem, say))]
    actions.sort(key=lambda action: action.severity != "critical")
    yield from actions[:_ACTIONS]
    if len(actions) > _ACTIONS:
        rest = actions[_ACTIONS:]
        text = say.count(
            len(rest),
            "{number} more file system needs attention, see the table.",
            "{number} more file systems need attention, see the table.",
        )
        about = tuple(name for action in rest for name in action.about)
        yield Action(rest[0].severity, text, "df -h", "more-filesystems-need-attention", about=about)


def _advised(filesystem: Filesystem, say: Language) -> Action | None:
    name = filesystem.mountpoint
    quoted = shlex.quote(name)
    du = f"du -xh -d2 {quoted} | sort -h | tail -20"

    def action(severity: State, text: str, command: str, rule: str) -> Action:
        return Action(severity, text, command, rule, about=(name,))

    if filesystem.fault == "missing":
        text = say("{mountpoint} is not mounted: mount it before a service writes below it.", mountpoint=name)
        return action("critical", text, f"mount {quoted}", "filesystem-missing")
    if filesystem.fault == "silent":
        text = say("{mountpoint} does not answer: see what its disk or its server says.", mountpoint=name)
        return action("critical", text, "dmesg -T | tail -50", "filesystem-silent")
    if filesystem.fault:
        text = say(
            "{mountpoint} has become read-only, so its disk may be failing: see what the kernel says.", mountpoint=name
        )
        return action("critical", text, "dmesg -T | tail -50", "filesystem-read-only")
    usage = filesystem.usage.now
    over = judged(usage, filesystem.limits)
    if over and usage is not None and filesystem.available is not None:
        # What df(1) counts as all of it.
        whole = filesystem.available / (1 - usage) if usage < 1 else (filesystem.size or 0.0)
        limit = course.bound(filesystem.limits) or 0.0
        values = {
            "mountpoint": name,
            "ratio": say.percent(usage),
            "limit": say.percent(limit),
            "size": say.bytes((usage - limit) * whole),
        }
        text = say("{mountpoint} is {ratio} full: free {size} to get below {limit}.", **values)
        if filesystem.full_soon:
            text = say("{text} At this pace it is full {days}.", text=text, days=_days(filesystem.days, say))
        return action(over, text, du, "filesystem-over-its-limit")
    if filesystem.full_soon:
        days = _days(filesystem.days, say)
        text = say("{mountpoint} is full {days} at this pace: see what grows.", mountpoint=name, days=days)
        return action("warning", text, du, "filesystem-full-within-14-days")
    if full := judged(filesystem.inodes, filesystem.limits):
        text = say(
            "{ratio} of the inodes of {mountpoint} are used: find the folder with too many files.",
            mountpoint=name,
            ratio=say.percent(filesystem.inodes),
        )
        return action(full, text, f"du -x --inodes -d3 {quoted} | sort -n | tail -20", "filesystem-inodes-over-limit")
    return None
