"""The exporter sends the daily report by itself: unasked, once, and without growing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml

from mailserver_exporter.report.outbox import State
from tests.support.exporter import NO_COLLECTORS, Exporter
from tests.support.processes import wait_for
from tests.support.report_post import Answers, Post, post
from tests.support.tools import ROOT

# What only the report's own process may load.
HEAVY = ("mailserver_exporter.report", "mailserver_exporter.submission", "zoneinfo", "PIL", "jinja2", "smtplib")


@pytest.fixture
def due(tmp_path: Path) -> Iterator[Post]:
    with post(tmp_path) as place:
        place.make_due()
        yield place


def exporter(place: Post, **report: object) -> Exporter:
    off = yaml.safe_load(NO_COLLECTORS)
    settings = place.settings()
    return Exporter(place.folder, yaml.safe_dump({**off, **settings, "report": {**settings["report"], **report}}))


def state(place: Post) -> State:
    found = place.outbox.load()
    assert found is not None
    return found


def test_it_is_sent_though_nobody_scrapes(due: Post) -> None:
    with exporter(due) as running:
        wait_for("the report is sent", lambda: state(due).sent, 60)
        wait_for("that is logged", lambda: "report: sent" in running.output())
    assert len(due.messages()) == 1


def test_after_a_boot_it_waits_until_prometheus_is_ready(due: Post) -> None:
    due.prometheus.ready = False
    with exporter(due) as running:
        assert isinstance(running, Exporter)
        found = wait_for("it is known how things stand", lambda: ours(running), 30)
        assert found["mailserver_report_last_attempt_timestamp_seconds"] == 0
        assert set(due.prometheus.asked) == {"ready"}
        due.prometheus.ready = True
        wait_for("the report is sent", lambda: state(due).sent, 60)
    assert len(due.messages()) == 1


def test_its_metrics_are_there_from_the_start(tmp_path: Path) -> None:
    with post(tmp_path) as place, exporter(place) as running:
        assert isinstance(running, Exporter)
        found = wait_for("they are there", lambda: ours(running), 30)
        assert isinstance(found, dict)
        following = found.pop("mailserver_report_next_timestamp_seconds")
        assert following > 0
        assert found == {
            "mailserver_report_success": 1,
            "mailserver_report_overdue_seconds": 0,
            "mailserver_report_last_success_timestamp_seconds": 0,
            "mailserver_report_last_attempt_timestamp_seconds": 0,
            "mailserver_report_duration_seconds": 0,
            "mailserver_report_size_bytes": 0,
            'mailserver_report_attempts_total{result="sent"}': 0,
            'mailserver_report_attempts_total{result="failed"}': 0,
            'mailserver_threshold_report_overdue_seconds{severity="warning"}': 3600,
        }


def ours(running: Exporter) -> dict[str, float]:
    text = requests.get(f"{running.url}/metrics", timeout=15).text
    lines = [line for line in text.splitlines() if "_report_" in line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_who_is_killed_while_sending_sends_it_after_the_next_start(due: Post) -> None:
    answers = due.script.answers
    assert isinstance(answers, Answers)
    reached, go_on = threading.Event(), threading.Event()

    def stop(what: str) -> None:
        if what == "DATA":
            reached.set()
            go_on.wait(60)

    answers.before = stop
    with exporter(due) as running:
        wait_for("the message is announced", reached.is_set, 60)
        errand = children(running.pid)
        os.kill(running.pid, signal.SIGKILL)
        wait_for("its errand has ended, too", lambda: not any(map(alive, errand)))
    answers.before = lambda _: None
    go_on.set()
    assert errand
    assert due.messages() == []
    with exporter(due):
        wait_for("the report is sent", lambda: state(due).sent, 60)
    assert len(due.messages()) == 1


def children(pid: int) -> list[int]:
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_what_is_refused_is_overdue_and_sent_after_a_reload(due: Post) -> None:
    due.script.answers["AUTH"] = "535 5.7.8 Username and Password not accepted - gsmtp"  # type: ignore[index]
    with exporter(due) as running:
        assert isinstance(running, Exporter)
        wait_for("it is refused", lambda: ours(running).get('mailserver_report_attempts_total{result="failed"}'), 60)
        found = ours(running)
        assert found["mailserver_report_success"] == 0
        assert found["mailserver_report_overdue_seconds"] > 0
        wait_for("it is logged why", lambda: "report: not sent, attempt 1: 535" in running.output())
        told = check(running)
        assert any("app password" in finding["remedy"] for finding in told), told
        del due.script.answers["AUTH"]  # type: ignore[attr-defined]
        requests.post(f"{running.url}/-/reload", timeout=30).raise_for_status()
        wait_for("it is sent", lambda: ours(running).get("mailserver_report_success"), 60)
        assert ours(running)["mailserver_report_overdue_seconds"] == 0
    assert len(due.messages()) == 1


def test_check_says_how_things_stand_and_sends_nothing(due: Post) -> None:
    with exporter(due, enabled=False) as running:
        assert isinstance(running, Exporter)
        config = yaml.safe_load(running.config.read_text())
        config["report"].pop("enabled")
        running.config.write_text(yaml.safe_dump(config))
        before = sorted(path.name for path in due.outbox.directory.iterdir())
        [found] = check(running)
        assert found["detail"].startswith("the next one at 2")
        assert sorted(path.name for path in due.outbox.directory.iterdir()) == before
    assert due.messages() == []


def check(running: Exporter) -> list[dict[str, str]]:
    """Return what ``check`` finds of the report."""
    result = subprocess.run(
        [
            *(sys.executable, "-m", "mailserver_exporter", "check", "--json", "--measure-only"),
            f"--config.file={running.config}",
        ],
        capture_output=True,
        check=False,
        text=True,
        timeout=100,
        env={**os.environ, "PYTHONPATH": str(ROOT / "exporter")},
    )
    return [finding for finding in json.loads(result.stdout) if finding["subject"] == "report"]


def test_the_resident_exporter_knows_nothing_of_what_a_report_takes() -> None:
    program = (
        "import sys; from mailserver_exporter import app, check, cli, collectors, web; "
        f"print([name for name in sys.modules if name.startswith({HEAVY!r})])"
    )
    told = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "exporter")},
    )
    assert told.stdout.strip() == "[]"
