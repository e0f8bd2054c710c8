"""Disks."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailserver_exporter.collectors.disk import DiskCollector
from mailserver_exporter.sources import SourceError, diskstats
from tests.support.contexts import context
from tests.support.metrics import Exposition

# cat /proc/diskstats, shortened; sda of Linux 4.9, dm-0 of Linux 5.4, the others of Linux 6.18
DISKSTATS = b"""\
   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
 254       0 vda 41000 11415 4522074 14074 12459 21041 3539040 7815 3 7272 22333 4963 34 508880 384 1565 58
 254       1 vda1 41000 11415 4522074 14074 12459 21041 3539040 7815 3 7272 22333 4963 34 508880 384 1565 58
 259       0 nvme0n1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17
 259       1 nvme0n1p2 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17
 253       0 zram0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
   8       0 sda 1 2 3 4 5 6 7 8 9 10 11
 252       0 dm-0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
"""


def test_parses_what_the_kernel_writes_in_bytes_and_seconds() -> None:
    disk = diskstats.parse(DISKSTATS)["vda"]

    assert (disk.reads_completed, disk.read_bytes, disk.read_time_seconds) == (41000, 4522074 * 512, 14.074)
    assert (disk.io_now, disk.io_time_seconds, disk.io_time_weighted_seconds) == (3, 7.272, 22.333)
    assert (disk.discarded_sectors, disk.discard_time_seconds) == (508880, 0.384)
    assert (disk.flush_requests, disk.flush_requests_time_seconds) == (1565, 0.058)


def test_knows_what_older_kernels_do_not_count() -> None:
    disks = diskstats.parse(DISKSTATS)

    assert (disks["sda"].io_time_weighted_seconds, disks["sda"].discards_completed) == (0.011, None)
    assert (disks["dm-0"].discard_time_seconds, disks["dm-0"].flush_requests) == (0.015, None)


def test_leaves_out_fields_that_kernels_to_come_may_add() -> None:
    longer = DISKSTATS.replace(b" 1565 58\n", b" 1565 58 99 99\n")

    assert diskstats.parse(longer) == diskstats.parse(DISKSTATS)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (DISKSTATS[:-30], "too short"),
        (DISKSTATS.replace(b"4522074", b"-x"), "not numbers"),
        (b"\x00" * 100, "too short"),
    ],
)
def test_says_what_is_wrong_with_a_broken_file(data: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        diskstats.parse(data)


def _collector(folder: Path) -> DiskCollector:
    return DiskCollector(context(folder, rootfs=folder))


def test_exports_whole_disks_only(tmp_path: Path) -> None:
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "diskstats").write_bytes(DISKSTATS)

    found = Exposition.of(_collector(tmp_path).collect())

    assert [sample.labels["device"] for sample in found.all("node_disk_io_now")] == ["vda", "nvme0n1", "sda", "dm-0"]
    assert found.value("node_disk_written_bytes_total", device="vda") == 3539040 * 512
    assert [sample.labels["device"] for sample in found.all("node_disk_flush_requests_total")] == ["vda", "nvme0n1"]


def test_is_not_found_where_the_kernel_shows_no_disks(tmp_path: Path) -> None:
    assert not _collector(tmp_path).detect().found
