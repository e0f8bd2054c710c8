"""Remember what was once seen, so that its absence is a failure and never a series that quietly ends.

One small JSON file in the state directory: ``{"jail": ["sshd"], "collector": ["containers", "queue"]}``. The exporter
adds to it; ``mailserver-exporter forget`` takes away, also while the exporter runs.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from mailserver_exporter import state_files

log = logging.getLogger(__name__)

_MAX_BYTES = 4_000_000
_RETRY_SECONDS = 10.0


class Expectations:
    """What is expected to be there, by kind (``collector``, ``jail``, ``mountpoint``, ``port``, ``service`` ...)."""

    def __init__(self, directory: Path, *, remember: bool = True) -> None:
        """Use the file in ``directory``; without ``remember`` it is read and never written."""
        self.file = directory / "expected.json"
        self.problem = ""
        self._told: set[str] = set()
        self.remember = remember
        self._lock = threading.Lock()
        self._known: dict[str, set[str]] = {}
        self._stamp: tuple[int, int] | None = None
        # When the file, which could not be read or written, is to be written again; on the monotonic clock.
        self._again: float | None = None

    def expect(self, kind: str, present: Iterable[str]) -> frozenset[str]:
        """Add what is present now and return everything that is expected of this kind.

        A state directory that cannot be written is logged once and told by ``problem``; what was seen is then
        remembered until the process ends, and written as soon as that works.
        """
        present = set(present)
        with self._lock:
            self._refresh()
            due = self._again is not None and time.monotonic() >= self._again
            if due or not present <= self._known.get(kind, set()):
                self._change(lambda known: known.setdefault(kind, set()).update(present))
            return frozenset(self._known.get(kind, set()))

    def forget(self, name: str, kind: str | None = None) -> list[str]:
        """Let go of ``name``, in one kind or in all; return the kinds in which it was expected.

        Raises OSError when the file cannot be written.
        """
        with self._lock:
            self._refresh()
            kinds = [k for k, names in self._known.items() if name in names and kind in (None, k)]
            if kinds:
                self._change(lambda known: known.update({k: known.get(k, set()) - {name} for k in kinds}))
                if self.problem:
                    raise OSError(self.problem)
            return kinds

    def everything(self) -> dict[str, list[str]]:
        """Return all that is expected, by kind."""
        with self._lock:
            self._refresh()
            return {kind: sorted(names) for kind, names in sorted(self._known.items()) if names}

    def _refresh(self) -> None:
        """Read the file again if another process has changed it."""
        try:
            status = self.file.stat()
        except FileNotFoundError:
            self._stamp = None
            return
        except OSError as error:
            self._complain(f"cannot read {self.file}: {error.strerror}")
            return
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp != self._stamp:
            self._known = self._read()
            self._stamp = stamp

    def _read(self) -> dict[str, set[str]]:
        try:
            with self.file.open("rb") as file:
                data = json.loads(file.read(_MAX_BYTES))
            return {str(kind): {str(name) for name in names} for kind, names in data.items()}
        except FileNotFoundError:
            return {}
        except OSError as error:
            self._complain(f"cannot read {self.file}: {error.strerror}")
            return {kind: set(names) for kind, names in self._known.items()}
        except (ValueError, AttributeError, TypeError, RecursionError) as error:
            # A damaged memory must not stop the watching; what is present is learnt again, and the admin may look.
            self._complain(f"cannot use {self.file}, kept as {self.file.name}.damaged and learnt anew: {error}")
            if self.remember:
                with contextlib.suppress(OSError):
                    shutil.copyfile(self.file, self.file.with_name(f"{self.file.name}.damaged"))
            return {kind: set(names) for kind, names in self._known.items()}

    def _change(self, change: Callable[[dict[str, set[str]]], object]) -> None:
        """Apply a change to the newest content of the file, under a lock that ``forget`` in another process honours."""
        if not self.remember:
            change(self._known)
            return
        try:
            with state_files.locked(self.file.with_suffix(".lock")):
                known = self._read() if self.file.exists() else self._known
                if self._again is not None:
                    # What could not be written so far.
                    for kind, names in self._known.items():
                        known.setdefault(kind, set()).update(names)
                change(known)
                self._known = known
                self._write(known)
                self.problem = ""
                self._again = None
                self._told.clear()
        except OSError as error:
            change(self._known)
            self._complain(f"cannot remember what was seen in {self.file}: {error.strerror or error}")

    def _write(self, known: dict[str, set[str]]) -> None:
        content = json.dumps({kind: sorted(names) for kind, names in sorted(known.items())}, indent=1)
        state_files.replace(self.file, f"{content}\n".encode())
        status = self.file.stat()
        self._stamp = (status.st_mtime_ns, status.st_ino)

    def _complain(self, message: str) -> None:
        self.problem = message
        self._again = time.monotonic() + _RETRY_SECONDS
        if message not in self._told:
            self._told.add(message)
            log.warning("%s", message)
