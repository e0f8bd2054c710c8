"""A file system that hangs, as one on a dead NFS server does, holds up nothing.

Here it is a FUSE file system whose program is stopped: statvfs(2) on it does not come back, as with NFS.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.exporter import Exporter
from tests.support.fuse_server import AVAILABLE, BLOCK_SIZE, BLOCKS, FILES, FREE
from tests.support.metrics import Exposition
from tests.support.mounts import fuse_mounted, mounted
from tests.support.processes import wait_for

# The rest is off, so that the times measured here are those of the file systems.
ONLY = "".join(
    f"{name}: {{enabled: false}}\n"
    for name in ("processes", "system", "top", "containers", "queue", "ports", "fail2ban", "vmail")
)


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[Exporter]:
    with Exporter(tmp_path / "exporter", ONLY) as exporter:
        exporter.scrape()
        yield exporter


def _error(found: Exposition, mountpoint: Path) -> float:
    return found.value("node_filesystem_device_error", mountpoint=str(mountpoint))


def _timed(exporter: Exporter) -> tuple[float, Exposition]:
    started = time.monotonic()
    found = exporter.scrape()
    return time.monotonic() - started, found


def test_is_told_and_waited_for_once_and_recovers_by_itself(exporter: Exporter, tmp_path: Path) -> None:
    place, beside = tmp_path / "nfs", tmp_path / "beside"
    with fuse_mounted(place, tmp_path) as server, mounted(beside, "-t", "tmpfs", "-o", "size=1m", "tests"):
        sizes = {
            "size_bytes": BLOCKS * BLOCK_SIZE,
            "free_bytes": FREE * BLOCK_SIZE,
            "avail_bytes": AVAILABLE * BLOCK_SIZE,
            "files": FILES,
        }
        healthy = exporter.scrape()
        assert _error(healthy, place) == 0
        assert {n: healthy.value(f"node_filesystem_{n}", mountpoint=str(place)) for n in sizes} == sizes

        server.send(signal.SIGSTOP)
        took, first = _timed(exporter)
        assert took < 3
        assert _error(first, place) == 1
        assert first.all("node_filesystem_size_bytes", mountpoint=str(place)) == []
        assert first.value("node_filesystem_size_bytes", mountpoint=str(beside)) == 1 << 20
        assert first.value("mailserver_collector_success", collector="filesystem") == 1
        assert first.value("mailserver_collector_success", collector="memory") == 1

        for _ in range(5):
            took, later = _timed(exporter)
            assert took < 1
            assert _error(later, place) == 1
            assert _error(later, beside) == 0

        server.send(signal.SIGCONT)
        wait_for("the file system is reported again", lambda: _error(exporter.scrape(), place) == 0, 5)
        again = exporter.scrape()
        assert {n: again.value(f"node_filesystem_{n}", mountpoint=str(place)) for n in sizes} == sizes
        assert "does not answer" in exporter.output()
        assert exporter.output().count(str(place)) == 2  # that it hangs, and that it works again


def test_many_at_once_take_no_longer_than_one(exporter: Exporter, tmp_path: Path) -> None:
    places, beside = [tmp_path / f"nfs{number}" for number in range(6)], tmp_path / "beside"
    with ExitStack() as stack:
        servers = [stack.enter_context(fuse_mounted(place, tmp_path)) for place in places]
        stack.enter_context(mounted(beside, "-t", "tmpfs", "tests"))
        exporter.scrape()
        for server in servers:
            server.send(signal.SIGSTOP)
        took, found = _timed(exporter)
        assert took < 3
        assert [_error(found, place) for place in places] == [1] * len(places)
        assert _error(found, beside) == 0


def test_one_that_is_replaced_while_it_hangs_is_reported_at_once(exporter: Exporter, tmp_path: Path) -> None:
    place = tmp_path / "nfs"
    with fuse_mounted(place, tmp_path) as server:
        exporter.scrape()
        server.send(signal.SIGSTOP)
        assert _error(exporter.scrape(), place) == 1
        subprocess.run(["umount", "--lazy", place], check=True)

        with mounted(place, "-t", "tmpfs", "-o", "size=1m", "tests"):
            assert exporter.scrape().value("node_filesystem_size_bytes", mountpoint=str(place)) == 1 << 20


def test_the_exporter_ends_while_one_hangs(exporter: Exporter, tmp_path: Path) -> None:
    place = tmp_path / "nfs"
    with fuse_mounted(place, tmp_path) as server:
        server.send(signal.SIGSTOP)
        assert _error(exporter.scrape(), place) == 1
        started = time.monotonic()
        assert exporter.stop() == 0
        assert time.monotonic() - started < 5
