"""What the exporter itself knows, where Prometheus is unreachable or has nothing of this host.

The report's process measures once, as ``mailserver-exporter check`` does, and remembers nothing. No mail is sent
around, nobody outside of the host is asked and no long log is read for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from mailserver_exporter.app import Setup, build
from mailserver_exporter.collectors import COLLECTORS
from mailserver_exporter.config import Config
from mailserver_exporter.finding import Finding
from mailserver_exporter.host import Host
from mailserver_exporter.report.gauges import Gauges, Limits, judged
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.model import Action, Cell, Section, State, Table, worst
from mailserver_exporter.report.prometheus import Sample

_COLLECTORS = (
    "cpu",
    "load",
    "memory",
    "filesystem",
    "system",
    "containers",
    "queue",
    "ports",
    "certificates",
    "fail2ban",
    "time",
    "systemd",
)
_NAMES = (
    "node_cpu_seconds_total",
    "node_load5",
    "node_memory_MemAvailable_bytes",
    "node_memory_MemTotal_bytes",
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
    "node_filesystem_free_bytes",
    "node_boot_time_seconds",
    "node_time_seconds",
    "postfix_showq_queue_depth",
    "mailserver_container_state",
    "mailserver_container_health",
    "mailserver_service_up",
    "mailserver_threshold_",
    "probe_success",
    "probe_ssl_earliest_cert_expiry",
)
_WAITING = ("maildrop", "incoming", "active", "deferred")
_ROWS = 20


@dataclass(frozen=True)
class Facts:
    """What was found, and the figures by which it is told; ``unfinished`` are the collectors that took too long."""

    findings: tuple[Finding, ...] = ()
    figures: Gauges = field(default_factory=Gauges)
    now: float = 0.0
    unfinished: tuple[str, ...] = ()


def own_knowledge(config: Config, host: Host, seconds: float = 8.0) -> Facts:
    """Measure once, for so many seconds at most, and leave nothing behind."""
    end = time.monotonic() + seconds
    chosen = [collector for collector in COLLECTORS if collector.name in _COLLECTORS]
    setup = build(config, host, chosen, remember=False)
    try:
        text = setup.collection.scrape(seconds / 2)
        while setup.collection.waiting() and time.monotonic() < end - 1:
            time.sleep(0.05)
        if time.monotonic() < end - 0.5:
            text = setup.collection.scrape(end - time.monotonic())
        unfinished = tuple(setup.collection.waiting())
        findings = tuple(_findings(setup, unfinished))
    finally:
        setup.collection.close()
    return Facts(findings, _figures(text), time.time(), unfinished)


def _findings(setup: Setup, unfinished: tuple[str, ...]) -> Iterator[Finding]:
    for state, outcome in setup.collection.status():
        name = state.collector.name
        if not state.watched or name in unfinished:
            continue
        if outcome.error:
            yield Finding(name, "bad", outcome.error, outcome.remedy)
        elif not state.overdue and state.outcome is not None:
            yield from (finding for finding in state.collector.findings() if finding.state == "bad")


def _figures(exposition: bytes) -> Gauges:
    """Return the figures that are told; the others, which may be thousands, are not even parsed."""
    lines = [line for line in exposition.decode().splitlines() if line.startswith(_NAMES)]
    samples = [
        Sample({**sample.labels, "metric": sample.name}, sample.value)
        for family in text_string_to_metric_families("\n".join(lines) + "\n")
        for sample in family.samples
    ]
    return Gauges(tuple(samples))


def show(facts: Facts, say: Language) -> Section:
    """Return what is known now; there is no course and nothing to compare with."""
    rows = list(_rows(facts, say))
    tables = []
    if facts.findings:
        # They are the exporter's own words, as its log and `mailserver-exporter check` have them.
        found = tuple((Cell(finding.subject, "warning"), Cell(finding.detail)) for finding in facts.findings[:_ROWS])
        rest = len(facts.findings) - len(found)
        left_out = say.count(rest, "{number} more", "{number} more") if rest else ""
        tables.append(Table((say("Subject"), say("What is wrong")), found, say("Needs attention"), left_out=left_out))
    if rows:
        tables.append(Table((say("Figure"), say("Now")), tuple(rows), numeric=frozenset((1,))))
    notes = [say("Measured once, when the report was made: without a course and without anything to compare with.")]
    if facts.unfinished:
        notes.append(say("Not ready in time: {names}.", names=", ".join(facts.unfinished)))
    state = worst("good", *(row[1].state for row in rows), "warning" if facts.findings else "")
    summary = say.count(len(facts.findings), "{number} thing needs attention", "{number} things need attention")
    if not facts.findings:
        summary = say("nothing wrong was found") if state == "good" else say("a limit is exceeded")
    return Section(say("What the exporter itself measures"), summary, state, tuple(tables), (), tuple(notes))


def _rows(facts: Facts, say: Language) -> Iterator[tuple[Cell, Cell]]:
    figures = facts.figures
    if load := _load_per_core(figures):
        yield Cell(say("Load per core")), Cell(say.number(load, 2), judged(load, figures.limits("load_per_core")))
    memory = _memory(figures)
    if memory is not None:
        yield Cell(say("Memory")), Cell(say.percent(memory), judged(memory, figures.limits("memory_usage_ratio")))
    filesystems = _filesystems(figures)
    for mountpoint, ratio, limits in filesystems[:_ROWS]:
        yield Cell(mountpoint), Cell(say.percent(ratio), judged(ratio, limits))
    waiting = figures.total("postfix_showq_queue_depth", queue=_WAITING)
    if waiting is not None:
        limits = figures.limits("queue_messages")
        yield Cell(say("Messages in the queue")), Cell(say.number(waiting), judged(waiting, limits))
    ports = [sample.value for sample in figures.matching("probe_success")]
    if ports:
        yield _part(say("Ports that answer"), sum(value > 0 for value in ports), len(ports), say)
    services = [sample.value for sample in figures.matching("mailserver_service_up")]
    if services:
        yield _part(say("Services that run"), sum(value > 0 for value in services), len(services), say)
    containers = [sample.labels["state"] for sample in figures.matching("mailserver_container_state") if sample.value]
    if containers:
        running = sum(state == "running" for state in containers)
        # One that has done its work is stopped, and well.
        yield Cell(say("Containers that run")), Cell(say("{part} of {all}", part=running, all=len(containers)))
    ends = figures.by("target", "probe_ssl_earliest_cert_expiry")
    if ends:
        left = min(ends.values()) - facts.now
        limits = figures.limits("certificate_remaining_seconds")
        yield Cell(say("Certificates last for")), Cell(say.duration(left), judged(left, limits, falling=True))
    boot = figures.value("node_boot_time_seconds")
    if boot is not None:
        yield Cell(say("Up for")), Cell(say.duration(facts.now - boot))


def _part(title: str, part: int, whole: int, say: Language) -> tuple[Cell, Cell]:
    state: State = "good" if part == whole else "critical"
    return Cell(title), Cell(say("{part} of {all}", part=part, all=whole), state)


def _load_per_core(figures: Gauges) -> float | None:
    load = figures.value("node_load5")
    cores = len(figures.by("cpu", "node_cpu_seconds_total", mode="idle"))
    return load / cores if load is not None and cores else None


def _memory(figures: Gauges) -> float | None:
    free, total = (figures.value(f"node_memory_{name}_bytes") for name in ("MemAvailable", "MemTotal"))
    return 1 - free / total if free is not None and total else None


def _filesystems(figures: Gauges) -> list[tuple[str, float, Limits]]:
    """Return (mountpoint, used ratio as df(1) counts, limits), the fullest first."""
    size, free, available = (
        figures.by("mountpoint", f"node_filesystem_{name}_bytes") for name in ("size", "free", "avail")
    )
    found = [
        (name, 1 - available[name] / whole, figures.limits("filesystem_usage_ratio", mountpoint=name))
        for name in size
        if name in free and name in available and (whole := size[name] - free[name] + available[name]) > 0
    ]
    return sorted(found, key=lambda each: (-each[1], each[0]))


def advise(facts: Facts, say: Language) -> Iterator[Action]:
    """Yield what mends what was found, where it is known, and how to look for the rest."""
    for finding in facts.findings[:5]:
        text = say("{subject}: {detail}", subject=finding.subject, detail=finding.detail)
        yield Action("warning", text, finding.remedy, "found-by-the-exporter-itself", about=(finding.subject,))
    full = [each for each in _filesystems(facts.figures) if judged(each[1], each[2]) in ("warning", "critical")]
    if full:
        names = ", ".join(f"{mountpoint} ({say.percent(ratio)})" for mountpoint, ratio, _ in full[:5])
        severity = worst(*(judged(ratio, limits) for _, ratio, limits in full))
        text = say("Fuller than its limit: {names}.", names=names)
        yield Action(severity, text, "df -h", "filesystem-over-its-limit", about=tuple(name for name, _, _ in full))
    silent = [s.labels.get("target", "") for s in facts.figures.matching("probe_success") if s.value == 0]
    if silent:
        text = say("Does not answer: {names}.", names=", ".join(silent[:8]))
        yield Action(
            "critical", text, "systemctl status postfix dovecot; docker ps -a", "services-down", about=tuple(silent)
        )
