"""The configuration file: what can be set, and what holds when nothing is.

Everything is optional. What is left out is detected or has the default written here. Secrets are never in the file
itself, only the path of a file that holds one (``*_file``).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from pathlib import Path

from mailserver_exporter.schema import ConfigError, Problem, read_file
from mailserver_exporter.settings.backups import BackupsSection
from mailserver_exporter.settings.care import SystemdSection, TextfileSection, UpdatesSection
from mailserver_exporter.settings.dns import BlocklistsSection, DnsSection
from mailserver_exporter.settings.host import ContainersSection, Fail2banSection, FilesystemSection, ProcessesSection
from mailserver_exporter.settings.limits import Limits
from mailserver_exporter.settings.logs import LogsSection
from mailserver_exporter.settings.mail import CertificatesSection, MailStack, PortsSection, QueueSection, VmailSection
from mailserver_exporter.settings.notifications import AlertLog, Notifications
from mailserver_exporter.settings.report import ReportSection
from mailserver_exporter.settings.roundtrip import OutsideRoundtripSection, RoundtripSection
from mailserver_exporter.settings.types import HostName, Section

__all__ = ["Config", "ConfigError", "Problem", "load"]


def _state_directory() -> Path:
    """Where a service manager says that state belongs (systemd.exec(5), StateDirectory=), else the usual place."""
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(given or "/var/lib/mailserver-exporter")


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole file."""

    hostname: HostName | None = None
    state_directory: Path = field(default_factory=_state_directory)
    mail_stack: MailStack = MailStack()

    cpu: Section = Section()
    load: Section = Section()
    memory: Section = Section()
    filesystem: FilesystemSection = FilesystemSection()
    disk: Section = Section()
    network: Section = Section()
    temperature: Section = Section()
    processes: ProcessesSection = ProcessesSection()
    system: Section = Section()
    top: Section = Section()
    containers: ContainersSection = ContainersSection()
    queue: QueueSection = QueueSection()
    ports: PortsSection = PortsSection()
    certificates: CertificatesSection = CertificatesSection()
    fail2ban: Fail2banSection = Fail2banSection()
    vmail: VmailSection = VmailSection()
    roundtrip: RoundtripSection = RoundtripSection()
    roundtrip_outside: OutsideRoundtripSection = OutsideRoundtripSection()
    backups: BackupsSection = BackupsSection()
    dns: DnsSection = DnsSection()
    blocklists: BlocklistsSection = BlocklistsSection()
    logs: LogsSection = LogsSection()
    time: Section = Section()
    systemd: SystemdSection = SystemdSection()
    updates: UpdatesSection = UpdatesSection()
    textfile: TextfileSection = TextfileSection()
    report: ReportSection = ReportSection()

    limits: Limits = Limits()
    notifications: Notifications = Notifications()
    alert_log: AlertLog = AlertLog()

    @property
    def alert_log_file(self) -> Path:
        """Where alerts are logged: beside the state unless the file says otherwise."""
        return self.alert_log.file or self.state_directory / "alerts.jsonl"

    def switched_off(self) -> list[str]:
        """Name the limits that no alert of a usual severity can come from, as ``limits.NAME.SEVERITY``."""
        defaults = Limits()
        off = []
        for limit in fields(Limits):
            usual = {severity for severity, _ in getattr(defaults, limit.name).severities()}
            mine = {limit.name: getattr(self.limits, limit.name)}
            for key, override in getattr(mine[limit.name], "overrides", {}).items():
                mine[f"{limit.name}.overrides.{key}"] = override
            for name, each in mine.items():
                present = {severity for severity, _ in each.severities()}
                off += [f"limits.{name}.{severity}" for severity in sorted(usual - present)]
        return off


def load(path: Path | None) -> Config:
    """Return the configuration in ``path``, or the defaults where there is no path.

    Raises ConfigError with every problem in the file.
    """
    return Config() if path is None else read_file(path, Config())
