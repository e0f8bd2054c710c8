"""Remember when a container was restarted, so that none is restarted more than once an hour, whoever wants to."""

from __future__ import annotations

import json
from pathlib import Path

from mailserver_exporter import state_files
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
        with state_files.locked(self.file.with_suffix(".lock")):
            claims = self._read()
            # A claim of the future was made before the clock was set back: when it really was nobody knows.
            last = min(claims.get(name, float("-inf")), now)
            left = last + HOUR - now
            claims = {known: min(when, now) for known, when in claims.items() if when + HOUR > now}
            claims[name] = last if left > 0 else now
            state_files.replace(self.file, json.dumps(claims).encode())
        return max(left, 0.0)

    def _read(self) -> dict[str, float]:
        try:
            with self.file.open("rb") as file:
                data = json.loads(file.read(_MAX_BYTES))
            return {str(name): float(when) for name, when in data.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, AttributeError, TypeError, RecursionError) as error:
            raise SourceError(f"cannot use {self.file}: {error}", remedy=f"rm {self.file}") from error
