"""What is known of one series of backups: remembers what was measured, and tells whole backups from growing ones."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mailserver_exporter.collectors.backup_sets import BackupSet, has_part, named
from mailserver_exporter.sources import backup_folder
from mailserver_exporter.sources.backup_folder import Entry, Listing, Measure

LAST = 10
# While a part is missing it may still come: mailcow's tool, for one, prepares the database for a while and writes
# nothing meanwhile.
_PATIENCE = 30
_SMALL = 2000
_RELIST_SECONDS = 3600.0
_MAX_WALKED_AT_ONCE = 100_000
_DAY = 86400.0


@dataclass(frozen=True)
class Record:
    """One whole backup: bytes, when it was made, and the names at its top."""

    size: int
    made: float
    modified: float
    entries: int
    names: tuple[str, ...]

    @property
    def fingerprint(self) -> tuple[int, float, int]:
        """What is another as soon as something in the backup is."""
        return self.size, self.modified, self.entries


@dataclass(frozen=True)
class Look:
    """What a look at a series has found: the whole backups, newest first."""

    count: int
    whole: tuple[tuple[Entry, Record], ...]
    unfinished: int
    in_future: int

    @property
    def median_size(self) -> float:
        """Bytes, of the last ten."""
        return median([record.size for _, record in self.whole])

    @property
    def interval_days(self) -> int:
        """Whole days that usually lie between two backups, at least one."""
        times = sorted(record.made for _, record in self.whole)
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        return max(1, round(median(gaps) / _DAY)) if gaps else 1


class Watch:
    """One series of backups, looked at again and again."""

    def __init__(self, backup_set: BackupSet, records: Mapping[str, Record], quiet: float) -> None:
        self.set = backup_set
        self.records = dict(records)
        self._quiet = quiet
        self._listing: Listing | None = None
        self._listed = (0.0, (0, 0))
        # When an unfinished backup was first seen as it is now, on the monotonic clock.
        self._steady: dict[str, tuple[object, float]] = {}

    def look(self, path: str, parts: Iterable[str], now: float) -> Look:
        """Look at the directory, seen from here at ``path``; raises OSError and SourceError."""
        listing = self._list(path, now)
        budget = _MAX_WALKED_AT_ONCE
        whole: list[tuple[Entry, Record]] = []
        unfinished = 0
        for entry in listing.newest:
            if len(whole) == LAST:
                break
            record = self.records.get(entry.key)
            # The newest is looked at each time, as long as that is cheap: what is lost from it later is missed, too.
            if record is None or (not whole and record.entries <= _SMALL):
                if budget <= 0:
                    break  # the next look goes on here
                measure = backup_folder.measure(entry)
                budget -= measure.entries
                record = self._judge(entry, measure, parts, now)
            if record is None:
                unfinished += 1
            else:
                whole.append((entry, record))
        self._tidy(listing)
        return Look(max(0, listing.count - unfinished), tuple(whole), unfinished, listing.in_future)

    def _list(self, path: str, now: float) -> Listing:
        status = os.stat(path)
        stamp = (status.st_mtime_ns, status.st_ino)
        listed, of = self._listed
        # A directory that has just changed may do so again within the same tick of its clock.
        if self._listing is None or stamp != of or listed - status.st_mtime < 2 or now - listed > _RELIST_SECONDS:
            self._listing = backup_folder.listing(path, now, self.set.pattern, self.set.prefix)
            self._listed = (now, stamp)
        return self._listing

    def _judge(self, entry: Entry, measure: Measure, parts: Iterable[str], now: float) -> Record | None:
        """Return the record of a backup that is whole, or None while it is being written."""
        known = self.records.get(entry.key)
        if known is not None and known.fingerprint == measure.fingerprint and known.names == measure.names:
            return known
        # What was whole before has lost something since: that is known as soon as it is quiet.
        growing = known is None and not all(has_part(self.set, measure.names, part) for part in parts)
        wait = self._quiet * (_PATIENCE if growing else 1)
        seen, since = self._steady.get(entry.key, (None, 0.0))
        if seen != measure:
            since = time.monotonic()
            self._steady[entry.key] = (measure, since)
        # By the file's times, which also hold after a restart; by our own clock where they lie in the future.
        settled = now - measure.changed >= wait or (measure.changed > now and time.monotonic() - since >= wait)
        if measure.writing or not settled:
            return None
        made = backup_folder.made(entry, measure, now)
        record = Record(measure.size, made, measure.modified, measure.entries, measure.names)
        self.records[entry.key] = record
        self._steady.pop(entry.key, None)
        return record

    def _tidy(self, listing: Listing) -> None:
        keys = {entry.key for entry in listing.newest}
        self.records = {key: record for key, record in self.records.items() if key in keys}
        self._steady = {key: value for key, value in self._steady.items() if key in keys}

    def usual_parts(self, look: Look) -> set[str]:
        """Return the parts of at least two of the last ten backups, where they have more than one."""
        each = [named(self.set, record.names) for _, record in look.whole]
        several = [parts for parts in each if len(parts) > 1]
        return {part for parts in several for part in parts if sum(part in other for other in several) > 1}

    def remembered(self) -> dict[str, Any]:
        """Return the records as JSON takes them."""
        return {key: asdict(record) for key, record in self.records.items()}


def median(values: Sequence[float]) -> float:
    """Return the median. The standard library's has the price of decimal and fractions: 0.7 MiB."""
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def record(data: Mapping[str, Any]) -> Record:
    """Return a record from JSON; raises KeyError, TypeError or ValueError where it is none."""
    return Record(
        int(data["size"]),
        float(data["made"]),
        float(data["modified"]),
        int(data["entries"]),
        tuple(map(str, data["names"])),
    )
