"""Follow the alert log and tell each alert once when it fires and once when it is over."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

# Watchdog and its like, which say that the alert path works, have another severity: none.
_TOLD = ("critical", "warning", "info")
_REMEMBERED = 10_000


class AlertLog:
    """The file from its present end on, through its rotation."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""
        # Alertmanager repeats the whole group whenever something in it changes.
        self._told: dict[tuple[str, str, str], None] = {}
        self._open(at_end=True)

    def news(self) -> Iterator[str]:
        """Yield a line for each alert that fired or was resolved since the last call."""
        for record in self._records():
            key = (str(record.get("fingerprint")), str(record.get("starts_at")), str(record.get("status")))
            if record.get("severity") not in _TOLD or key in self._told:
                continue
            self._told[key] = None
            if len(self._told) > _REMEMBERED:
                del self._told[next(iter(self._told))]
            yield line(record)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _open(self, *, at_end: bool) -> None:
        try:
            self._file = self._path.open("rb")
        except FileNotFoundError:
            return
        if at_end:
            self._file.seek(0, os.SEEK_END)

    def _records(self) -> Iterator[dict[str, Any]]:
        yield from self._read()
        if self._rotated():
            yield from self._read()
            self.close()
            self._file, self._rest = None, b""
        if self._file is None:
            self._open(at_end=False)
            yield from self._read()

    def _rotated(self) -> bool:
        if self._file is None:
            return False
        try:
            return os.fstat(self._file.fileno()).st_ino != self._path.stat().st_ino
        except FileNotFoundError:
            return True

    def _read(self) -> Iterator[dict[str, Any]]:
        if self._file is None:
            return
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        for text in lines:
            try:
                record = json.loads(text)
            except ValueError:
                continue
            if isinstance(record, dict):
                yield record


def line(record: dict[str, Any]) -> str:
    """Return one alert as one line without control characters, for a terminal."""
    labels, annotations = record.get("labels") or {}, record.get("annotations") or {}
    status = "FIRING  " if record.get("status") == "firing" else "resolved"
    what = annotations.get("summary") or ", ".join(f"{name}={value}" for name, value in sorted(labels.items()))
    text = f"{record.get('severity', ''):8} {record.get('alertname', '')}: {what}"
    shown = "".join(character if character.isprintable() else " " for character in text)
    return f"{time.strftime('%H:%M:%S')}  {status}  {shown}"
