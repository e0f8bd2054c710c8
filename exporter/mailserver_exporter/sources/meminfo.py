"""How the memory is used, /proc/meminfo (proc_meminfo(5))."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mailserver_exporter.sources import SourceError

_LINE = re.compile(rb"([A-Za-z0-9_]+(?:\([a-z_]+\))?): +(\d+)( kB)?")


@dataclass(frozen=True)
class MemInfo:
    """The file's keys verbatim, such as ``Active(anon)``: those with a size in bytes, those that are plain counts."""

    bytes: Mapping[str, int]
    counts: Mapping[str, int]


def parse(data: bytes) -> MemInfo:
    """Parse the content of /proc/meminfo. Raises SourceError when a line is not a key with a number, or none is."""
    sizes, counts = {}, {}
    for line in data.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            raise SourceError(f"/proc/meminfo has a line that is not a key with a number: {line[:80]!r}")
        key, number, unit = match.groups()
        if unit:
            sizes[key.decode()] = int(number) * 1024
        else:
            counts[key.decode()] = int(number)
    if "MemTotal" not in sizes:
        raise SourceError("/proc/meminfo has no MemTotal")
    return MemInfo(sizes, counts)
