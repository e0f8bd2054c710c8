"""The containers: those with something to tell one by one, the others as a number."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from heapq import nlargest

from mailserver_exporter.report.language import Language
from mailserver_exporter.report.model import Action, Cell, Section, State, Table, worst
from mailserver_exporter.report.sections.containers_facts import Container, Facts, measure

__all__ = ["Container", "Facts", "advise", "measure", "show"]

_OFTEN = 3
_ROWS = 20
_ACTIONS = 5
_TOP = 5


def state_of(container: Container) -> State:
    """Return how grave what there is to tell of a container is."""
    if container.stopped or container.state == "restarting":
        return "critical"
    if container.unhealthy or container.oom_kills or container.near_limit or container.restarts >= _OFTEN:
        return "warning"
    return "info" if container.notable else "good"


def show(facts: Facts, say: Language) -> Section:
    """Return the containers for the reader."""
    notable = [container for container in facts.containers if container.notable]
    notable.sort(key=lambda container: (_order(container), -container.restarts, container.name))
    shown = notable[:_ROWS]
    rest = len(facts.containers) - len(shown)
    headings = (say("Container"), say("State"), say("Restarts"), say("Killed for memory"), say("Down for"))
    tables = []
    if shown:
        left_out = _left_out(rest, len(notable) - len(shown), say)
        rows = tuple(_row(container, say) for container in shown)
        tables.append(Table(headings, rows, numeric=frozenset((2, 3, 4)), left_out=left_out))
    if facts.memory or facts.cpu:
        tables.append(_top(facts, say))
    state = worst(*(state_of(container) for container in facts.containers))
    if facts.answers is False:
        state = "critical"
    notes = []
    if facts.old_images:
        oldest = max(facts.old_images, key=lambda name: facts.old_images[name])
        notes.append(
            say.count(
                len(facts.old_images),
                "The image of {number} container is older than its limit: {name}, {age}.",
                "The images of {number} containers are older than their limit, the oldest is that of {name}: {age}.",
                name=oldest,
                age=say.duration(facts.old_images[oldest]),
            )
        )
    return Section(say("Containers"), _summary(facts, say), state, tuple(tables), (), tuple(notes))


def _order(container: Container) -> int:
    return ("critical", "warning", "info", "good", "").index(state_of(container))


def _left_out(rest: int, notable: int, say: Language) -> str:
    if notable:
        return say("{number} more, of {trouble} there is something to tell", number=rest, trouble=notable)
    return say.count(rest, "{number} more is well", "{number} more are well") if rest else ""


def _summary(facts: Facts, say: Language) -> str:
    if facts.answers is False:
        return say("Docker does not answer")
    running = sum(container.state == "running" for container in facts.containers)
    restarts = facts.restarts
    return say(
        "{running} of {all} run; restarts: {restarts} (day before {day}, week before {week})",
        running=say.number(running),
        all=say.number(len(facts.containers)),
        restarts=say.number(restarts.now),
        day=say.number(restarts.day_before),
        week=say.number(restarts.week_before),
    )


def _row(container: Container, say: Language) -> tuple[Cell, ...]:
    state = state_of(container)
    # Docker's own words: `docker ps` says the same.
    text = container.state or say("unknown")
    if container.stopped:
        text = say("{state} with {code}", state=text, code=say.number(container.exit_code))
    if container.unhealthy:
        text = f"{text}, unhealthy"
    if container.memory_highest is not None:
        text = say("{state}, up to {ratio} of its memory", state=text, ratio=say.percent(container.memory_highest))
    return (
        Cell(container.name, state),
        Cell(text),
        Cell(say.number(container.restarts) if container.restarts else ""),
        Cell(say.number(container.oom_kills) if container.oom_kills else ""),
        Cell(say.duration(container.down_seconds) if container.down_seconds >= 1 else ""),
    )


def _top(facts: Facts, say: Language) -> Table:
    most = {name for use in (facts.memory, facts.cpu) for name in nlargest(_TOP, use, key=lambda name: use[name])}
    names = sorted(most, key=lambda name: (-facts.memory.get(name, 0.0), name))
    rows = tuple(
        (
            Cell(name),
            Cell(say.bytes(facts.memory.get(name))),
            Cell(say.percent(facts.cpu.get(name))),
        )
        for name in names
    )
    headings = (say("Container"), say("Memory now"), say("CPU (100% is a core)"))
    return Table(headings, rows, say("What used most"), frozenset((1, 2)))


def advise(facts: Facts, say: Language) -> Iterator[Action]:
    """Yield one thing to do for each container that needs it, beyond five one for the rest; and one for old images."""
    if facts.answers is False:
        text = say("Docker does not answer: see why, no container can be started until it does.")
        yield Action("critical", text, "systemctl status docker; journalctl -u docker -n 50", "docker-does-not-answer")
        return
    advised = [(action, each) for each in facts.containers if (action := _advised(each, say))]
    advised.sort(key=lambda pair: (pair[0].severity != "critical", -pair[1].restarts, pair[1].name))
    yield from (action for action, _ in advised[:_ACTIONS])
    if rest := advised[_ACTIONS:]:
        text = say.count(
            len(rest),
            "{number} more container needs attention, see the table.",
            "{number} more containers need attention, see the table.",
        )
        about = tuple(container.name for _, container in rest)
        yield Action(rest[0][0].severity, text, "docker ps -a", "more-containers-need-attention", about=about)
    if facts.old_images:
        command = "docker compose pull && docker compose up -d"
        if facts.stack == "mailcow":
            command = "cd /opt/mailcow-dockerized && ./update.sh"
        text = say.count(
            len(facts.old_images),
            "The image of {number} container is older than its limit, and so are its security updates: "
            "pull a newer one.",
            "The images of {number} containers are older than their limit, and so are their security updates: "
            "pull newer ones.",
        )
        yield Action("info", text, command, "images-older-than-limit", about=tuple(facts.old_images))


def _advised(container: Container, say: Language) -> Action | None:
    name, quoted = container.name, shlex.quote(container.name)

    def action(severity: State, text: str, command: str, rule: str) -> Action:
        return Action(severity, text, command, rule, about=(name,))

    if container.oom_kills:
        limit = container.memory_limit
        hint = (
            say("raise its limit of {size}", size=say.bytes(limit)) if limit else say("see what uses the host's memory")
        )
        text = say.count(
            container.oom_kills,
            "A process of {name} was killed for want of memory: {hint}.",
            "{number} processes of {name} were killed for want of memory: {hint}.",
            name=name,
            hint=hint,
        )
        command = f"docker stats --no-stream {quoted}; journalctl -k | grep -i oom | tail"
        return action("warning", text, command, "container-killed-for-want-of-memory")
    if container.restarts >= _OFTEN or container.state == "restarting":
        text = say.count(
            container.restarts,
            "{name} was restarted once and does not stay up: see what it says before it ends.",
            "{name} was restarted {number} times: see what it says before it ends.",
            name=name,
        )
        severity: State = "critical" if container.state == "restarting" else "warning"
        return action(severity, text, f"docker logs --tail 50 {quoted}", "container-restarted-three-times")
    # Of a service of Compose the services tell.
    if container.stopped and not container.service:
        text = say(
            "{name} has stopped with exit code {code}: see why and start it.",
            name=name,
            code=say.number(container.exit_code),
        )
        return action("critical", text, f"docker logs --tail 50 {quoted}; docker start {quoted}", "container-stopped")
    if container.unhealthy:
        text = say("{name} runs, but its own health check fails: see what it says, then restart it.", name=name)
        command = f"docker inspect -f '{{{{range .State.Health.Log}}}}{{{{.Output}}}}{{{{end}}}}' {quoted}"
        return action("warning", text, command, "container-unhealthy")
    if container.near_limit:
        text = say(
            "{name} used up to {ratio} of its memory limit of {size}: raise it before a process is killed.",
            name=name,
            ratio=say.percent(container.memory_highest),
            size=say.bytes(container.memory_limit),
        )
        return action("warning", text, f"docker stats --no-stream {quoted}", "container-near-its-memory-limit")
    return None
