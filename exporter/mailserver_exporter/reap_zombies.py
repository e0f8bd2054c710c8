"""``reap-zombies``: ask the parents of zombies to wait for them, say who does not, restart the containers of those.

A zombie has ended already and cannot be killed. Its parent has to ask how it ended; one that does so when a signal
tells it that a child has ended may have missed one, and is told once more. SIGCHLD harms nobody: who does not handle
it, ignores it (signal(7)).
"""

from __future__ import annotations

import json
import logging
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase

from mailserver_exporter.config import Config
from mailserver_exporter.host import Host
from mailserver_exporter.restart_limit import RestartLimit
from mailserver_exporter.sources import SourceError, docker_restart, zombies
from mailserver_exporter.sources.zombies import Parent

log = logging.getLogger(__name__)

_INIT = 1
_PAUSE_SECONDS = 0.1


class CannotSignalError(SourceError):
    """The PIDs that are seen are not those that could be signalled."""


@dataclass
class Case:
    """A parent, what was done about it, and how many of its zombies are left."""

    parent: Parent
    left: int
    container: str = ""  # its name
    service: str = ""
    actions: list[str] = field(default_factory=list)


class Reaper:
    """One run. ``apply`` is False for a dry run, ``restart`` True where containers may be restarted."""

    def __init__(self, config: Config, host: Host, *, apply: bool, restart: bool, wait: float) -> None:
        self._protected = config.processes.protected_containers
        self._docker = host.path(config.containers.socket)
        self._limit = RestartLimit(config.state_directory)
        self._proc = host.proc("").rstrip("/")
        self._apply = apply
        self._restart = restart
        self._wait = wait

    def run(self) -> list[Case]:
        """Return the parents that had zombies.

        Raises SourceError or OSError when the processes cannot be seen; CannotSignalError where the numbers that are
        seen are those of another PID namespace.
        """
        if self._apply and not zombies.sees_our_processes(self._proc):
            raise CannotSignalError(
                f"the processes below {self._proc} have other numbers here",
                remedy="run it on the host, or in a container with --pid=host",
            )
        cases = [Case(parent, len(parent.zombies)) for parent in zombies.find(self._proc)]
        for case in cases:
            self._name_container(case)
            self._ask(case)
        if self._apply and cases:
            self._settle(cases)
        if self._restart and any(case.left and case.parent.container for case in cases):
            self._restart_containers([case for case in cases if case.left and case.parent.container])
            if self._apply:
                self._settle(cases)
        return cases

    def _name_container(self, case: Case) -> None:
        if not case.parent.container:
            return
        case.container = case.parent.container[:12]
        try:
            found = docker_restart.named(self._docker, case.parent.container)
            case.container, case.service = found.name, found.service
        except SourceError as error:
            case.actions.append(f"the container's name is not known: {error}")

    def _ask(self, case: Case) -> None:
        parent = case.parent
        if parent.pid in (_INIT, os.getpid()):
            case.actions.append("never signalled")
            return
        if not self._apply:
            case.actions.append("would be sent SIGCHLD")
            return
        try:
            sent = zombies.send(self._proc, parent.pid, parent.started, signal.SIGCHLD)
        except OSError as error:
            case.actions.append(f"could not be sent SIGCHLD: {error.strerror}")
            return
        case.actions.append("sent SIGCHLD" if sent else "has ended")
        log.info("%s (PID %d), which has %d zombies: %s", parent.name, parent.pid, case.left, case.actions[-1])

    def _settle(self, cases: Sequence[Case]) -> None:
        """Wait until no zombie is left, or the time is up."""
        end = time.monotonic() + self._wait
        while True:
            left = zombies.again(self._proc, [case.parent for case in cases])
            counts = {(parent.pid, parent.started): len(parent.zombies) for parent in left}
            for case in cases:
                case.left = counts.get((case.parent.pid, case.parent.started), 0)
            if not left or time.monotonic() > end:
                return
            time.sleep(_PAUSE_SECONDS)

    def _restart_containers(self, cases: Sequence[Case]) -> None:
        ours = zombies.container_of("/proc", "self")
        told: dict[str, str] = {}
        for case in cases:
            identity = case.parent.container
            if identity not in told:
                told[identity] = self._restart_container(case, is_ours=identity == ours)
            case.actions.append(told[identity])

    def _restart_container(self, case: Case, *, is_ours: bool) -> str:
        name = case.container
        if is_ours:
            return "container not restarted: it is the one that this runs in"
        if not case.service and name == case.parent.container[:12]:
            return "container not restarted: its name is not known, and may be that of a protected one"
        if pattern := self._protection(name, case.service):
            return f"container not restarted: it is protected by {pattern!r} in processes.protected_containers"
        if not self._apply:
            return "container would be restarted"
        try:
            if left := self._limit.claim(name, time.time()):
                return f"container not restarted: it was within the last hour, again in {left / 60:.0f} min"
            log.warning("restarting container %s: %d zombies of %s", name, case.left, case.parent.name)
            docker_restart.restart(self._docker, case.parent.container)
        except (SourceError, OSError) as error:
            log.warning("container %s could not be restarted: %s", name, error)
            return f"container not restarted: {error}"
        log.warning("restarted container %s", name)
        return "container restarted"

    def _protection(self, *names: str) -> str:
        return next((p for p in self._protected if any(fnmatchcase(name, p) for name in names if name)), "")


def as_text(cases: Sequence[Case]) -> str:
    """Return what was found and done, a few lines for each parent; the blame is in the first."""
    if not cases:
        return "no zombies"
    lines = []
    for case in cases:
        parent = case.parent
        where = f" in container {case.container}" if case.container else ""
        lines.append(f"{parent.name} (PID {parent.pid}, state {parent.state}){where}: {_count(len(parent.zombies))}")
        if parent.command:
            lines.append(f"  runs {parent.command}")
        lines.append("  " + ", ".join(f"{zombie.name} (PID {zombie.pid})" for zombie in parent.zombies[:10]))
        lines += [f"  {action}" for action in case.actions]
        lines.append(f"  {case.left} left" if case.left else "  none left")
    left = sum(case.left for case in cases)
    lines.append(f"{_count(left)} left" if left else "no zombies left")
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)


def as_json(cases: Sequence[Case], *, applied: bool) -> str:
    """Return the same for scripts."""
    parents = [
        {
            **asdict(case.parent),
            "container": case.container,
            "container_id": case.parent.container,
            "actions": case.actions,
            "left": case.left,
        }
        for case in cases
    ]
    answer = {"applied": applied, "left": sum(case.left for case in cases), "parents": parents}
    return json.dumps(answer, indent=1, ensure_ascii=True)


def _count(number: int) -> str:
    return f"{number} zombie" if number == 1 else f"{number} zombies"
