"""What to do about the host."""

from __future__ import annotations

from collections.abc import Iterator

from mailserver_exporter.report import course
from mailserver_exporter.report.compared import listed
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.model import Action
from mailserver_exporter.report.sections.host_facts import Facts

HOUR = 3600.0
_GROWN = 0.1
_GROWN_TO = 0.6
_IO_STALLED = 0.1
_TIGHT = 0.9


def advise(facts: Facts, say: Language) -> Iterator[Action]:
    """Yield what to do about the host: one thing for each of memory, CPU and disk, and a reboot."""
    yield from _advise_memory(facts, say)
    busy = facts.cpu is not None and facts.cpu.over_seconds >= HOUR
    if facts.cpu and busy:
        yield Action(
            "warning",
            say(
                "The CPU was over {limit} busy for {time}, most by {programs}: "
                "see what that does, or take a larger machine.",
                limit=say.percent(course.bound(facts.cpu.limits)),
                time=say.duration(facts.cpu.over_seconds),
                programs=_most(facts, 0, say),
            ),
            "top -b -n1 -o %CPU | head -20",
            "cpu-over-its-limit-for-an-hour",
        )
    waiting = facts.io_stalled is not None and facts.io_stalled >= _IO_STALLED
    long = facts.load is not None and facts.load.over_seconds >= HOUR
    if facts.load and not busy and (waiting or long):
        yield Action(
            "warning" if waiting else "info",
            say(
                "The load was up to {load} per core while the CPU was not busy, so processes wait for the disk: "
                "see which, and move backups and index runs to a quiet hour.",
                load=say.number(facts.load.highest, 2),
            ),
            "iostat -x 1 3; ps -eo state,pid,cmd | grep '^D'",
            "processes-wait-for-the-disk",
        )
    if facts.boots:
        yield Action(
            "info",
            say("The host was booted at {time}: if nobody did so, see why.", time=say.moment(facts.boots[-1])),
            "last -x reboot shutdown | head; journalctl -b -1 -n 50",
            "host-booted",
        )


def _advise_memory(facts: Facts, say: Language) -> Iterator[Action]:
    memory = facts.memory
    command = "ps -eo rss,pid,cmd --sort=-rss | head -15"
    if facts.oom_kills:
        # With swap there is time to see what grows.
        hint = (
            say("add 2 GB of swap, or memory")
            if facts.swap_bytes == 0
            else say("add memory, or switch off the largest")
        )
        text = say(
            "{killed} Most is used by {programs}: {hint}.",
            killed=killed(facts, say),
            programs=_most(facts, 1, say),
            hint=hint,
        )
        yield Action(
            "warning", text, "journalctl -k | grep -i 'killed process' | tail", "processes-killed-for-want-of-memory"
        )
    elif memory and memory.over_seconds >= HOUR:
        text = say(
            "More than {limit} of the memory was used for {time}, most by {programs}: "
            "restart what has grown, or add memory.",
            limit=say.percent(course.bound(memory.limits)),
            time=say.duration(memory.over_seconds),
            programs=_most(facts, 1, say),
        )
        yield Action("warning", text, command, "memory-over-its-limit-for-an-hour")
    elif memory and facts.swap_bytes == 0 and memory.highest is not None and memory.highest >= _TIGHT:
        text = say(
            "Up to {ratio} of the memory was used and there is no swap: 2 GB of it help over a peak.",
            ratio=say.percent(memory.highest),
        )
        yield Action(
            "info",
            text,
            "fallocate -l 2G /swapfile && chmod 600 /swapfile && mkswap /swapfile && swapon /swapfile",
            "memory-tight-without-swap",
        )
    elif memory and memory.mean.now is not None and memory.mean.week_before is not None:
        grown = memory.mean.now - memory.mean.week_before
        if grown >= _GROWN and memory.mean.now >= _GROWN_TO:
            text = say(
                "Memory in use has grown from {before} to {now} within a week, most is used by {programs}: "
                "see whether it goes on.",
                before=say.percent(memory.mean.week_before),
                now=say.percent(memory.mean.now),
                programs=_most(facts, 1, say),
            )
            yield Action("info", text, command, "memory-grown-by-a-tenth-within-a-week")


def _most(facts: Facts, column: int, say: Language) -> str:
    used = {name: values[column] for name, values in facts.programs.items() if values[column]}
    names = sorted(used, key=lambda name: (-used[name], name))[:2]
    shown = [f"{name} ({say.percent(used[name]) if column == 0 else say.bytes(used[name])})" for name in names]
    return listed(shown, say) or say("unknown programs")


def killed(facts: Facts, say: Language) -> str:
    """Say how many processes the kernel has killed."""
    return say.count(
        facts.oom_kills,
        "The kernel killed {number} process for want of memory.",
        "The kernel killed {number} processes for want of memory.",
    )
