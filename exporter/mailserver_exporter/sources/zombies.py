"""Zombies and who is to blame: ended processes that their parent has not waited for (wait(2), proc_pid_stat(5))."""

from __future__ import annotations

import errno
import os
import re
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from mailserver_exporter.sources import SourceError, files, processes

# A process is a zombie for a moment whenever one ends; that is how it should be.
PATIENCE_SECONDS = 1.0

_COMMAND_BYTES = 4096
_COMMAND_LENGTH = 120
_CONTAINER = re.compile(rb"[0-9a-f]{64}")


@dataclass(frozen=True)
class Zombie:
    """An ended process; ``started`` is in ticks since boot and tells it from a later one with the same PID."""

    pid: int
    started: int
    name: str


@dataclass(frozen=True)
class Parent:
    """A process that has zombies. ``state`` is the kernel's letter, ``container`` the id of its Docker container."""

    pid: int
    started: int
    name: str
    state: str
    command: str
    container: str
    zombies: tuple[Zombie, ...]


def find(proc: str, patience: float = PATIENCE_SECONDS) -> list[Parent]:
    """Return the parents of all zombies that are older than ``patience`` seconds, by PID.

    Raises OSError when a process may not be read, and SourceError when /proc hides some.
    """
    before = _scan(proc)
    if before:
        time.sleep(patience)
        before = still_there(before, _scan(proc))
    return [_described(proc, parent) for parent in before]


def again(proc: str, parents: Iterable[Parent]) -> list[Parent]:
    """Return those of ``parents`` that still have zombies of those they had, with these."""
    return still_there(parents, _scan(proc))


def still_there(old: Iterable[Parent], new: Iterable[Parent]) -> list[Parent]:
    """Return the old parents that are among the new ones, each with the zombies that it has in both."""
    zombies = {(parent.pid, parent.started): set(parent.zombies) for parent in new}
    found = []
    for parent in old:
        left = tuple(zombie for zombie in parent.zombies if zombie in zombies.get((parent.pid, parent.started), ()))
        if left:
            found.append(replace(parent, zombies=left))
    return found


def sees_our_processes(proc: str) -> bool:
    """Say whether the PIDs below ``proc`` are those that a signal from here would go to.

    A container that sees the host's /proc has another numbering, unless it shares the host's (`--pid=host`).
    """
    try:
        mine = processes.parse(files.read("/proc/self/stat")).started
        return os.readlink(f"{proc}/self") == str(os.getpid()) and _started(proc, os.getpid()) == mine
    except OSError:
        return False


def send(proc: str, pid: int, started: int, number: signal.Signals) -> bool:
    """Send a signal to a process if it is still the one that started then; return whether it was.

    Raises OSError when that is not permitted.
    """
    try:
        # Whatever happens to the PID from here on, the descriptor stays that of one process (pidfd_open(2)).
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
        descriptor = -1  # Linux before 5.3: a moment remains between the look and the signal
    try:
        if _started(proc, pid) != started:
            return False
        if descriptor >= 0:
            signal.pidfd_send_signal(descriptor, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        return False
    finally:
        if descriptor >= 0:
            os.close(descriptor)
    return True


def container_of(proc: str, pid: int | str) -> str:
    """Return the id of the Docker container that a process is in, empty for none; of nested ones the outermost."""
    try:
        found = _CONTAINER.search(files.read(f"{proc}/{pid}/cgroup"))
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return found[0].decode() if found else ""


def shown_command(data: bytes) -> str:
    """Return of the content of /proc/PID/cmdline the program, and the script that it runs, in one line.

    Nothing else: arguments may be passwords.
    """
    words = [word.decode("utf-8", "replace") for word in data[:_COMMAND_BYTES].split(b"\0")]
    shown = words[:1]
    if len(words) > 1 and words[1].startswith("/"):
        shown = words[:2]
    text = "".join(character if character.isprintable() else "?" for character in " ".join(shown))
    return text if len(text) <= _COMMAND_LENGTH else f"{text[: _COMMAND_LENGTH - 3]}..."


def _scan(proc: str) -> list[Parent]:
    found = processes.scan(proc).processes
    zombies: dict[int, list[Zombie]] = {}
    for pid, process in found.items():
        if process.zombie and process.parent in found:
            zombies.setdefault(process.parent, []).append(Zombie(pid, process.started, process.name))
    parents = []
    for pid, children in sorted(zombies.items()):
        parent = found[pid]
        parents.append(
            Parent(pid, parent.started, parent.name, parent.state, "", "", tuple(sorted(children, key=_pid)))
        )
    return parents


def _pid(zombie: Zombie) -> int:
    return zombie.pid


def _described(proc: str, parent: Parent) -> Parent:
    try:
        command = shown_command(files.read(f"{proc}/{parent.pid}/cmdline"))
    except (FileNotFoundError, ProcessLookupError, SourceError):
        command = ""  # it has just ended, or is a megabyte of arguments
    return replace(parent, command=command, container=container_of(proc, parent.pid))


def _started(proc: str, pid: int) -> int:
    try:
        return processes.parse(files.read(f"{proc}/{pid}/stat")).started
    except (FileNotFoundError, ProcessLookupError):
        return -1
