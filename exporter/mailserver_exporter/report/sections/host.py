"""The host: CPU, memory, swap and load, what used most of them, and whether it was rebooted."""

from __future__ import annotations

from collections.abc import Iterator

from mailserver_exporter.report import course
from mailserver_exporter.report.gauges import judged
from mailserver_exporter.report.language import NONE, Language, marked
from mailserver_exporter.report.model import Cell, Chart, Limit, Section, State, Table, worst
from mailserver_exporter.report.sections.host_advice import advise, killed
from mailserver_exporter.report.sections.host_facts import Facts, Figure, measure

__all__ = ["Facts", "advise", "measure", "show"]

_STALLED = 0.05
_ROWS = (
    ("cpu", marked("CPU")),
    ("memory", marked("Memory")),
    ("swap", marked("Swap")),
    ("load", marked("Load per core")),
)


def show(facts: Facts, say: Language) -> Section:
    """Return the host for the reader."""
    figures = [(name, text, figure) for name, text in _ROWS if (figure := getattr(facts, name))]
    now: list[State] = [judged(figure.now, figure.limits) for _, _, figure in figures]
    state = worst(*now, "" if facts.old else "good", "info" if facts.boots or facts.oom_kills else "")
    if facts.oom_kills:
        state = worst(state, "warning")
    tables = [
        Table(
            (say("Use"), say("Now"), say("Mean"), say("Day before"), say("Week before"), say("Highest")),
            tuple(_row(name, say(text), figure, say) for name, text, figure in figures),
            numeric=frozenset(range(1, 6)),
        )
    ]
    if facts.programs:
        tables.append(_programs(facts, say))
    return Section(
        say("Host"), _summary(facts, say), state, tuple(tables), tuple(_charts(facts, say)), _notes(facts, say)
    )


def _value(name: str, value: float | None, say: Language) -> str:
    return say.number(value, 2) if name == "load" else say.percent(value)


def _row(name: str, text: str, figure: Figure, say: Language) -> tuple[Cell, ...]:
    mean = figure.mean
    when = f" ({say.moment(figure.highest_at)})" if figure.highest_at else ""
    return (
        Cell(text),
        Cell(_value(name, figure.now, say), judged(figure.now, figure.limits)),
        Cell(_value(name, mean.now, say), judged(mean.now, figure.limits)),
        Cell(_value(name, mean.day_before, say)),
        Cell(_value(name, mean.week_before, say)),
        Cell(_value(name, figure.highest, say) + when, judged(figure.highest, figure.limits)),
    )


def _summary(facts: Facts, say: Language) -> str:
    parts = []
    if facts.cpu:
        parts.append(say("CPU {ratio}", ratio=say.percent(facts.cpu.mean.now)))
    if facts.memory:
        parts.append(say("memory {ratio}", ratio=say.percent(facts.memory.mean.now)))
    if facts.load:
        parts.append(say("load {load} per core", load=say.number(facts.load.mean.now, 2)))
    text = say("{parts} on average", parts=", ".join(parts)) if parts else say("not measured")
    if facts.up_since:
        text = say("{text}; up for {time}", text=text, time=say.duration(facts.end - facts.up_since))
    return text


def _programs(facts: Facts, say: Language) -> Table:
    by_memory = sorted(facts.programs.items(), key=lambda item: (-item[1][1], item[0]))
    rows = [
        (Cell(name), Cell(say.percent(cpus) if cpus else NONE), Cell(say.bytes(size) if size else NONE))
        for name, (cpus, size) in by_memory
    ]
    return Table(
        (say("Program"), say("CPU (100% is a core)"), say("Memory")),
        tuple(rows),
        say("What used most, on average"),
        frozenset((1, 2)),
    )


def _charts(facts: Facts, say: Language) -> Iterator[Chart]:
    texts = {"cpu": say("CPU"), "memory": say("Memory"), "load": say("Load per core")}
    for name, title in texts.items():
        figure: Figure | None = getattr(facts, name)
        if not figure:
            continue
        description = say(
            "{what}: on average {mean}, at most {highest}.",
            what=title,
            mean=_value(name, figure.mean.now, say),
            highest=_value(name, figure.highest, say),
        )
        yield Chart(
            f"host-{name}",
            title,
            "count" if name == "load" else "ratio",
            course.lines(say("this day"), figure.course, figure.before, say),
            facts.step,
            tuple(Limit(severity, limit) for severity, limit in figure.limits.items()),
            description,
        )


def _notes(facts: Facts, say: Language) -> tuple[str, ...]:
    notes = []
    if facts.old:
        notes.append(say("The host was not measured any more when the period ended."))
    if facts.boots:
        notes.append(say("Booted at {times}.", times=", ".join(say.moment(boot) for boot in facts.boots)))
    for name, text in (("cpu", say("CPU")), ("memory", say("Memory")), ("load", say("Load per core"))):
        figure: Figure | None = getattr(facts, name)
        if figure and figure.over_seconds:
            limit = _value(name, course.bound(figure.limits), say)
            notes.append(
                say(
                    "{what} was above {limit} for {time}.",
                    what=text,
                    limit=limit,
                    time=say.duration(figure.over_seconds),
                )
            )
    if facts.oom_kills:
        notes.append(killed(facts, say))
    for what, stalled in ((say("the disk"), facts.io_stalled), (say("memory"), facts.memory_stalled)):
        if stalled is not None and stalled >= _STALLED:
            notes.append(
                say("All work stood still for {what} {ratio} of the time.", what=what, ratio=say.percent(stalled))
            )
    return tuple(notes)
