"""Measure a process from outside, and print what was measured."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

MIB = 2**20


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used so far, all threads, to the nanosecond (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


def rss_bytes(pid: int) -> int:
    """Return the resident set size, VmRSS of proc_pid_status(5)."""
    return _status(pid, "VmRSS:")


def peak_rss_bytes(pid: int) -> int:
    """Return the largest resident set size so far, VmHWM of proc_pid_status(5)."""
    return _status(pid, "VmHWM:")


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


@dataclass
class Series:
    """Values of one kind; the median is what is told."""

    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median."""
        return statistics.median(self.values)

    @property
    def worst(self) -> float:
        """The largest."""
        return max(self.values)


def timed(pid: int, work: Callable[[], object]) -> tuple[float, float]:
    """Return (seconds, CPU seconds of the process) that ``work`` took."""
    cpu, started = cpu_seconds(pid), time.monotonic()
    work()
    return time.monotonic() - started, cpu_seconds(pid) - cpu


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table, ready for the README."""
    print(f"\n### {title}\n")
    print("| " + " | ".join(head) + " |")
    print("| " + " | ".join("---" for _ in head) + " |")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print(flush=True)


def machine() -> str:
    """Say what was measured on, and when."""
    model = "unknown CPU"
    cores = 0
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            model, cores = value.strip(), cores + 1
    today = datetime.now(timezone.utc).date().isoformat()
    return f"{today}, {cores} x {model}, Linux {platform.release()}, Python {platform.python_version()}"
