"""What must outlive the exporter: how far each log was read, together with what was counted up to there.

One JSON file, replaced as a whole. Counters are shown only after they were saved with their positions, so a crash at
any point leaves neither a line that is counted twice nor a counter that has gone back, which Prometheus would take for
one that began anew.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import shutil
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mailserver_exporter.sources import SourceError
from mailserver_exporter.sources.tally import Tally

log = logging.getLogger(__name__)

_MAX_BYTES = 16_000_000


@dataclass
class Lines:
    """Lines of one program in one source; ``last`` is when the newest one was read, or reading began."""

    read: int = 0
    understood: int = 0
    last: float = field(default_factory=time.time)


@dataclass
class LogState:
    """Positions and dropped lines by source, tallies by program, lines by (source, program)."""

    positions: dict[str, Any] = field(default_factory=dict)
    dropped: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    tallies: defaultdict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    lines: defaultdict[tuple[str, str], Lines] = field(default_factory=lambda: defaultdict(Lines))

    def dump(self) -> bytes:
        """Return the state as JSON."""
        return json.dumps(
            {
                "positions": self.positions,
                "dropped": self.dropped,
                "tallies": {program: tally.dump() for program, tally in self.tallies.items()},
                "lines": [[*key, each.read, each.understood, each.last] for key, each in self.lines.items()],
            }
        ).encode()

    @classmethod
    def load(cls, data: bytes) -> LogState:
        """Return what was dumped; raises ValueError when it was not."""
        try:
            found = json.loads(data)
            state = cls(positions=dict(found["positions"]))
            state.dropped.update({str(name): int(count) for name, count in found["dropped"].items()})
            state.tallies.update({str(program): Tally.load(tally) for program, tally in found["tallies"].items()})
            for source, program, read, understood, last in found["lines"]:
                state.lines[str(source), str(program)] = Lines(int(read), int(understood), float(last))
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error
        return state


class StateFile:
    """The file, and the lock that keeps others from writing to it."""

    def __init__(self, directory: Path, *, remember: bool) -> None:
        """Without ``remember``, as for ``check`` beside the running exporter, it is read and never written."""
        self._file = directory / "logs.json"
        self._remember = remember
        self._lock: int | None = None
        self._saved = b""

    def load(self) -> LogState:
        """Return the saved state, a new one where there is none or it is damaged.

        Raises SourceError where another exporter uses it, which after a reload is the one that ends just now.
        """
        if self._remember and self._lock is None:
            self._lock = self._acquire()
        try:
            with self._file.open("rb") as file:
                data = file.read(_MAX_BYTES + 1)
            state = LogState.load(data)
        except FileNotFoundError:
            return LogState()
        except OSError as error:
            raise self._unusable(error) from error
        except ValueError as error:
            # Counting begins anew, which Prometheus understands, and where the logs end.
            log.warning("cannot use %s, kept as %s.damaged: %s", self._file, self._file.name, error)
            if self._remember:
                with contextlib.suppress(OSError):
                    shutil.copyfile(self._file, self._file.with_name(f"{self._file.name}.damaged"))
            return LogState()
        self._saved = data
        return state

    def save(self, state: LogState) -> None:
        """Replace the file, unless nothing has changed. Raises SourceError when that fails."""
        if not self._remember:
            return
        data = state.dump()
        if data == self._saved:
            return
        temporary = self._file.with_suffix(".new")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._file)
        except OSError as error:
            raise self._unusable(error) from error
        self._saved = data

    def close(self) -> None:
        """Let others have it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _acquire(self) -> int:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise SourceError(
                f"another exporter counts the logs with {self._file}",
                remedy="give each exporter a state_directory of its own",
            ) from None
        return descriptor

    def _unusable(self, error: OSError) -> SourceError:
        folder = self._file.parent
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return SourceError(
            f"cannot keep what was counted in {self._file}: {error.strerror}",
            remedy=f"df -h {folder}; make room there" if full else f"make {folder} writable for the exporter",
        )
