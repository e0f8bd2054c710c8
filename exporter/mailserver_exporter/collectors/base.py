"""What a collector is, and what it is given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.config import Config
from mailserver_exporter.expectations import Expectations
from mailserver_exporter.finding import Finding
from mailserver_exporter.hanging_calls import HangingCalls
from mailserver_exporter.host import Host
from mailserver_exporter.mailstack import MailStack
from mailserver_exporter.settings.limits import Limit
from mailserver_exporter.settings.types import Section
from mailserver_exporter.sources import SourceError, files
from mailserver_exporter.sources.processes import ProcessTable


@dataclass(frozen=True)
class Context:
    """Everything that a collector may use."""

    config: Config
    host: Host
    expectations: Expectations
    mailstack: MailStack
    config_file: Path | None = None

    @cached_property
    def process_table(self) -> ProcessTable:
        """The host's processes, here because several collectors need them and one scan should serve all."""
        return ProcessTable(self.host.proc("").rstrip("/"))

    @cached_property
    def roundtrips(self) -> dict[str, Any]:
        """The collectors of round trips by name: one of them shows what all have found, as one family a metric."""
        return {}

    @cached_property
    def hanging_calls(self) -> HangingCalls:
        """For calls that may never come back; here because no collector starts threads of its own."""
        return HangingCalls()


@dataclass(frozen=True)
class Detection:
    """Whether a collector's subject is on this host, and in words what was found or where it was looked for."""

    found: bool
    detail: str


@dataclass(frozen=True)
class Schedule:
    """When a collector runs.

    ``every`` is None for collectors that run at the scrape, else the seconds between two runs in the background.
    After ``deadline`` seconds a run is given up: the scrape goes out without it.
    """

    every: float | None = None
    deadline: float = 3.0


class Collector(ABC):
    """One subject: names its metrics and gets their values from sources."""

    name: ClassVar[str]
    schedule: ClassVar[Schedule] = Schedule()
    # Set where the names of the families are somebody else's choice; where ours have the same one, ours is shown.
    passes_through: ClassVar[bool] = False
    # Set where it has to run also when nobody scrapes.
    unasked: ClassVar[bool] = False

    def __init__(self, context: Context) -> None:
        self.context = context

    @property
    def section(self) -> Section:
        """The collector's section of the configuration file."""
        section: Section = getattr(self.context.config, self.name)
        return section

    def detect(self) -> Detection:
        """Say whether the subject is here. Called often: must be cheap and must not raise."""
        return Detection(True, "part of every Linux host")

    @abstractmethod
    def collect(self) -> Iterable[Metric]:
        """Measure and return complete metric families; raise to fail the collector as a whole.

        Called from one thread at a time, but not always the same one.
        """

    def found(self) -> str:
        """Say for people in a few words what the newest run, which succeeded, has found; nothing: as detected."""
        return ""

    def findings(self) -> Iterable[Finding]:
        """Say for ``check`` what the newest run found of single things, such as each log or each domain.

        Called after a run has ended, whether it succeeded or not. What fails the collector as a whole is told anyway.
        """
        return ()

    def close(self) -> None:  # noqa: B027 - most collectors hold nothing open
        """Let go of connections and files; the collector is not used afterwards."""


def read_of_first_process(host: Host, name: str, fallback: str) -> bytes:
    """Read a file of /proc as process 1 sees it: its mounts and its network are the host's, also from a container.

    On the host itself ``fallback`` serves those who may not read it. Raises SourceError in a container, where our own
    mounts and network would pass for the host's.
    """
    try:
        return files.read(host.proc(f"1/{name}"))
    except (FileNotFoundError, PermissionError) as error:
        if host.in_container:
            raise SourceError(
                f"cannot read {error.filename}: {error.strerror}",
                remedy=f"mount the host's / with its /proc at {host.rootfs}, as compose/compose.yml does",
            ) from error
        return files.read(host.proc(fallback))


def thresholds(name: str, help_text: str, limits: Iterable[tuple[dict[str, str], Limit]]) -> GaugeMetricFamily:
    """Return the series ``mailserver_threshold_NAME`` for each (key labels, limit).

    Every limit must have the same label names. A severity without a limit has no series.
    """
    limits = list(limits)
    names = [*limits[0][0], "severity"] if limits else ["severity"]
    family = GaugeMetricFamily(f"mailserver_threshold_{name}", help_text, labels=names)
    for labels, limit in limits:
        for severity, value in limit.severities():
            family.add_metric([*labels.values(), severity], value)
    return family
