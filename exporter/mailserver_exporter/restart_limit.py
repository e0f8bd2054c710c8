"""Remember when a container was restarted, so that none is restarted more than once an hour, whoever wants to."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

from mailserver_exporter.sources import SourceError

HOUR = 3600.0
_MAX_BYTES = 1_000_000


class RestartLimit:
    """One small JSON file in the state directory: ``{"mailcowdockerized-watchdog-mailcow-1": 1790000000.0}``."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "restarts.json"

    def claim(self, name: str, now: float) -> float:
        """Note a restart of ``name`` at the time ``now`` and return 0; or return the seconds until it may be.

        Of two processes that claim at the same time one gets 0. Raises OSError when the file cannot be written, and
        SourceError when it cannot be understood: better no restart than one too many.
        """
        with self._locked():
            claims = self._read()
            # A claim of the future was made before the clock was set back: when it really was nobody knows.
            last = min(claims.get(name, float("-inf")), now)
            left = last + HOUR - now
            claims = {known: min(when, now) for known, when in claims.items() if when + HOUR > now}
            self._write({**claims, name: last if left > 0 else now})
        return max(left, 0.0)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _read(self) -> dict[str, float]:
        try:
            with self.file.open("rb") as file:
                data = json.loads(file.read(_MAX_BYTES))
            return {str(name): float(when) for name, when in data.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, AttributeError, TypeError, RecursionError) as error:
            raise SourceError(f"cannot use {self.file}: {error}", remedy=f"rm {self.file}") from error

    def _write(self, claims: dict[str, float]) -> None:
        temporary = self.file.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(claims, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.file)
