"""The process table, from /proc/PID/stat: proc_pid_stat(5), and fs/proc/array.c for the letters of the states."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from mailserver_exporter.sources import SourceError

# Running, sleeping, uninterruptible, stopped, traced, dead, zombie, parked, idle. Kernels before 4.14 had a few more.
STATES = "RSDTtXZPI"

_KERNEL_THREAD = 0x00200000  # PF_KTHREAD, include/linux/sched.h
_STAT_BYTES = 4096  # about 1,100 are the most that its 52 numbers and the name can fill
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGESIZE")


class Process(NamedTuple):
    """One process. A tuple, because a scan makes one for each of them.

    ``name`` is the kernel's (at most 15 bytes, set by the process itself, any bytes but NUL); of a kernel thread only
    what comes before a slash, because ``kworker/0:1-events`` changes its name with each piece of work.
    ``cpu_seconds`` holds its threads, ended ones too, but not its children. ``started`` is in ticks since boot and
    tells a process from a later one with the same PID.
    """

    name: str
    state: str
    parent: int
    cpu_seconds: float
    threads: int
    started: int
    resident_bytes: int

    @property
    def zombie(self) -> bool:
        """Whether it has ended and waits for its parent; not one that lost only its main thread and works on."""
        return self.state == "Z" and self.threads <= 1


def parse(data: bytes) -> Process:
    """Parse the content of /proc/PID/stat. Raises SourceError when it is something else."""
    try:
        # Only the name can hold parentheses, so the outermost ones are its own.
        end = data.rindex(b")")
        name = data[data.index(b"(") + 1 : end].decode("utf-8", "replace")
        fields = data[end + 1 :].split()
        if int(fields[6]) & _KERNEL_THREAD:
            name = name.partition("/")[0]
        return Process(
            name=name,
            state=fields[0].decode("ascii"),
            parent=int(fields[1]),
            cpu_seconds=(int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND,
            threads=int(fields[17]),
            started=int(fields[19]),
            resident_bytes=int(fields[21]) * _PAGE_BYTES,
        )
    except (ValueError, IndexError) as error:
        raise SourceError(f"a /proc/PID/stat cannot be understood: {data[:120]!r}") from error


@dataclass(frozen=True)
class Snapshot:
    """All processes by PID, and the time.monotonic() at which the scan began."""

    taken: float
    processes: Mapping[int, Process]


def scan(proc: str) -> Snapshot:
    """Read every process below ``proc``; those that end meanwhile are left out.

    Costs about 10 us of CPU per process. Raises OSError when a process may not be read, and SourceError.
    """
    taken = time.monotonic()
    processes = {}
    for name in os.listdir(proc):
        if not name.isdecimal():
            continue
        path = f"{proc}/{name}/stat"
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                data = os.read(descriptor, _STAT_BYTES)
            finally:
                os.close(descriptor)
        except (FileNotFoundError, ProcessLookupError):
            continue
        processes[int(name)] = parse(data)
    if 1 not in processes:
        raise SourceError(
            f"{proc} does not show all processes",
            remedy="/proc is mounted with hidepid: run the exporter as root",
        )
    return Snapshot(taken, processes)


class ProcessTable:
    """The processes below one /proc, scanned once for all who ask at about the same time."""

    def __init__(self, proc: str) -> None:
        self.proc = proc
        self._lock = threading.Lock()
        self._newest: Snapshot | None = None

    def is_complete(self) -> bool:
        """Say whether we see the processes of other users; a /proc mounted with ``hidepid`` hides them."""
        return os.path.exists(f"{self.proc}/1/stat")

    def snapshot(self, max_age: float) -> Snapshot:
        """Return a snapshot that is at most ``max_age`` seconds old. Raises what scan raises."""
        with self._lock:
            if self._newest is None or time.monotonic() - self._newest.taken > max_age:
                self._newest = scan(self.proc)
            return self._newest
