"""When the exporter asks how the daily report stands, and what it does with the answer."""

from __future__ import annotations

import errno
import itertools
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.metrics_core import Metric

from mailserver_exporter import errand
from mailserver_exporter.collectors import report
from mailserver_exporter.collectors.base import Context
from mailserver_exporter.collectors.report import ReportCollector
from mailserver_exporter.config import Config
from mailserver_exporter.expectations import Expectations
from mailserver_exporter.host import Host
from mailserver_exporter.mailstack import MailStack
from mailserver_exporter.report.outbox import Letter, State
from mailserver_exporter.schema import read_text
from mailserver_exporter.sources import SourceError

EMAIL = "notifications: {email: {to: [you@example.net], sender: watch@example.net}}\n"
LETTER = Letter(1.0, "<1@example.net>", troubles={"you@example.net": "535 no"}, remedy="mend it", attempts=2)


class Clock:
    """Both clocks, which go together unless told otherwise, and the errands that are sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time, self.monotonic = 1_795_000_000.0, 100.0
        self.requests: list[Mapping[str, Any]] = []
        self.state = State()
        self.more: dict[str, Any] = {}
        self.failure = ""
        monkeypatch.setattr(time, "time", lambda: self.time)
        monkeypatch.setattr(time, "monotonic", lambda: self.monotonic)
        monkeypatch.setattr(errand, "send", self._send)

    def _send(self, name: str, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        assert name == "report"
        assert seconds < ReportCollector.schedule.deadline
        self.requests.append(request)
        if self.failure:
            raise SourceError(self.failure)
        answer = {"next": self.time + 7200, "next_in_words": "2026-11-23 02:00 CET", "look": self.time + 900}
        answer |= {"state": self.state.encode(), "busy": False, "problem": "", "unsaved": False}
        return answer | self.more

    def goes_on(self, seconds: float) -> None:
        self.time += seconds
        self.monotonic += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def collector(folder: Path, text: str = EMAIL, *, remember: bool = True) -> ReportCollector:
    file = folder / "config.yml"
    file.write_text(text)
    config = read_text(text, "config.yml", Config())
    host = Host("/")
    expectations = Expectations(folder, remember=remember)
    return ReportCollector(Context(config, host, expectations, MailStack(config, host), file))


def values(families: list[Metric]) -> dict[str, float]:
    return {
        sample.name: sample.value for family in families for sample in family.samples if "result" not in sample.labels
    }


def test_it_is_there_where_a_mail_server_is(tmp_path: Path) -> None:
    assert collector(tmp_path, "").detect().detail == "no notifications.email in the configuration"
    found = collector(tmp_path, f"{EMAIL}report: {{at: 6:30, to: [other@example.net]}}").detect()
    assert (found.found, found.detail) == (True, "to other@example.net at 06:30")


def test_it_asks_again_when_told_to_and_not_before(tmp_path: Path, clock: Clock) -> None:
    it = collector(tmp_path)
    for _ in range(40):
        list(it.collect())
        clock.goes_on(30)
    assert [request["again"] for request in clock.requests] == [True, False]
    assert it.found() == "the next one at 2026-11-23 02:00 CET"


def test_after_a_boot_it_waits_some_minutes_for_prometheus(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "_STARTED", clock.monotonic - 5)
    it = collector(tmp_path)
    clock.more = {"look": clock.time, "waiting": True}
    for _ in range(7):
        list(it.collect())
        clock.goes_on(30)
    asked = [(request["patient"], request["again"]) for request in clock.requests]
    assert asked == [(True, True)] * 6 + [(False, True)]


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 86400.0 * 4000])
def test_it_asks_at_once_when_the_clock_was_set(tmp_path: Path, clock: Clock, jump: float) -> None:
    it = collector(tmp_path)
    list(it.collect())
    clock.goes_on(30)
    clock.time += jump
    list(it.collect())
    clock.goes_on(30)
    list(it.collect())
    assert len(clock.requests) == 2


def test_it_asks_at_once_when_somebody_else_has_sent_it(tmp_path: Path, clock: Clock) -> None:
    it = collector(tmp_path, f"{EMAIL}state_directory: {tmp_path}")
    for _ in range(3):
        list(it.collect())
        (tmp_path / "report").mkdir(exist_ok=True)
        (tmp_path / "report/state.json").touch()
        os.utime(tmp_path / "report/state.json", (1, 1))
        clock.goes_on(30)
    assert len(clock.requests) == 2


def test_an_errand_that_fails_is_told_and_sent_again_ever_more_rarely(tmp_path: Path, clock: Clock) -> None:
    """It may have been killed after the server had accepted the report."""
    it = collector(tmp_path)
    clock.failure = "report: not done after 120 s, given up"
    sent = []
    for round_ in range(1000):
        with pytest.raises(SourceError, match="given up"):
            it.collect()
        if len(clock.requests) > len(sent):
            sent.append(round_ * 30)
        clock.goes_on(30)
    assert [later - earlier for earlier, later in itertools.pairwise(sent)][:5] == [60, 300, 900, 3600, 3600]
    clock.failure = ""
    clock.goes_on(3600)
    assert values(list(it.collect()))["mailserver_report_success"] == 1


def test_what_could_not_be_written_is_brought_along(tmp_path: Path, clock: Clock) -> None:
    it = collector(tmp_path)
    clock.state = State(sent=3)
    clock.more = {"unsaved": True, "problem": "cannot keep it"}
    list(it.collect())
    clock.goes_on(900)
    list(it.collect())
    assert [request["state"] for request in clock.requests] == [None, clock.state.encode()]
    [finding] = it.findings()
    assert (finding.state, finding.detail) == ("bad", "cannot keep it")


def test_check_does_not_send(tmp_path: Path, clock: Clock) -> None:
    list(collector(tmp_path, remember=False).collect())
    assert not clock.requests[0]["send"]


def test_a_file_that_became_another_one_since_is_not_read(tmp_path: Path, clock: Clock) -> None:
    it = collector(tmp_path)
    list(it.collect())
    (tmp_path / "config.yml").write_text("report: {at: never}")
    clock.goes_on(900)
    list(it.collect())
    assert [request["config"] for request in clock.requests] == [EMAIL, EMAIL]


def test_what_is_overdue_grows_until_it_is_sent(tmp_path: Path, clock: Clock) -> None:
    it = collector(tmp_path)
    clock.state = State(letter=LETTER, overdue_since=clock.time - 100)
    assert values(list(it.collect()))["mailserver_report_overdue_seconds"] == 100
    clock.goes_on(30)
    found = values(list(it.collect()))
    assert found["mailserver_report_overdue_seconds"] == 130
    assert found["mailserver_report_success"] == 0
    [finding] = it.findings()
    assert (finding.detail, finding.remedy) == ("not sent: 535 no", "mend it")


def test_each_attempt_is_logged_once(tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", report.__name__)
    it = collector(tmp_path)
    clock.state = State(letter=LETTER, last_attempt=clock.time)
    for _ in range(3):
        list(it.collect())
        clock.goes_on(900)
    assert caplog.messages == ["report: not sent, attempt 2: 535 no"]


def test_a_process_that_cannot_even_begin_is_told_and_tried_again(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = collector(tmp_path)
    with monkeypatch.context() as without_memory:

        def fail(*_: object) -> None:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

        without_memory.setattr(errand, "send", fail)
        for _ in range(3):
            with pytest.raises(OSError, match="memory"):
                it.collect()
            clock.goes_on(10)
    clock.goes_on(600)
    assert values(list(it.collect()))["mailserver_report_success"] == 1
