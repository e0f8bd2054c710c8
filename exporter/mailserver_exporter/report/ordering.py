"""From the configuration to what the report's parts are given, and the one who writes it when it is due."""

from __future__ import annotations

import http.client
import os
import secrets
from dataclasses import replace
from datetime import datetime, time

from mailserver_exporter.config import Config
from mailserver_exporter.host import Host
from mailserver_exporter.report import zone
from mailserver_exporter.report.delivery import Delivery
from mailserver_exporter.report.outbox import Outbox
from mailserver_exporter.report.period import Period
from mailserver_exporter.report.schedule import Schedule
from mailserver_exporter.settings.notifications import Email
from mailserver_exporter.sources import SourceError, https

_PROMETHEUS_URL = "http://127.0.0.1:9090"
_READY_SECONDS = 3.0


def prometheus_url(config: Config) -> str:
    """Return the URL of the configuration, else of the environment, else of this machine."""
    return config.report.prometheus_url or os.environ.get("MAILSERVER_EXPORTER_PROMETHEUS_URL") or _PROMETHEUS_URL


def prometheus_is_ready(config: Config) -> bool:
    """Say whether a Prometheus answers, and has read what it keeps (/-/ready, which says 503 while it has not)."""
    try:
        answer = https.get(f"{prometheus_url(config).rstrip('/')}/-/ready", _READY_SECONDS)
    except (http.client.HTTPException, OSError, ValueError):
        return False
    return answer.status != http.HTTPStatus.SERVICE_UNAVAILABLE


def settings(config: Config) -> Email:
    """Return to whom the report goes and through which server. Raises SourceError where there is none."""
    email = config.notifications.email
    if email is None:
        raise SourceError(
            "there is no mail server to send the report through",
            remedy="set notifications.email, or report.enabled: false",
        )
    return replace(email, to=config.report.to) if config.report.to else email


def delivery(config: Config, host: Host) -> Delivery:
    """Return who sends the daily report. Raises SourceError where the configuration does not say how."""
    where, name = zone.find(host, config.report.time_zone)
    schedule = Schedule(time.fromisoformat(config.report.at), where, f"{config.report.at} {name}")
    writer = DailyWriter(config, host)
    outbox = Outbox(config.state_directory)
    return Delivery(outbox, schedule, settings(config), writer, hello=config.hostname or host.hostname())


class DailyWriter:
    """Writes the report of the 24 hours before it is due."""

    def __init__(self, config: Config, host: Host) -> None:
        self._config = config
        self._host = host

    def message_id(self, moment: datetime) -> str:
        """Return a Message-ID, another one each time."""
        return new_message_id(self._config, self._host, moment, "daily")

    def message(self, moment: datetime, message_id: str, missed: str) -> bytes:
        """Return the report; ``missed`` says why the one before could not be sent."""
        from mailserver_exporter.report import run

        config = self._config
        order = run.Order(
            config, self._host, Period.before(moment), config.report.language, prometheus_url(config), missed=missed
        )
        return run.write(run.make(order), settings(config), message_id)


def new_message_id(config: Config, host: Host, moment: datetime, kind: str) -> str:
    """Return a Message-ID of this kind that no other message has."""
    from mailserver_exporter.report import message

    domain = message.domain_of(settings(config).sender)
    name = config.hostname or host.hostname()
    return message.message_id(name, moment, domain, f"{kind}-{secrets.token_hex(4)}")
