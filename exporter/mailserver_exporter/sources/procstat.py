"""What the kernel counts since boot, /proc/stat (proc_stat(5))."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from mailserver_exporter.sources import SourceError

# The kernel converts to this unit for user space whatever its own tick is (USER_HZ, include/asm-generic/param.h).
_TICKS_PER_SECOND = 100


@dataclass(frozen=True)
class CpuTimes:
    """Seconds that one CPU spent in each mode. ``user`` and ``nice`` include ``guest`` and ``guest_nice``."""

    user: float
    nice: float
    system: float
    idle: float
    iowait: float
    irq: float
    softirq: float
    steal: float
    guest: float
    guest_nice: float


@dataclass(frozen=True)
class ProcStat:
    """The file. ``cpus`` is by number as text (``0``), without the sum; ``boot_time`` is in seconds since the epoch."""

    cpus: Mapping[str, CpuTimes]
    boot_time: float
    context_switches: float
    interrupts: float
    forks: float
    running: float
    blocked: float


_MODES = len(fields(CpuTimes))


def parse(data: bytes) -> ProcStat:
    """Parse the content of /proc/stat. Raises SourceError when a line is missing or is not numbers."""
    cpus = {}
    single = {}
    for line in data.splitlines():
        name, _, rest = line.partition(b" ")
        try:
            if name in (b"ctxt", b"intr", b"btime", b"processes", b"procs_running", b"procs_blocked"):
                # The line of interrupts goes on with one number for each source; the first is their sum.
                single[name] = float(rest.split(b" ", 1)[0])
            elif name.startswith(b"cpu") and name != b"cpu":
                # What an older kernel does not count (guest_nice came with 2.6.33) is 0.
                ticks = [int(word) / _TICKS_PER_SECOND for word in rest.split()[:_MODES]]
                cpus[str(int(name[3:]))] = CpuTimes(*ticks, *[0.0] * (_MODES - len(ticks)))
        except ValueError as error:
            raise SourceError(f"/proc/stat has a line that is not numbers: {line[:80]!r}") from error
    if not cpus:
        raise SourceError("/proc/stat names no CPU")
    try:
        return ProcStat(
            cpus,
            boot_time=single[b"btime"],
            context_switches=single[b"ctxt"],
            interrupts=single[b"intr"],
            forks=single[b"processes"],
            running=single[b"procs_running"],
            blocked=single[b"procs_blocked"],
        )
    except KeyError as error:
        raise SourceError(f"/proc/stat has no line {error.args[0].decode()}") from error
