"""How long a scrape takes with more containers and with more queued messages."""

from __future__ import annotations

import os
import time
from pathlib import Path

import yaml

from tests.benchmarks import peers
from tests.benchmarks.cost import add_containers
from tests.benchmarks.figures import Series, table, timed
from tests.support.exporter import Exporter
from tests.support.mailhost import MailHost

SCRAPES = 15


def measure(host: MailHost, folder: Path) -> bool:
    """Print the tables; return whether 100,000 messages leave the scrape as it was."""
    rows: list[list[str]] = []
    quick: dict[int, float] = {}
    for messages in (0, 100_000):
        queue = make_queue(folder / f"queue-{messages}", messages)
        seconds, cpu = _scrapes(host, folder / f"exporter-{messages}", {"queue": {"directory": str(queue)}})
        quick[messages] = cpu.median
        rows.append([f"{messages:,} queued messages, 19 containers", *_cells(seconds, cpu)])
    add_containers(host, 200)
    seconds, cpu = _scrapes(host, folder / "exporter-200", {})
    rows.append(["an empty queue, 200 containers", *_cells(seconds, cpu)])
    table("Scrapes of a growing host", ["", "time, median", "time, worst", "CPU, median"], rows)
    good = quick[100_000] < quick[0] * 1.5
    print(f"budget: the queue's length does not slow a scrape: {'holds' if good else 'BROKEN'}")
    return good


def make_queue(folder: Path, messages: int) -> Path:
    """Make a queue directory as Postfix has it, with deferred messages in its sixteen hashed folders."""
    for state in ("maildrop", "incoming", "active", "deferred", "hold", "corrupt", "defer", "public"):
        (folder / state).mkdir(parents=True)
    for digit in "0123456789ABCDEF":
        (folder / "deferred" / digit).mkdir()
    for number in range(messages):
        name = f"{number * 7919 % 2**40:010X}"
        os.close(os.open(folder / "deferred" / name[-1] / (name[-1] + name), os.O_CREAT | os.O_WRONLY, 0o700))
    return folder


def _scrapes(host: MailHost, folder: Path, change: dict[str, object]) -> tuple[Series, Series]:
    settings = {**host.settings(), "filesystem": {}, **change}
    seconds, cpu = Series(), Series()
    with Exporter(folder, yaml.safe_dump(settings)) as exporter:
        assert isinstance(exporter, Exporter)
        url = f"{exporter.url}/metrics"
        for _ in range(3):
            peers.get(url)
            time.sleep(2)
        for _ in range(SCRAPES):
            took, used = timed(exporter.pid, lambda: peers.get(url))
            seconds.values.append(took)
            cpu.values.append(used)
            time.sleep(2)
    return seconds, cpu


def _cells(seconds: Series, cpu: Series) -> list[str]:
    return [f"{seconds.median * 1000:.0f} ms", f"{seconds.worst * 1000:.0f} ms", f"{cpu.median * 1000:.1f} ms"]
