"""One log of a million Postfix lines, followed by our exporter and by postfix_exporter at the same time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.benchmarks import maillog
from tests.benchmarks.figures import MIB, cpu_seconds, peak_rss_bytes, table
from tests.support.exporter import NO_COLLECTORS, Exporter
from tests.support.postfix_exporter import PostfixExporter
from tests.support.processes import Program, wait_for
from tests.support.tools import ROOT

STEPS = (100_000, 1_000_000)
MAX_GROWTH = 1.25


@dataclass
class _Follower:
    """A program that follows the log; ``caught_up`` waits until it has counted so many lines."""

    name: str
    pid: int
    caught_up: Callable[[int], object]
    cpu: float = 0.0
    speed: float = 0.0
    peaks: tuple[int, ...] = ()

    def measure(self, lines: int, new: int) -> None:
        self.caught_up(lines)
        used = cpu_seconds(self.pid)
        self.speed = new / (used - self.cpu)
        self.cpu = used
        self.peaks = (*self.peaks, peak_rss_bytes(self.pid))


def measure(folder: Path) -> bool:
    """Print the table; return whether we count as many lines a second of CPU at least, in memory that stays flat."""
    with PostfixExporter(folder) as peer, _exporter(folder, peer.mail_log) as ours:
        followers = [_ours(ours), _Follower("postfix_exporter", peer.pid, lambda _: peer.feed(b"", 300))]
        for follower in followers:
            follower.cpu = cpu_seconds(follower.pid)
        done = 0
        for step in STEPS:
            maillog.write(peer.mail_log, step - done)
            for follower in followers:
                follower.measure(step, step - done)
            done = step
        log = peer.mail_log
        parsed = _parser_alone(log)
    rows = [[each.name, f"{each.speed:,.0f}", *(f"{peak / MIB:.1f} MiB" for peak in each.peaks)] for each in followers]
    rows.insert(1, ["of this, the parser alone", f"{parsed:,.0f}", *[""] * len(STEPS)])
    head = ["", "lines per second of CPU", *(f"peak RSS after {step:,} lines" for step in STEPS)]
    table(f"Postfix' log, {STEPS[-1]:,} lines", head, rows)
    mine, theirs = followers
    good = mine.speed >= theirs.speed and mine.peaks[-1] <= mine.peaks[0] * MAX_GROWTH
    print(f"promise: as fast as postfix_exporter at least, in the same memory: {'holds' if good else 'BROKEN'}")
    return good


def _exporter(folder: Path, log: Path) -> Exporter:
    settings = yaml.safe_load(NO_COLLECTORS)
    settings["logs"] = {"sources": {"postfix": str(log)}}
    return Exporter(folder / "exporter", yaml.safe_dump(settings), environment={"MALLOC_ARENA_MAX": "1"})


def _ours(exporter: Program) -> _Follower:
    assert isinstance(exporter, Exporter)
    counted = "mailserver_log_lines_total"

    def lines() -> float:
        return sum(sample.value for sample in exporter.scrape().all(counted, program="postfix"))

    wait_for("our exporter follows the log", lambda: exporter.scrape().all(counted, program="postfix"), 60, pause=0.2)
    return _Follower(
        "mailserver-exporter, its log collector alone",
        exporter.pid,
        lambda wanted: wait_for("our exporter has read the log", lambda: lines() >= wanted, 300, pause=0.5),
    )


def _parser_alone(log: Path) -> float:
    """Return the lines per second of CPU of header and parser, in a process of its own."""
    code = (
        "import sys, time\n"
        "from mailserver_exporter.sources import postfix_log, syslog\n"
        "from mailserver_exporter.sources.tally import Tally\n"
        "tally, lines, used = Tally(), 0, 0.0\n"
        "with open(sys.argv[1], 'rb') as file:\n"
        "    while batch := file.readlines(131072):\n"
        "        started = time.process_time()\n"
        "        postfix_log.read(syslog.bodies(batch), tally)\n"
        "        used += time.process_time() - started\n"
        "        lines += len(batch)\n"
        "print(lines / used)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, log], env={"PYTHONPATH": str(ROOT / "exporter")}, capture_output=True, check=True
    )
    return float(done.stdout)
