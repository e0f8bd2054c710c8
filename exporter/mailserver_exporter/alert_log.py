"""Keep what Alertmanager notified: one JSON line per alert, on the disk before Alertmanager is told so.

The input is Alertmanager's webhook payload, version 4 (Alertmanager's documentation, webhook_config).
"""

from __future__ import annotations

import json
import os
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mailserver_exporter.settings.notifications import AlertLog

_MAX_TEXT = 4000


class PayloadError(ValueError):
    """What was posted is not a webhook payload of Alertmanager."""


def parse(payload: bytes) -> list[dict[str, Any]]:
    """Return one record per alert in the payload, in its order.

    Raises PayloadError when it is not JSON of the documented shape.
    """
    try:
        message = json.loads(payload)
        received = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        return [
            {
                "time": received,
                "status": _text(alert["status"]),
                "alertname": _text(alert["labels"].get("alertname", "")),
                "severity": _text(alert["labels"].get("severity", "")),
                "starts_at": _text(alert["startsAt"]),
                "ends_at": _text(alert["endsAt"]) if alert["status"] == "resolved" else None,
                "labels": _texts(alert["labels"]),
                "annotations": _texts(alert["annotations"]),
                "fingerprint": _text(alert.get("fingerprint", "")),
            }
            for alert in message["alerts"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PayloadError(f"not an Alertmanager webhook payload: {type(error).__name__}: {error}") from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text was expected, not {type(value).__name__}")
    return value[:_MAX_TEXT]


def _texts(values: dict[str, object]) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in values.items()}


class AlertLogFile:
    """The file, rotated by size: ``alerts.jsonl``, ``alerts.jsonl.1`` (newest old one) and so on."""

    def __init__(self, path: Path, settings: AlertLog) -> None:
        self.path = path
        self._settings = settings
        self._lock = threading.Lock()

    def append(self, records: list[dict[str, Any]]) -> None:
        """Write the records and flush them to the disk.

        Raises OSError when they are not safely there; a part that was written is then taken back, so that the
        repetition by Alertmanager does not double it.
        """
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode("utf-8", "replace")
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._rotate(len(lines))
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
            try:
                before = os.fstat(descriptor).st_size
                if before == 0:
                    _flush_directory(self.path.parent)
                elif os.pread(descriptor, 1, before - 1) != b"\n":
                    # We were killed in the midst of a line: it stays alone and does not spoil the next.
                    lines = b"\n" + lines
                try:
                    _write_all(descriptor, lines)
                    os.fsync(descriptor)
                except OSError:
                    os.ftruncate(descriptor, before)
                    raise
            finally:
                os.close(descriptor)

    def _rotate(self, more: int) -> None:
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            return
        if size == 0 or size + more <= self._settings.max_bytes:
            return
        for number in range(self._settings.keep - 1, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            if older.exists():
                older.replace(self.path.with_name(f"{self.path.name}.{number + 1}"))
        self.path.replace(self.path.with_name(f"{self.path.name}.1"))


def _flush_directory(path: Path) -> None:
    """Make sure that a file just made or renamed is there after a power failure, fsync(2)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
