"""Sends for a check of each new backup's archives, one at a time, and remembers what it came to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from mailserver_exporter import errand
from mailserver_exporter.collectors.backup_watch import Look, Record
from mailserver_exporter.collectors.base import Context
from mailserver_exporter.sources import SourceError
from mailserver_exporter.sources.backup_folder import Entry

RESULTS = ("good", "broken", "unfinished", "impossible", "pending")
SECONDS = 3600.0
# For the process to start and to end by itself.
_GRACE = 60.0


@dataclass(frozen=True)
class Verdict:
    """What reading the archives of one backup has shown."""

    key: str
    fingerprint: tuple[float, ...]
    result: str
    detail: str

    def is_of(self, entry: Entry, record: Record) -> bool:
        """Say whether it is about this backup as it is now."""
        return (self.key, self.fingerprint) == (entry.key, record.fingerprint)


class Checks:
    """The verdicts by name."""

    def __init__(self, context: Context, remembered: Mapping[str, Verdict]) -> None:
        self._context = context
        self.verdicts = dict(remembered)

    def of_newest(self, name: str, look: Look) -> Verdict:
        """Return the verdict about the newest backup; its result is ``pending`` as long as there is none."""
        entry, record = look.whole[0]
        verdict = self.verdicts.get(name)
        return verdict if verdict and verdict.is_of(entry, record) else Verdict("", (), "pending", "not read yet")

    def send_next(self, looks: Mapping[str, Look]) -> None:
        """Have the next unchecked backup read, in a process of its own that nobody waits for.

        Not where nothing is remembered: nobody would learn what came of it.
        """
        if not self._context.expectations.remember:
            return
        for name, look in looks.items():
            if look.whole and self.of_newest(name, look).result == "pending":
                call = partial(self._send, name, *look.whole[0])
                self._context.hanging_calls.run({"archives of a backup": call}, 0.05)
                return

    def _send(self, name: str, entry: Entry, record: Record) -> None:
        directory = self._context.config.state_directory
        request = {
            "paths": entry.paths,
            "seconds": SECONDS,
            "lock": os.fspath(directory / "archives.lock"),
            "rootfs": self._context.host.rootfs,
        }
        try:
            directory.mkdir(parents=True, exist_ok=True)
            answer = errand.send("archives", request, SECONDS + _GRACE)
        except SourceError as error:
            answer = {"result": "unfinished", "detail": str(error)}
        except OSError as error:
            answer = {"result": "impossible", "detail": f"{error.filename or 'no process'}: {error.strerror}"}
        if answer["result"] in RESULTS:
            self.verdicts[name] = Verdict(entry.key, record.fingerprint, answer["result"], answer["detail"])

    def remembered(self) -> dict[str, Any]:
        """Return as JSON what need not be done again: what was impossible may be possible after a restart."""
        return {name: asdict(verdict) for name, verdict in self.verdicts.items() if verdict.result != "impossible"}


def verdict(data: Mapping[str, Any]) -> Verdict:
    """Return a verdict from JSON; raises KeyError, TypeError or ValueError where it is none."""
    if data["result"] not in RESULTS:
        raise ValueError(f"{data['result']!r} is no result")
    return Verdict(str(data["key"]), tuple(data["fingerprint"]), data["result"], str(data["detail"]))
