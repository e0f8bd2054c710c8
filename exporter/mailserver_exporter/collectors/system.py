"""What system this is, since when it runs, and how the kernel as a whole is doing."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, UntypedMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors.base import Collector, Context
from mailserver_exporter.sources import files, kernel, osrelease, pressure, procstat

_VMSTAT = ("oom_kill", "pgfault", "pgmajfault", "pgpgin", "pgpgout", "pswpin", "pswpout")
_OS_LABELS = (
    "build_id",
    "id",
    "id_like",
    "image_id",
    "image_version",
    "name",
    "pretty_name",
    "variant",
    "variant_id",
    "version",
    "version_codename",
    "version_id",
)
# Resource and which of its two totals, the metric's middle part, the help text.
_PRESSURES = (
    ("cpu", "some", "cpu_waiting", "Total time in seconds that processes have waited for CPU time"),
    ("io", "some", "io_waiting", "Total time in seconds that processes have waited due to IO congestion"),
    ("io", "full", "io_stalled", "Total time in seconds no process could make progress due to IO congestion"),
    ("irq", "full", "irq_stalled", "Total time in seconds no process could make progress due to IRQ congestion"),
    ("memory", "some", "memory_waiting", "Total time in seconds that processes have waited for memory"),
    (
        "memory",
        "full",
        "memory_stalled",
        "Total time in seconds no process could make progress due to memory congestion",
    ),
)


class SystemCollector(Collector):
    """The system as a whole: `uptime -s`, `uname -a`, `cat /etc/os-release`, `head /proc/pressure/*`.

    node_boot_time_seconds 1.795304666e+09
    node_time_seconds 1.795306331759825e+09
    node_uname_info{sysname="Linux",release="6.1.0-18-amd64",version="#1 SMP",machine="x86_64",nodename="mail",...} 1
    node_os_info{id="debian",name="Debian GNU/Linux",pretty_name="Debian GNU/Linux 12 (bookworm)",...} 1
    node_os_version{id="debian",id_like="",name="Debian GNU/Linux"} 12
    node_pressure_memory_waiting_seconds_total 0.08
    node_vmstat_oom_kill 0
    node_filefd_allocated 783
    node_filefd_maximum 9.2e+18
    node_nf_conntrack_entries 21
    node_nf_conntrack_entries_limit 262144

    What a kernel does not have (pressure before 4.20 or without psi=1, connection tracking not loaded) has no series.
    """

    name = "system"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._newest = ""

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        booted = procstat.parse(self._read("stat")).boot_time
        yield GaugeMetricFamily("node_boot_time_seconds", "Node boot time, in unixtime.", booted)
        yield GaugeMetricFamily("node_time_seconds", "System time in seconds since epoch (1970).", time.time())
        yield self._uname()
        yield from self._os()
        yield from self._pressure()
        for name, value in kernel.vmstat(self._read("vmstat"), _VMSTAT).items():
            yield UntypedMetricFamily(f"node_vmstat_{name}", f"/proc/vmstat information field {name}.", value)
        handles = kernel.file_handles(self._read("sys/fs/file-nr"))
        yield GaugeMetricFamily("node_filefd_allocated", "File descriptor statistics: allocated.", handles.allocated)
        yield GaugeMetricFamily("node_filefd_maximum", "File descriptor statistics: maximum.", handles.maximum)
        yield from self._connection_tracking()

    def found(self) -> str:
        """Say what runs here."""
        return ", ".join(filter(None, (self._newest, f"Linux {os.uname().release}")))

    def _read(self, name: str) -> bytes:
        return files.read(self.context.host.proc(name))

    def _read_optional(self, name: str) -> bytes | None:
        """Read a file that a kernel may lack, or have and refuse to read (pressure that was switched off at boot)."""
        try:
            return self._read(name)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EOPNOTSUPP):
                return None
            raise

    def _uname(self) -> Metric:
        # In a container the node name is the container's own; everything else is the kernel's, the same for all.
        system = os.uname()
        labels = {
            "sysname": system.sysname,
            "release": system.release,
            "version": system.version,
            "machine": system.machine,
            "nodename": self.context.host.hostname(),
            "domainname": self._read("sys/kernel/domainname").decode("utf-8", "replace").strip(),
        }
        help_text = "Labeled system information as provided by the uname system call."
        family = GaugeMetricFamily("node_uname_info", help_text, labels=list(labels))
        family.add_metric(list(labels.values()), 1)
        return family

    def _os(self) -> Iterator[Metric]:
        for path in ("/etc/os-release", "/usr/lib/os-release"):
            try:
                found = osrelease.parse(files.read(self.context.host.path(path)))
                break
            except FileNotFoundError:
                continue
        else:
            return
        labels = {name: found.get(name.upper(), "") for name in _OS_LABELS}
        help_text = f"A metric with a constant '1' value labeled by {', '.join(_OS_LABELS)}."
        self._newest = labels["pretty_name"] or labels["name"]
        info = GaugeMetricFamily("node_os_info", help_text, labels=list(labels))
        info.add_metric(list(labels.values()), 1)
        yield info
        version = osrelease.version(found)
        if version is not None:
            names = ["id", "id_like", "name"]
            help_text = "Metric containing the major.minor part of the OS version."
            family = GaugeMetricFamily("node_os_version", help_text, labels=names)
            family.add_metric([labels[name] for name in names], version)
            yield family

    def _pressure(self) -> Iterator[Metric]:
        for resource in ("cpu", "io", "irq", "memory"):
            data = self._read_optional(f"pressure/{resource}")
            if data is None:
                continue
            found = pressure.parse(data)
            for of, kind, name, help_text in _PRESSURES:
                value = found.some if kind == "some" else found.full
                if of == resource and value is not None:
                    yield CounterMetricFamily(f"node_pressure_{name}_seconds", help_text, value)

    def _connection_tracking(self) -> Iterator[Metric]:
        count = self._read_optional("sys/net/netfilter/nf_conntrack_count")
        limit = self._read_optional("sys/net/netfilter/nf_conntrack_max")
        if count is None or limit is None:
            return
        yield GaugeMetricFamily(
            "node_nf_conntrack_entries",
            "Number of currently allocated flow entries for connection tracking.",
            kernel.number(count, "nf_conntrack_count"),
        )
        yield GaugeMetricFamily(
            "node_nf_conntrack_entries_limit",
            "Maximum size of connection tracking table.",
            kernel.number(limit, "nf_conntrack_max"),
        )
