"""A real Alertmanager with the configuration that `render` writes, and something to post alerts with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import requests
import yaml

from mailserver_exporter import render
from mailserver_exporter.config import Config
from mailserver_exporter.schema import read_text
from tests.support.processes import Program, answers, free_port
from tests.support.smtp import SmtpServer
from tests.support.telegram import FakeTelegram
from tests.support.tools import program

INSTANCE = "mail.example.org"
SENDER = "watch@example.net"
RECIPIENTS = ["admin@example.net", "second@example.net"]


def notifications(
    folder: Path,
    telegram: FakeTelegram | None = None,
    smtp: SmtpServer | None = None,
    heartbeat: str = "",
    throttle: float = 3600,
) -> dict[str, Any]:
    """Return the section of config.yml that tells these, with their secrets in files below ``folder``."""
    section: dict[str, Any] = {"throttle": f"{throttle:g}s"}
    if telegram:
        section["telegram"] = {
            "bot_token_file": _secret(folder / "telegram-token", telegram.token),
            "chat_id": telegram.chat_id,
            "api_url": telegram.url,
        }
    if smtp:
        section["email"] = {
            "to": RECIPIENTS,
            "sender": SENDER,
            "smarthost": smtp.address,
            "username": smtp.username,
            "password_file": _secret(folder / "smtp-password", smtp.password),
            "ca_file": str(smtp.ca_file),
        }
    if heartbeat:
        section["heartbeat"] = {"url_file": _secret(folder / "heartbeat-url", heartbeat)}
    return section


def _secret(path: Path, text: str) -> str:
    path.write_text(text + "\n")
    path.chmod(0o600)
    return str(path)


class Alertmanager(Program):
    """Alertmanager of a Debian release, its files below ``folder``.

    ``settings`` is config.yml as data. ``waits`` replaces the group_wait, group_interval or repeat_interval of the
    routes to the receivers that it names, such as ``{"telegram": {"group_wait": "1s"}}``.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any],
        *,
        release: str,
        exporter_url: str = "http://127.0.0.1:9",
        waits: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.release = release
        self.url = f"http://127.0.0.1:{free_port()}"
        self.configuration = folder / "rendered" / "alertmanager.yml"
        config = read_text(yaml.safe_dump(dict(settings)), "config.yml", Config())
        secrets = render.read_secrets(config.notifications, "config.yml")
        urls = render.Urls(exporter=exporter_url, alertmanager=self.url)
        render.write(self.configuration.parent, config, INSTANCE, urls, secrets)
        if waits:
            self._change(waits)
        super().__init__(
            [
                program("prometheus-alertmanager", release),
                f"--config.file={self.configuration}",
                f"--storage.path={folder / 'data'}",
                f"--web.listen-address={self.url.removeprefix('http://')}",
                "--cluster.listen-address=",
            ],
            folder / "alertmanager.log",
            ready=lambda: answers(f"{self.url}/-/ready"),
            environment={"TZ": "UTC"},
        )

    def _change(self, waits: Mapping[str, Mapping[str, str]]) -> None:
        content = yaml.safe_load(self.configuration.read_text())
        for route in content["route"]["routes"]:
            route.update(waits.get(route["receiver"], {}))
        self.configuration.write_text(yaml.safe_dump(content))

    def post(self, *alerts: Mapping[str, Any]) -> None:
        """Hand over alerts as Prometheus does."""
        answer = requests.post(f"{self.url}/api/v2/alerts", json=alerts, timeout=10)
        assert answer.ok, answer.text

    def alerts(self) -> list[dict[str, Any]]:
        """Return what it holds, inhibited alerts included."""
        answer = requests.get(f"{self.url}/api/v2/alerts", timeout=10)
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()
        return found


def alert(
    name: str,
    severity: str = "critical",
    *,
    resolved: bool = False,
    texts: Mapping[str, str] | None = None,
    **labels: str,
) -> dict[str, Any]:
    """Return an alert that fires now, or ends now, as Prometheus posts it."""
    now = datetime.now(timezone.utc)
    return {
        "labels": {"alertname": name, "severity": severity, "instance": INSTANCE, **labels},
        "annotations": {
            "summary": f"{labels.get('instance', INSTANCE)}: {name} {labels.get('target', '')}".strip(),
            "description": f"What {name} means for the mail.",
            "action": f"journalctl -u {name.lower()} -n 50",
            "runbook_url": f"https://example.org/runbooks/{name}.md",
            **(texts or {}),
        },
        "startsAt": (now - timedelta(seconds=0.5 if resolved else 0)).isoformat(),
        "endsAt": (now if resolved else now + timedelta(minutes=10)).isoformat(),
    }
