"""Single numbers that the kernel tells: proc_vmstat(5), proc_sys_fs(5)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mailserver_exporter.sources import SourceError


@dataclass(frozen=True)
class FileHandles:
    """Open file handles of the whole system, and how many there may be."""

    allocated: int
    maximum: int


def vmstat(data: bytes, names: Iterable[str]) -> dict[str, int]:
    """Return the counters of these names that this kernel has, from /proc/vmstat. Raises SourceError."""
    values = {}
    text = b"\n" + data
    for name in names:
        _, found, rest = text.partition(b"\n%b " % name.encode())
        if found:
            values[name] = number(rest.split(b"\n", 1)[0], f"{name} in /proc/vmstat")
    return values


def file_handles(data: bytes) -> FileHandles:
    """Parse /proc/sys/fs/file-nr. Raises SourceError."""
    fields = data.split()
    if len(fields) != 3:
        raise SourceError(f"/proc/sys/fs/file-nr is not three numbers: {data[:80]!r}")
    return FileHandles(number(fields[0], "file-nr"), number(fields[2], "file-nr"))


def number(data: bytes, what: str) -> int:
    """Parse a whole number; raises SourceError that names ``what``."""
    try:
        return int(data)
    except ValueError as error:
        raise SourceError(f"{what} is not a number: {data[:80]!r}") from error
