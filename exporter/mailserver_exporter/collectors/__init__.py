"""The collectors, one subject a file. The list below is all there is: a collector that is not in it does not run."""

from __future__ import annotations

from mailserver_exporter.collectors.backups import BackupsCollector
from mailserver_exporter.collectors.base import Collector
from mailserver_exporter.collectors.blocklists import BlocklistsCollector
from mailserver_exporter.collectors.certificates import CertificatesCollector
from mailserver_exporter.collectors.containers import ContainersCollector
from mailserver_exporter.collectors.cpu import CpuCollector
from mailserver_exporter.collectors.disk import DiskCollector
from mailserver_exporter.collectors.dns import DnsCollector
from mailserver_exporter.collectors.fail2ban import Fail2banCollector, Fail2banDatabaseCollector
from mailserver_exporter.collectors.filesystem import FilesystemCollector
from mailserver_exporter.collectors.load import LoadCollector
from mailserver_exporter.collectors.logs import LogsCollector
from mailserver_exporter.collectors.memory import MemoryCollector
from mailserver_exporter.collectors.network import NetworkCollector
from mailserver_exporter.collectors.ports import PortsCollector
from mailserver_exporter.collectors.processes import ProcessesCollector
from mailserver_exporter.collectors.queue import QueueCollector, QueueMessagesCollector
from mailserver_exporter.collectors.report import ReportCollector
from mailserver_exporter.collectors.roundtrip import OutsideRoundtripCollector, RoundtripCollector
from mailserver_exporter.collectors.system import SystemCollector
from mailserver_exporter.collectors.systemd import SystemdCollector
from mailserver_exporter.collectors.temperature import TemperatureCollector
from mailserver_exporter.collectors.textfile import TextfileCollector
from mailserver_exporter.collectors.timex import TimexCollector
from mailserver_exporter.collectors.top import TopCollector
from mailserver_exporter.collectors.updates import UpdatesCollector
from mailserver_exporter.collectors.vmail import VmailCollector

COLLECTORS: tuple[type[Collector], ...] = (
    CpuCollector,
    LoadCollector,
    MemoryCollector,
    FilesystemCollector,
    DiskCollector,
    NetworkCollector,
    TemperatureCollector,
    ProcessesCollector,
    SystemCollector,
    TopCollector,
    ContainersCollector,
    QueueCollector,
    QueueMessagesCollector,
    PortsCollector,
    CertificatesCollector,
    RoundtripCollector,
    OutsideRoundtripCollector,
    Fail2banCollector,
    Fail2banDatabaseCollector,
    VmailCollector,
    BackupsCollector,
    DnsCollector,
    BlocklistsCollector,
    LogsCollector,
    TimexCollector,
    SystemdCollector,
    UpdatesCollector,
    ReportCollector,
    # Last, so that what it passes through can be held against all others.
    TextfileCollector,
)
