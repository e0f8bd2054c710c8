"""The alert log behind a real Alertmanager, on a disk that fills up, under load, and through a sudden death."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests

from tests.support.alertmanager import Alertmanager, alert
from tests.support.exporter import NO_COLLECTORS, Exporter
from tests.support.mounts import mounted
from tests.support.processes import wait_for
from tests.support.tools import RELEASES, ROOT


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().split("\n") if line] if path.exists() else []


def payload(name: str, text: str = "") -> bytes:
    entry = {
        "status": "firing",
        "labels": {"alertname": name},
        "annotations": {"summary": text},
        "startsAt": "2026-11-22T00:44:20Z",
        "endsAt": "0001-01-01T00:00:00Z",
    }
    return json.dumps({"alerts": [entry]}).encode()


def post(exporter: Exporter, body: bytes) -> int:
    headers = {"Content-Type": "application/json"}
    return requests.post(f"{exporter.url}/alerts", data=body, headers=headers, timeout=10).status_code


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=64k,mode=0755", "tmpfs") as mountpoint:
        yield mountpoint


@pytest.mark.parametrize("release", RELEASES)
def test_on_a_full_disk_alertmanager_tries_again_and_the_line_arrives_once(
    tmp_path: Path, tiny_disk: Path, release: str
) -> None:
    file = tiny_disk / "alerts.jsonl"
    with (
        Exporter(tmp_path / "exporter", NO_COLLECTORS + f"alert_log: {{file: {file}}}") as exporter,
        Alertmanager(tmp_path, {}, release=release, exporter_url=exporter.url) as alertmanager,
    ):
        assert isinstance(exporter, Exporter)
        assert isinstance(alertmanager, Alertmanager)
        alertmanager.post(alert("Before"))
        wait_for("the first line", lambda: read(file))
        hog = tiny_disk / "hog"
        with hog.open("wb", buffering=0) as filler:
            # To the last page, the one that the log has open included.
            while True:
                try:
                    filler.write(b"x" * 512)
                except OSError:
                    break
        assert post(exporter, payload("TooLarge", "x" * 4000)) == 500
        texts = {"description": "x" * 4000}
        alertmanager.post(alert("WhileFull", texts=texts))
        wait_for("it has been refused twice", lambda: exporter.output().count("No space left on device") >= 3)
        assert [record["alertname"] for record in read(file)] == ["Before"]
        assert requests.get(f"{exporter.url}/-/healthy", timeout=5).ok

        hog.unlink()
        wait_for("the line", lambda: len(read(file)) == 2, 30)
        alertmanager.post(alert("After"))
        wait_for("the next line", lambda: len(read(file)) == 3)
        assert [record["alertname"] for record in read(file)] == ["Before", "WhileFull", "After"]


def test_a_log_that_cannot_be_opened_is_told_and_nothing_else_suffers(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with Exporter(tmp_path / "exporter", NO_COLLECTORS + f"alert_log: {{file: {tmp_path / 'folder'}}}") as exporter:
        assert isinstance(exporter, Exporter)
        assert post(exporter, payload("X")) == 500
        assert "Is a directory" in exporter.output()
        assert exporter.scrape().value("mailserver_exporter_config_last_reload_successful") == 1


def test_large_bodies_are_taken_up_to_the_bound_and_no_further(tmp_path: Path) -> None:
    with Exporter(tmp_path, NO_COLLECTORS) as exporter:
        assert isinstance(exporter, Exporter)
        many = json.loads(payload("Many", "ü" * 4000))
        many["alerts"] *= 300
        assert post(exporter, json.dumps(many).encode()) == 200
        assert len(read(exporter.state / "alerts.jsonl")) == 300
        assert post(exporter, payload("Huge", "x" * 7_000_000)) == 200
        assert len(read(exporter.state / "alerts.jsonl")[-1]["annotations"]["summary"]) == 4000
        # It may hang up in the midst of what it does not want to read.
        with contextlib.suppress(requests.ConnectionError):
            assert post(exporter, payload("Larger", "x" * 9_000_000)) == 413
        assert post(exporter, b"garbage") == 400
        assert len(read(exporter.state / "alerts.jsonl")) == 301
        assert exporter.running()


def test_what_was_answered_with_200_survives_kill_9(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    lock = threading.Lock()

    def keep_posting(exporter: Exporter, worker: int) -> None:
        for number in range(10_000):
            name = f"{worker}-{number}"
            try:
                status = post(exporter, payload(name, "x" * 3000))
            except requests.RequestException:
                return
            assert status == 200
            with lock:
                acknowledged.append(name)

    with Exporter(tmp_path, NO_COLLECTORS) as exporter:
        assert isinstance(exporter, Exporter)
        workers = [threading.Thread(target=keep_posting, args=(exporter, worker)) for worker in range(4)]
        for worker in workers:
            worker.start()
        wait_for("a hundred are logged", lambda: len(acknowledged) > 100)
        exporter.send(signal.SIGKILL)
        for worker in workers:
            worker.join(20)
        exporter.stop()
        exporter.start()
        assert post(exporter, payload("AfterRestart")) == 200
        names = []
        for line in (exporter.state / "alerts.jsonl").read_text().split("\n"):
            try:
                names.append(json.loads(line)["alertname"])
            except ValueError:
                assert not line.endswith("}")  # the one that was being written
    assert names[-1] == "AfterRestart"
    assert set(acknowledged) <= set(names)
    assert len(names) == len(set(names))


def listed(exporter: Exporter, *arguments: str) -> str:
    """Return what `mailserver-exporter alerts` says of the exporter's log."""
    command = [sys.executable, "-m", "mailserver_exporter", "alerts", f"--config.file={exporter.config}", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "exporter"), "TZ": "Europe/Berlin", "COLUMNS": "48"}
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert run.stderr == ""
    return run.stdout


@pytest.mark.parametrize("release", RELEASES)
def test_what_alertmanager_told_is_listed_with_durations(tmp_path: Path, release: str) -> None:
    texts = {"summary": "\x1b[31mport 25\u202e does not work"}
    now = datetime.now(timezone.utc).replace(microsecond=0)
    began, over, load_began = ((now - timedelta(seconds=seconds)).isoformat() for seconds in (3 * 3600 + 60, 60, 600))
    with (
        Exporter(tmp_path / "exporter", NO_COLLECTORS) as exporter,
        Alertmanager(tmp_path, {}, release=release, exporter_url=exporter.url) as alertmanager,
    ):
        assert isinstance(exporter, Exporter)
        assert isinstance(alertmanager, Alertmanager)
        file = exporter.state / "alerts.jsonl"
        ended = {**alert("PortDown", texts=texts), "startsAt": began}
        alertmanager.post(ended, {**alert("LoadHigh", "info"), "startsAt": load_began}, alert("Watchdog", "none"))
        wait_for("both fire", lambda: len(read(file)) == 2)
        alertmanager.post({**ended, "endsAt": over})
        wait_for("one is over", lambda: len(read(file)) == 3)

        assert json.loads(listed(exporter, "--since=30m", "--severity=critical", "--json")) == [
            {
                "alertname": "PortDown",
                "severity": "critical",
                "summary": texts["summary"],
                "labels": ended["labels"],
                "started": ended["startsAt"],
                "ended": over,
                "end_known": True,
                "seconds": 3 * 3600,
            }
        ]
        port, what, load, load_what, _, *told = listed(exporter).splitlines()
        started = datetime.fromisoformat(ended["startsAt"]).astimezone(ZoneInfo("Europe/Berlin"))
        assert port.split() == [f"{started:%m-%d}", f"{started:%H:%M}", "3h", "critical", "PortDown"]
        assert what == "  ?[31mport 25? does not work"
        assert re.fullmatch(r"\d\d-\d\d \d\d:\d\d  firing 1\dm\d*s?  +info      LoadHigh", load)
        assert load_what == "  mail.example.org: LoadHigh"
        assert " ".join(told).endswith(", 1 still firing")
        assert listed(exporter, "--severity=warning").startswith("no warning alert since ")
