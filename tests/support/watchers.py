"""Exporter, Prometheus and Alertmanager as they are shipped, and those whom they tell: Telegram and an SMTP server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
import yaml

from mailserver_exporter import backup_mark
from tests.support.exporter import Exporter
from tests.support.processes import Program, answers, free_port
from tests.support.scope import Scope
from tests.support.smtp import SmtpServer
from tests.support.telegram import FakeTelegram
from tests.support.tools import ROOT, program

INSTANCE = "mail.example.org"
# Alerts that are there for as long as the stack lives, and tell that it does.
ALWAYS = {"Watchdog"}


class Watchers(Scope):
    """The watching half, with its files below ``folder``.

    ``settings`` is config.yml without the channels. ``adapt`` may change the folder of rendered files, rules included,
    before anything reads them, and ``program`` is a script that stands for the exporter's command line; without them
    everything is as shipped.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any],
        *,
        release: str = "sid",
        adapt: Callable[[Path], object] | None = None,
        program: Path | None = None,
        prometheus_flags: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.release = release
        self.rendered = folder / "rendered"
        self.prometheus_url = f"http://127.0.0.1:{free_port()}"
        self.alertmanager_url = f"http://127.0.0.1:{free_port()}"
        self._settings = dict(settings)
        self._adapt = adapt
        self._program = program
        self._prometheus_flags = prometheus_flags
        super().__init__()

    def _start(self) -> None:
        enter = self._cleanup.enter_context
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "smtp").mkdir()
        self.telegram = enter(FakeTelegram())
        self.smtp = enter(SmtpServer(self.folder / "smtp"))
        self.exporter = Exporter(self.folder / "exporter", self._configuration())
        if self._program is not None:
            self.exporter.command[1:3] = [str(self._program)]
        self._cleanup.callback(self.exporter.stop)
        # Else an alert of severity info would be there for as long as the stack lives.
        for name in self._settings.get("backups", {}).get("sets", ()):
            backup_mark.note(self.exporter.state, name, "rehearsed")
        self.exporter.start()
        self.render()
        self.alertmanager = enter(self._alertmanager())
        self.prometheus = enter(self._prometheus())

    def _configuration(self) -> str:
        token, password = self.folder / "token", self.folder / "password"
        for file, secret in ((token, self.telegram.token), (password, self.smtp.password)):
            file.write_text(secret + "\n")
            file.chmod(0o600)
        notifications = {
            **self._settings.pop("notifications", {}),
            "telegram": {
                "bot_token_file": str(token),
                "chat_id": self.telegram.chat_id,
                "api_url": self.telegram.url,
            },
            "email": {
                "to": ["admin@example.net"],
                "sender": "watch@example.net",
                "smarthost": self.smtp.address,
                "username": self.smtp.username,
                "password_file": str(password),
                "ca_file": str(self.smtp.ca_file),
            },
        }
        report = {**self._settings.pop("report", {}), "prometheus_url": self.prometheus_url}
        settings = {**self._settings, "notifications": notifications, "report": report}
        return yaml.safe_dump({"hostname": INSTANCE, **settings})

    def render(self) -> None:
        """Write Alertmanager's and Prometheus' files as an admin would."""
        subprocess.run(
            [
                *(sys.executable, "-m", "mailserver_exporter", "render", f"--config.file={self.exporter.config}"),
                f"--output={self.rendered}",
                f"--exporter.url={self.exporter.url}",
                f"--prometheus.url={self.prometheus_url}",
                f"--alertmanager.url={self.alertmanager_url}",
            ],
            env={**os.environ, "PYTHONPATH": str(ROOT / "exporter")},
            check=True,
            capture_output=True,
        )
        if self._adapt is not None:
            self._adapt(self.rendered)

    def _alertmanager(self) -> Program:
        return Program(
            [
                program("prometheus-alertmanager", self.release),
                f"--config.file={self.rendered / 'alertmanager.yml'}",
                f"--storage.path={self.folder / 'alertmanager'}",
                f"--web.listen-address={self.alertmanager_url.removeprefix('http://')}",
                "--cluster.listen-address=",
            ],
            self.folder / "alertmanager.log",
            ready=lambda: answers(f"{self.alertmanager_url}/-/ready"),
        )

    def _prometheus(self) -> Program:
        return Program(
            [
                program("prometheus", self.release),
                f"--config.file={self.rendered / 'prometheus.yml'}",
                f"--storage.tsdb.path={self.folder / 'prometheus'}",
                f"--web.listen-address={self.prometheus_url.removeprefix('http://')}",
                *self._prometheus_flags,
            ],
            self.folder / "prometheus.log",
            ready=lambda: answers(f"{self.prometheus_url}/-/ready"),
            seconds=40,
        )

    # What they say

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the vector that Prometheus answers."""
        answer = requests.get(f"{self.prometheus_url}/api/v1/query", params={"query": expression}, timeout=10)
        answer.raise_for_status()
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        return result

    def alerts(self, state: str) -> list[tuple[str, str]]:
        """Return (name, severity) of the alerts that are ``pending`` or ``firing`` in Prometheus."""
        labels = [sample["metric"] for sample in self.query(f'ALERTS{{alertstate="{state}"}}')]
        return sorted((a["alertname"], a["severity"]) for a in labels if a["alertname"] not in ALWAYS)

    def quiet(self) -> bool:
        """Say whether every collector works, no alert is on its way, and Alertmanager holds none."""
        failed = self.query("mailserver_collector_success == 0")
        watched = self.query("mailserver_collector_success == 1")
        held = requests.get(f"{self.alertmanager_url}/api/v2/alerts", timeout=10).json()
        names = {alert["labels"]["alertname"] for alert in held}
        alerts = self.alerts("pending") + self.alerts("firing")
        return bool(watched) and not failed and not alerts and names <= ALWAYS

    def logged(self) -> Iterator[dict[str, Any]]:
        """Yield the whole lines of the alert log, without what is there always."""
        file = self.exporter.state / "alerts.jsonl"
        written, _, _ = (file.read_text() if file.exists() else "").rpartition("\n")
        for line in written.splitlines():
            record = json.loads(line)
            if record["alertname"] not in ALWAYS:
                yield record
