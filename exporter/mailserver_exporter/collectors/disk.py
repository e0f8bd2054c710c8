"""What the disks do."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors.base import Collector, Context, Detection
from mailserver_exporter.finding import shortened
from mailserver_exporter.sources import diskstats, files

# Partitions, memory, loops and floppies: node_exporter's default of --collector.diskstats.device-exclude.
_EXCLUDED = re.compile(r"(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+")

_HELP = {
    "reads_completed": "Reads that were completed.",
    "reads_merged": "Reads that were merged with a neighbouring one.",
    "read_bytes": "Bytes read.",
    "read_time_seconds": "Time that all reads took together.",
    "writes_completed": "Writes that were completed.",
    "writes_merged": "Writes that were merged with a neighbouring one.",
    "written_bytes": "Bytes written.",
    "write_time_seconds": "Time that all writes took together.",
    "io_now": "Requests that are in progress now.",
    "io_time_seconds": "Time in which at least one request was in progress.",
    "io_time_weighted_seconds": "Time that requests were in progress, times their number.",
    "discards_completed": "Discards that were completed.",
    "discards_merged": "Discards that were merged with a neighbouring one.",
    "discarded_sectors": "Sectors of 512 bytes that were discarded.",
    "discard_time_seconds": "Time that all discards took together.",
    "flush_requests": "Flushes that were completed.",
    "flush_requests_time_seconds": "Time that all flushes took together.",
}


class DiskCollector(Collector):
    """Whole block devices (disks, mdraid, device mapper), as `cat /proc/diskstats` shows them.

    node_disk_reads_completed_total{device="sda"} 41012
    node_disk_read_bytes_total{device="sda"} 2.315465728e+09
    node_disk_io_time_seconds_total{device="sda"} 7.272
    node_disk_io_now{device="sda"} 0
    """

    name = "disk"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._watched: list[str] = []

    def detect(self) -> Detection:
        """Look for the file: some containers that pass for hosts have none."""
        path = self.context.host.proc("diskstats")
        return Detection(True, path) if os.path.exists(path) else Detection(False, f"there is no {path}")

    def collect(self) -> Iterator[Metric]:
        """Yield one family for each field of the file."""
        devices = diskstats.parse(files.read(self.context.host.proc("diskstats")))
        watched = {device: stats for device, stats in devices.items() if not _EXCLUDED.fullmatch(device)}
        self._watched = list(watched)
        for field in diskstats.FIELDS:
            kind = GaugeMetricFamily if field == "io_now" else CounterMetricFamily
            family = kind(f"node_disk_{field}", _HELP[field], labels=["device"])
            for device, stats in watched.items():
                value = getattr(stats, field)
                if value is not None:
                    family.add_metric([device], value)
            yield family

    def found(self) -> str:
        """Say which disks there are."""
        return shortened(self._watched) or "no disk"
