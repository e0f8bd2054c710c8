"""The subjects of the report, one module each: what to ask, what to show, and what to advise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from mailserver_exporter.report.language import Language
from mailserver_exporter.report.model import Action, Section
from mailserver_exporter.report.prometheus import Prometheus
from mailserver_exporter.report.sections import (
    alerts,
    backups,
    certificates,
    containers,
    dns,
    errors,
    filesystems,
    host,
    mail,
    queue,
    roundtrips,
    security,
    services,
    updates,
)


class Part(Protocol):
    """A module of this package; F is its own frozen dataclass."""

    def measure(self, prometheus: Prometheus) -> Any:
        """Return what Prometheus knows of the subject (F), None where it is not watched. Raises PrometheusError."""

    def show(self, facts: Any, say: Language) -> Section:
        """Return it for the reader."""

    def advise(self, facts: Any, say: Language) -> Iterator[Action]:
        """Yield what to do about it; each has a rule that a test knows by name."""


PARTS: tuple[Part, ...] = (
    alerts,
    host,
    filesystems,
    services,
    containers,
    queue,
    mail,
    roundtrips,
    errors,
    security,
    certificates,
    dns,
    backups,
    updates,
)
