"""What block devices did since boot, /proc/diskstats (Documentation/admin-guide/iostats.rst of the kernel)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from mailserver_exporter.sources import SourceError

_SECTOR_BYTES = 512  # of this file, whatever the device's own sectors are


@dataclass(frozen=True)
class DiskStats:
    """One device, in the file's order but in bytes and seconds; only discarded sectors stay sectors of 512 bytes.

    What the kernel does not count is None: discards came with Linux 4.18, flushes with 5.5.
    """

    reads_completed: float
    reads_merged: float
    read_bytes: float
    read_time_seconds: float
    writes_completed: float
    writes_merged: float
    written_bytes: float
    write_time_seconds: float
    io_now: float
    io_time_seconds: float
    io_time_weighted_seconds: float
    discards_completed: float | None = None
    discards_merged: float | None = None
    discarded_sectors: float | None = None
    discard_time_seconds: float | None = None
    flush_requests: float | None = None
    flush_requests_time_seconds: float | None = None


FIELDS = tuple(field.name for field in fields(DiskStats))
_ALWAYS = FIELDS.index("io_time_weighted_seconds") + 1


def parse(data: bytes) -> Mapping[str, DiskStats]:
    """Parse the content of /proc/diskstats, by device name.

    Raises SourceError for a line with too few numbers. Fields that kernels to come may add at the end are left out.
    """
    devices = {}
    for line in data.splitlines():
        words = line.split()
        try:
            numbers = list(map(int, words[3 : 3 + len(FIELDS)]))
        except ValueError as error:
            raise SourceError(f"/proc/diskstats has a line that is not numbers: {line[:80]!r}") from error
        if len(numbers) < _ALWAYS:
            raise SourceError(f"/proc/diskstats has a line that is too short: {line[:80]!r}")
        values = [_base_unit(name, number) for name, number in zip(FIELDS, numbers, strict=False)]
        devices[words[2].decode("utf-8", "replace")] = DiskStats(*values)
    return devices


def _base_unit(field: str, number: int) -> float:
    if field.endswith("_bytes"):
        return number * _SECTOR_BYTES
    if field.endswith("_seconds"):
        return number / 1000
    return number
