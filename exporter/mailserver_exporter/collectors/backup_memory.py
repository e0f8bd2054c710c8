"""What was measured and read of backups, kept in the state directory so that a restart does not do it all again."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mailserver_exporter import state_files
from mailserver_exporter.collectors.backup_checks import Verdict, verdict
from mailserver_exporter.collectors.backup_watch import Record, record
from mailserver_exporter.sources import SourceError, files

log = logging.getLogger(__name__)


class Memory:
    """One JSON file: ``{"records": {NAME: {KEY: ...}}, "verdicts": {NAME: ...}}``. Nothing in it is irreplaceable."""

    def __init__(self, directory: Path, *, remember: bool) -> None:
        self._file = directory / "backups.json"
        self._remember = remember
        self._saved = b""
        self._complaint = ""
        self.records: Mapping[str, Mapping[str, Record]] = {}
        self.verdicts: Mapping[str, Verdict] = {}

    def load(self) -> None:
        """Read the file; one that is damaged is as good as none."""
        try:
            self._saved = files.read(os.fspath(self._file))
            data = json.loads(self._saved)
            self.records = {
                name: {key: record(each) for key, each in records.items()} for name, records in data["records"].items()
            }
            self.verdicts = {name: verdict(each) for name, each in data["verdicts"].items()}
        except FileNotFoundError:
            return
        except (OSError, SourceError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            log.warning("cannot use %s, all backups are measured and read again: %s", self._file, error)
            self.records, self.verdicts = {}, {}

    def save(self, records: Mapping[str, Any], verdicts: Mapping[str, Any]) -> None:
        """Write the file where it changes; a disk that refuses is logged once."""
        content = json.dumps({"records": records, "verdicts": verdicts}, sort_keys=True).encode()
        if content == self._saved or not self._remember:
            return
        try:
            state_files.replace(self._file, content)
        except OSError as error:
            complaint = f"cannot remember what was read of backups in {self._file}: {error.strerror}"
            if complaint != self._complaint:
                log.warning("%s", complaint)
            self._complaint = complaint
            return
        self._saved, self._complaint = content, ""
