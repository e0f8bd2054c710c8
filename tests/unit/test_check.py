"""What ``check`` finds, as far as it needs no server."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric

from mailserver_exporter import check, check_channels, check_monitoring
from mailserver_exporter.app import build
from mailserver_exporter.collectors.base import Collector, Detection, Schedule
from mailserver_exporter.collectors.cpu import CpuCollector
from mailserver_exporter.collectors.filesystem import FilesystemCollector
from mailserver_exporter.collectors.load import LoadCollector
from mailserver_exporter.collectors.memory import MemoryCollector
from mailserver_exporter.collectors.network import NetworkCollector
from mailserver_exporter.collectors.processes import ProcessesCollector
from mailserver_exporter.collectors.system import SystemCollector
from mailserver_exporter.collectors.timex import TimexCollector
from mailserver_exporter.config import Config
from mailserver_exporter.host import Host
from mailserver_exporter.settings.notifications import Notifications

_EVERYWHERE = (
    CpuCollector,
    LoadCollector,
    MemoryCollector,
    FilesystemCollector,
    NetworkCollector,
    ProcessesCollector,
    SystemCollector,
    TimexCollector,
)


@contextmanager
def listener(said: bytes) -> Iterator[int]:
    """Take one client at a port, hear it, and say something."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


@pytest.mark.parametrize(
    "said", [b"220 mail.example.org ESMTP\r\n", b"HTTP/1.1 500 no\r\n\r\n", b""], ids=["SMTP", "error", "nothing"]
)
def test_a_test_alert_that_is_not_taken_is_a_finding(said: bytes) -> None:
    with listener(said) as port:
        found = check_channels.alert(f"http://127.0.0.1:{port}", "mail.example.org")
    assert found.state == "bad"
    assert f"http://127.0.0.1:{port} did not take it" in found.detail
    assert found.remedy


def test_the_file_that_cannot_be_read_is_named_in_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "etc/postfix/main.cf").mkdir(parents=True)
    setup = build(Config(state_directory=tmp_path / "state"), Host(str(tmp_path)), (), remember=False)
    [problem] = [finding for finding in check.check(setup) if finding.state == "bad"]
    assert "cannot read main.cf" in problem.detail
    assert problem.remedy == "let the exporter read /etc/postfix/main.cf"


class _SlowCollector(Collector):
    name = "updates"
    schedule = Schedule(every=60, deadline=60)
    go = threading.Event()

    def detect(self) -> Detection:
        return Detection(True, "the package\nlists")

    def collect(self) -> Iterator[Metric]:
        self.go.wait(30)
        yield from ()


def test_waits_for_what_takes_long_and_says_what_it_waits_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "_QUIET_SECONDS", 0.0)
    monkeypatch.setattr(_SlowCollector, "go", threading.Event())
    setup = build(Config(state_directory=tmp_path / "state"), Host(str(tmp_path)), (_SlowCollector,), remember=False)
    told = []

    def tell(text: str) -> None:
        told.append(text)
        _SlowCollector.go.set()

    findings = check.check(setup, tell)
    setup.collection.close()
    assert told == ["still measuring: updates"]
    [found] = [finding for finding in findings if finding.subject == "updates"]
    assert (found.state, found.detail) == ("good", "the package\nlists")
    assert "the package?lists" in check.as_text(findings)


def test_each_collector_of_every_host_says_what_it_found(tmp_path: Path) -> None:
    setup = build(Config(state_directory=tmp_path / "state"), Host(), _EVERYWHERE, remember=False)
    found = {finding.subject: finding.detail for finding in check.check(setup) if finding.state == "good"}
    setup.collection.close()
    assert found["cpu"] == f"{os.cpu_count()} core{'s' if os.cpu_count() != 1 else ''}"
    assert found["filesystem"].startswith("/")
    assert "lo" in found["network"].split(", ")
    assert re.fullmatch(r"(\d+\.\d\d, ){2}\d+\.\d\d in the last 1, 5 and 15 minutes", found["load"])
    assert re.fullmatch(r"[\d.]+ GiB, [\d.]+ GiB of it available", found["memory"])
    assert f"Linux {os.uname().release}" in found["system"]
    assert re.fullmatch(r"\d+ processes of all users", found["processes"])
    assert "part of every Linux host" not in found.values()


@pytest.mark.parametrize(
    "answer", ["{}", "[]", "null", '{"data": {"activeTargets": [{"labels": 5}]}}', '{"config": 5}']
)
def test_json_of_somebody_else_is_told_as_such(answer: str) -> None:
    said = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + answer.encode()
    with listener(said) as port:
        [found] = check_monitoring.prometheus(f"http://127.0.0.1:{port}")
    assert (found.state, found.detail) == (
        "bad",
        f"nobody judges what is measured: what answers at http://127.0.0.1:{port} is no Prometheus",
    )
    with listener(said) as port:
        [found] = check_monitoring.alertmanager(f"http://127.0.0.1:{port}", Notifications())
    assert (found.state, "is no Alertmanager" in found.detail) == ("bad", True)
