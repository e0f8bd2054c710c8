"""The report's process measures by itself: in a bounded time, and nothing of it stays."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver_exporter.config import Config
from mailserver_exporter.host import Host
from mailserver_exporter.report.sections import exporter
from mailserver_exporter.schema import read_text
from tests.support.processes import wait_for


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]


def config(state: Path, yaml: str = "") -> Config:
    """Return a configuration that keeps its state there."""
    return read_text(f"state_directory: {state}\n{yaml}", "config.yml", Config())


def test_the_host_is_measured(tmp_path: Path) -> None:
    facts = exporter.own_knowledge(config(tmp_path), Host("/"), 8)
    assert facts.figures.value("node_load5") == pytest.approx(os.getloadavg()[1], abs=3)
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert facts.figures.value("node_memory_MemTotal_bytes") == pytest.approx(total, rel=0.05)
    assert facts.figures.by("mountpoint", "node_filesystem_size_bytes")["/"] > 0
    assert facts.figures.limits("memory_usage_ratio") == {"warning": 0.8, "critical": 0.9}


def test_nothing_stays(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    exporter.own_knowledge(config(tmp_path), Host("/"), 8)
    wait_for("its threads end", lambda: set(threading.enumerate()) <= before)
    assert list(tmp_path.iterdir()) == []


def test_what_hangs_is_not_waited_for(tmp_path: Path, silent: int) -> None:
    yaml = f"ports: {{enabled: true, targets: [{{port: {silent}, protocol: smtp}}]}}\n"
    started = time.monotonic()
    facts = exporter.own_knowledge(config(tmp_path, yaml), Host("/"), 2)
    assert time.monotonic() - started < 10
    assert "ports" in facts.unfinished
    assert facts.figures.value("node_memory_MemTotal_bytes") is not None


def test_a_host_without_anything_is_told_as_broken_and_not_as_well(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    facts = exporter.own_knowledge(config(tmp_path / "state"), Host(str(tmp_path / "root")), 3)
    assert {"load", "memory", "filesystem"} <= {finding.subject for finding in facts.findings}
    assert all(finding.state == "bad" for finding in facts.findings)
