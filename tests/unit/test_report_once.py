"""An alert that fires and what the host's sections advise about the same are one thing in the report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import pytest

from mailserver_exporter.report.compose import compose
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.outages import Availability, Measured, Outage
from mailserver_exporter.report.period import Period
from mailserver_exporter.report.prometheus import Compared
from mailserver_exporter.report.sections import Part, alerts, containers, filesystems, services

NOW = datetime(2026, 11, 22, 2, tzinfo=timezone.utc)
PERIOD = Period.before(NOW)
NONE = Compared(None, None, None)


def rules(part: Part, facts: Any, name: str, severity: str, labels: Mapping[str, str]) -> list[str]:
    """Return the rules of all actions of a report while an alert fires."""
    alert = alerts.Alert(name, severity, {"alertname": name, **labels}, 1, 600.0, NOW.timestamp() - 600, firing=True)
    parts = [(part, facts), (alerts, alerts.Facts((alert,)))]
    say = Language("en", timezone.utc)
    return [action.rule for action in compose("mail", PERIOD, NOW, say, parts).actions]


def down(name: str, where: str, kind: str) -> services.Facts:
    """Return a service that is down now."""
    end = NOW.timestamp()
    availability = Availability(False, NONE, 600.0, 1, (Outage(end - 600, end, 600.0),))
    return services.Facts((services.Service(kind, name, where, availability),), Measured(1.0))


@pytest.mark.parametrize(
    ("part", "facts", "name", "severity", "labels", "rule"),
    [
        (
            services,
            down("postfix-mailcow", "mailcow", "service"),
            "ServiceDown",
            "critical",
            {"collector": "containers", "project": "mailcow", "service": "postfix-mailcow"},
            "services-down",
        ),
        (
            services,
            down("127.0.0.1:25", "smtp", "port"),
            "PortDown",
            "critical",
            {"collector": "ports", "target": "127.0.0.1:25", "module": "smtp"},
            "services-down",
        ),
        (
            services,
            down("certbot.timer", "", "unit"),
            "SystemdUnitInactive",
            "warning",
            {"collector": "systemd", "name": "certbot.timer"},
            "services-down",
        ),
        (
            containers,
            containers.Facts((), NONE, {}, {}, {}, answers=False),
            "DockerDown",
            "critical",
            {"collector": "containers", "mail_stack": "mailcow"},
            "docker-does-not-answer",
        ),
        (
            containers,
            containers.Facts((containers.Container("a-1", "running", oom_kills=1),), NONE, {}, {}, {}, answers=True),
            "ContainerOomKilled",
            "warning",
            {"collector": "containers", "name": "a-1"},
            "container-killed-for-want-of-memory",
        ),
        (
            filesystems,
            filesystems.Facts(
                (filesystems.Filesystem("/", 1.0, 0.05, Compared(0.95, None, None), limits={"critical": 0.9}),)
            ),
            "FilesystemSpaceLow",
            "critical",
            {"collector": "filesystem", "mountpoint": "/"},
            "filesystem-over-its-limit",
        ),
    ],
)
def test_one_cause_is_one_thing_to_do(
    part: Part, facts: Any, name: str, severity: str, labels: Mapping[str, str], rule: str
) -> None:
    assert rules(part, facts, name, severity, labels) == [rule]


def test_an_alert_about_something_else_is_told_as_well() -> None:
    facts = down("127.0.0.1:25", "smtp", "port")
    labels = {"collector": "ports", "target": "127.0.0.1:993", "module": "imap_tls"}
    assert rules(services, facts, "PortDown", "critical", labels) == ["services-down", "alert-fires"]
