"""How the exporter's own log looks: one line per event, on standard error, as logfmt or JSON."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("logfmt", "json")


class _Formatter(logging.Formatter):
    def __init__(self, style: str) -> None:
        super().__init__()
        self._json = style == "json"

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + self.formatException(record.exc_info)
        fields = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": message,
        }
        if self._json:
            return json.dumps(fields)
        # JSON's quoting keeps a hostile text on one line in logfmt, too.
        return f"time={fields['time']} level={fields['level']} msg={json.dumps(message, ensure_ascii=False)}"


def set_up(level: str, style: str) -> None:
    """Send this package's log, and warnings of the libraries, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(style))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("mailserver_exporter").setLevel(level.upper())
