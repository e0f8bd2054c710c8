"""What each group of collectors costs: the exporter with everything on and without the group; and what errands cost."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

from mailserver_exporter import errand
from mailserver_exporter.collectors import COLLECTORS
from tests.benchmarks import peers
from tests.benchmarks.figures import MIB, cpu_seconds, rss_bytes, table
from tests.support.contexts import context
from tests.support.exporter import Exporter
from tests.support.mailhost import MailHost
from tests.support.metrics import Exposition
from tests.support.processes import wait_for

RUNS = 3
# As long as it takes until each has been round several times; then the CPU time of as long again is measured.
SECONDS = 60.0
# By the name of their sections in the configuration. What stands in no group belongs to the host.
GROUPS = {
    "containers": ("containers",),
    "Postfix queue and mail store": ("queue", "vmail"),
    "ports": ("ports",),
    "certificates": ("certificates",),
    "round trip": ("roundtrip", "roundtrip_outside"),
    "DNS and blocklists": ("dns", "blocklists"),
    "logs": ("logs",),
    "fail2ban": ("fail2ban",),
    "backups": ("backups",),
    "systemd, updates, clock, text files": ("systemd", "updates", "time", "textfile"),
    "daily report": ("report",),
}
PROBES = ("ports", "certificates", "round trip", "DNS and blocklists")
_ALL = "everything on"
# Runs an errand and says what it took: the arguments are its name and the folder of the figures.
_MEASURED = """
import json, os, sys, time
from mailserver_exporter.errands import __main__ as errands
errands.main()
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
with open(os.path.join(sys.argv[2], f"{sys.argv[1]}-{os.getpid()}.json"), "w") as figures:
    json.dump({"peak": peak, "cpu": time.process_time()}, figures)
"""


def measure(host: MailHost, folder: Path) -> bool:
    """Print both tables."""
    settings = {**host.settings(), "filesystem": {}}
    probes = [name for group in PROBES for name in GROUPS[group]]
    off: dict[str, Sequence[str]] = {_ALL: (), **GROUPS, "all that probe, ask or log in": probes}
    rss: dict[str, list[float]] = defaultdict(list)
    cpu: dict[str, list[float]] = defaultdict(list)
    for run in range(RUNS):
        for group, figures in _side_by_side(settings, off, folder / f"run-{run}").items():
            rss[group].append(figures[0])
            cpu[group].append(figures[1])
    whole = {group: statistics.median(values) for group, values in rss.items()}
    used = {group: statistics.median(values) for group, values in cpu.items()}
    rows = [[_ALL, f"{whole[_ALL] / MIB:.1f} MiB", "", f"{used[_ALL] * 1000:.1f} ms", ""]]
    rows += [
        [
            f"without {group}",
            f"{whole[group] / MIB:.1f} MiB",
            f"{(whole[_ALL] - whole[group]) / MIB:+.1f} MiB",
            f"{used[group] * 1000:.1f} ms",
            f"{(used[_ALL] - used[group]) * 1000:+.1f} ms",
        ]
        for group in list(off)[1:]
    ]
    table(
        f"What each group of collectors costs, median of {RUNS}",
        ["", "RSS", "so it costs", "CPU per 10 s, errands not included", "so it costs"],
        rows,
    )
    errands = _errands(settings, folder / "errands")
    table(
        "What errands cost: processes that are gone when they have ended",
        ["", "at most every", "peak RSS", "CPU of one"],
        [
            [name, _interval(every), f"{peak / MIB:.1f} MiB", f"{cpu * 1000:.0f} ms"]
            for name, (every, peak, cpu) in sorted(errands.items())
        ],
    )
    return bool(errands)


def _side_by_side(
    settings: dict[str, Any], off: Mapping[str, Sequence[str]], folder: Path
) -> dict[str, tuple[float, float]]:
    """Run an exporter for each group that is off; return RSS and CPU seconds per ten seconds of each."""
    with contextlib.ExitStack() as stack:
        exporters = {}
        for number, (group, names) in enumerate(off.items()):
            given = dict(settings)
            for name in names:
                given[name] = {**given.get(name, {}), "enabled": False}
            exporter = Exporter(folder / str(number), yaml.safe_dump(given), environment={"MALLOC_ARENA_MAX": "1"})
            stack.enter_context(exporter)
            exporters[group] = exporter
        for exporter in exporters.values():
            wait_for("all collectors have run", lambda e=exporter: _all_well(e), 180, pause=2)  # type: ignore[misc]
        _scrape_for(SECONDS, exporters.values())
        before = {group: cpu_seconds(exporter.pid) for group, exporter in exporters.items()}
        _scrape_for(SECONDS, exporters.values())
        return {
            group: (rss_bytes(exporter.pid), (cpu_seconds(exporter.pid) - before[group]) * 10 / SECONDS)
            for group, exporter in exporters.items()
        }


def _all_well(exporter: Exporter) -> bool:
    found = Exposition(peers.get(f"{exporter.url}/metrics")).all("mailserver_collector_success")
    return all(sample.value for sample in found)


def _scrape_for(seconds: float, exporters: Iterable[Exporter]) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for exporter in exporters:
            peers.get(f"{exporter.url}/metrics")
        time.sleep(min(10.0, max(0.0, end - time.monotonic())))


def _errands(settings: dict[str, Any], folder: Path) -> dict[str, tuple[float, float, float]]:
    """Let each collector send its errands once; return interval, peak RSS and CPU seconds of each kind."""
    (folder / "state").mkdir(parents=True)
    found: dict[str, tuple[float, float, float]] = {}
    config = folder / "config.yml"
    config.write_text(yaml.safe_dump({**settings, "state_directory": str(folder / "state")}))
    # The report's errand is given the file's text.
    given = replace(context(folder / "state", config.read_text()), config_file=config)
    for kind in COLLECTORS:
        collector = kind(given)
        if kind.schedule.every is None or not collector.detect().found:
            continue
        with mock.patch.object(errand, "send", _Measuring(folder)):
            for _ in collector.collect():
                pass
        for file in folder.glob("*.json"):
            figures = json.loads(file.read_text())
            name = file.stem.partition("-")[0]
            every = min(kind.schedule.every, found.get(name, (kind.schedule.every,))[0])
            found[name] = (every, figures["peak"], figures["cpu"])
            file.unlink()
    return found


class _Measuring:
    """Stands in for errand.send, and lets the process write down what it took."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, name: str, request: object, seconds: float) -> Any:
        """Run the errand; raises AssertionError when it fails."""
        done = subprocess.run(
            [sys.executable, "-I", "-c", _MEASURED, name, self._folder],
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=seconds,
            check=False,
            env={**os.environ, "MALLOC_ARENA_MAX": "1"},
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        reply = json.loads(done.stdout)
        assert "error" not in reply, reply
        return reply["answer"]


def _interval(seconds: float) -> str:
    return f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds / 60:g} min"
