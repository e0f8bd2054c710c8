"""What the daily report takes on a large host: seconds and memory, and whether any of it stays in the exporter."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.benchmarks.figures import MIB, peak_rss_bytes, rss_bytes, table
from tests.support import history
from tests.support.exporter import Exporter
from tests.support.history_host import INSTANCE, JOB, START
from tests.support.history_series import DAY, END, Recorder, Span, write
from tests.support.processes import wait_for
from tests.support.report_post import Post, post
from tests.support.tools import ROOT

CONTAINERS, FILESYSTEMS = 500, 40
MAX_SECONDS, MAX_BYTES = 20.0, 200 * MIB
# What errands/__main__.py leaves an errand in the container of compose.yml.
IN_CONTAINER = (128 - 48) * MIB
_PAUSE = 0.01


def measure(folder: Path) -> bool:
    """Print the table; return whether the budget holds."""
    with post(folder) as place:
        rows = []
        for name, more in (("19 containers", 0), (f"{CONTAINERS} containers, {FILESYSTEMS} file systems", CONTAINERS)):
            with _prometheus(folder / str(more), more) as url:
                rows.append((name, *_report(place, url)))
        before, after = _resident(place)
    table(
        "The daily report",
        ["host", "time", "CPU", "peak RSS", "message"],
        [
            [name, f"{seconds:.1f} s", f"{cpu:.1f} s", f"{peak / MIB:.0f} MiB", f"{size / 1000:.0f} kB"]
            for name, seconds, cpu, peak, size in rows
        ],
    )
    grown = after - before
    print(f"the exporter before and after a report: {before / MIB:.1f} and {after / MIB:.1f} MiB")
    good = all(seconds < MAX_SECONDS and peak < MAX_BYTES for _, seconds, _, peak, _ in rows) and grown < MIB / 2
    print(f"budget: under 20 s and 200 MB, and nothing stays in the exporter: {'holds' if good else 'BROKEN'}")
    return good


@contextlib.contextmanager
def _prometheus(folder: Path, more: int) -> Iterator[str]:
    """Run one that has watched a mail host on a bad day, with so many containers more."""
    folder.mkdir()
    shutil.copytree(history._blocks("bad"), folder / "data")
    if more:
        samples = folder / "samples"
        with samples.open("w") as file:
            write(_large(more).series, Span(START, END + 1), file)
        history._create_blocks("openmetrics", str(samples), str(folder / "data"))
    with history._prometheus(folder, "bookworm") as url:
        yield url


def _large(containers: int) -> Recorder:
    record = Recorder({"instance": INSTANCE, "job": JOB}, begin=START)
    # Only of the day that is told of.
    record.coarse = array("d", (at for at in record.coarse if at >= END - DAY))
    for number in range(containers):
        name = f"shop-{number}-with-a-rather-long-name"
        of = {"name": name, "image": f"registry.example.org/shop/part-{number}:latest"}
        for state in ("running", "restarting", "exited", "paused", "dead", "created"):
            record.gauge("mailserver_container_state", state == "running", coarse=True, name=name, state=state)
        for status in ("healthy", "unhealthy", "starting"):
            healthy = "unhealthy" if number % 50 == 0 else "healthy"
            record.gauge("mailserver_container_health", status == healthy, coarse=True, name=name, status=status)
        record.gauge("mailserver_container_info", 1, coarse=True, project="shop", service=f"part-{number}", **of)
        record.counter("mailserver_container_restarts_total", 0.0001, coarse=True, name=name)
        record.gauge("container_start_time_seconds", START - DAY, coarse=True, **of)
        record.gauge("container_memory_working_set_bytes", number * MIB, coarse=True, **of)
        record.counter("container_cpu_usage_seconds_total", 0.01, whole=False, coarse=True, cpu="total", **of)
        record.gauge("mailserver_service_up", number % 60 > 0, coarse=True, project="shop", service=f"part-{number}")
    for number in range(FILESYSTEMS):
        of = {"device": f"/dev/sd{number}", "fstype": "ext4", "mountpoint": f"/srv/customers/{number}"}
        used = 0.5 + number / FILESYSTEMS / 2
        record.gauge("node_filesystem_size_bytes", 100 * 2**30, coarse=True, **of)
        for what in ("free", "avail"):
            record.gauge(f"node_filesystem_{what}_bytes", (1 - used) * 100 * 2**30, coarse=True, **of)
        record.gauge("mailserver_filesystem_present", 1, coarse=True, mountpoint=of["mountpoint"])
        for severity, limit in (("warning", 0.8), ("critical", 0.9)):
            record.gauge(
                "mailserver_threshold_filesystem_usage_ratio",
                limit,
                coarse=True,
                mountpoint=of["mountpoint"],
                severity=severity,
            )
    return record


def _report(place: Post, prometheus_url: str) -> tuple[float, float, int, int]:
    """Send a report with no more memory than in the container; return seconds, CPU seconds, peak RSS and bytes."""
    config = place.folder / "report.yml"
    config.write_text(yaml.safe_dump({**place.settings(), "hostname": INSTANCE}))
    period = [
        f"--{name}={time.strftime('%Y-%m-%d %H:%M', time.gmtime(at))}" for name, at in (("from", START), ("to", END))
    ]
    arguments = [f"--config.file={config}", *period, f"--prometheus.url={prometheus_url}"]
    command = [sys.executable, "-m", "mailserver_exporter", "report", *arguments]
    limit = ["prlimit", f"--data={IN_CONTAINER}", "--"]
    started = time.monotonic()
    process = subprocess.Popen(
        [*limit, *command], env={**os.environ, "PYTHONPATH": str(ROOT / "exporter"), "MALLOC_ARENA_MAX": "1"}
    )
    peaks = [0]

    def watch() -> None:
        with contextlib.suppress(OSError, ProcessLookupError):
            while True:
                peaks.append(peak_rss_bytes(process.pid))
                time.sleep(_PAUSE)

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    watcher.join()
    assert process.returncode == 0, "no report was sent"
    size = len(place.script.messages[-1])
    return seconds, usage.ru_utime + usage.ru_stime, max(peaks), size


def _resident(place: Post) -> tuple[int, int]:
    """Return the exporter's memory before and after it has sent a report."""
    with Exporter(place.folder / "exporter", yaml.safe_dump(place.settings())) as exporter:
        assert isinstance(exporter, Exporter)
        sent = len(place.script.messages)
        # What a reload takes is none of the report's.
        exporter.send(signal.SIGHUP)
        _rest(exporter)
        before = rss_bytes(exporter.pid)
        place.make_due()
        exporter.send(signal.SIGHUP)
        wait_for("the report is sent", lambda: len(place.script.messages) > sent, 120)
        _rest(exporter)
        return before, rss_bytes(exporter.pid)


def _rest(exporter: Exporter) -> None:
    """Let it measure until nothing is new to it any more."""
    for _ in range(20):
        exporter.scrape()
        time.sleep(0.5)
