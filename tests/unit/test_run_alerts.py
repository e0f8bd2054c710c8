"""What `make run` says of the alert log."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from run_alerts import AlertLog


def record(status: str = "firing", name: str = "MailQueueHigh", **more: object) -> str:
    """One line of the alert log, see alert_log.py."""
    return (
        json.dumps(
            {
                "status": status,
                "alertname": name,
                "severity": "critical",
                "starts_at": "2026-11-21T10:00:00Z",
                "fingerprint": name,
                "labels": {"alertname": name, "queue": "deferred"},
                "annotations": {"summary": "mail: 51 messages"},
                **more,
            }
        )
        + "\n"
    )


Follow = Callable[[Path], AlertLog]


@pytest.fixture
def follow() -> Iterator[Follow]:
    """Open alert logs that are closed at the end."""
    with ExitStack() as opened:
        yield lambda file: opened.enter_context(closing(AlertLog(file)))


def told(log: AlertLog) -> list[str]:
    """The news without the time of day."""
    return [line.split("  ", 1)[1] for line in log.news()]


def test_what_was_logged_before_the_start_is_old(tmp_path: Path, follow: Follow) -> None:
    file = tmp_path / "alerts.jsonl"
    file.write_text(record())
    log = follow(file)
    assert told(log) == []


def test_an_alert_is_told_when_it_fires_and_when_it_is_over_but_not_between(tmp_path: Path, follow: Follow) -> None:
    file = tmp_path / "alerts.jsonl"
    log = follow(file)
    file.write_text(record() + record() + record("resolved"))
    assert told(log) == [
        "FIRING    critical MailQueueHigh: mail: 51 messages",
        "resolved  critical MailQueueHigh: mail: 51 messages",
    ]
    with file.open("a") as more:
        more.write(record() + record(starts_at="2026-11-21T11:00:00Z"))
    assert told(log) == ["FIRING    critical MailQueueHigh: mail: 51 messages"]


def test_half_a_line_waits_for_its_other_half_and_nonsense_is_passed_over(tmp_path: Path, follow: Follow) -> None:
    file = tmp_path / "alerts.jsonl"
    log = follow(file)
    line = record()
    file.write_text("nonsense\n[1]\n" + line[:40])
    assert told(log) == []
    with file.open("a") as more:
        more.write(line[40:])
    assert len(told(log)) == 1


def test_a_rotated_file_is_read_to_its_end_before_the_new_one(tmp_path: Path, follow: Follow) -> None:
    file = tmp_path / "alerts.jsonl"
    file.touch()
    log = follow(file)
    file.write_text(record(name="First"))
    file.rename(tmp_path / "alerts.jsonl.1")
    file.write_text(record(name="Second"))
    assert [line.split()[2] for line in told(log)] == ["First:", "Second:"]


def test_the_watchdog_is_not_news(tmp_path: Path, follow: Follow) -> None:
    file = tmp_path / "alerts.jsonl"
    log = follow(file)
    file.write_text(record(name="Watchdog", severity="none"))
    assert told(log) == []


def test_no_text_reaches_the_terminal_as_a_control_sequence(tmp_path: Path, follow: Follow) -> None:
    file = tmp_path / "alerts.jsonl"
    log = follow(file)
    file.write_text(record(annotations={"summary": "a\x1b[2Jb\nc\u202ed"}))
    assert told(log) == ["FIRING    critical MailQueueHigh: a [2Jb c d"]


def test_an_alert_without_a_summary_shows_its_labels(tmp_path: Path, follow: Follow) -> None:
    file = tmp_path / "alerts.jsonl"
    log = follow(file)
    file.write_text(record(annotations={}))
    assert told(log) == ["FIRING    critical MailQueueHigh: alertname=MailQueueHigh, queue=deferred"]
