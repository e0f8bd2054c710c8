"""Running collectors: deadlines, isolation, background results, self metrics."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.collection import Collection
from mailserver_exporter.collectors.base import Collector, Detection, Schedule
from mailserver_exporter.settings.types import Section
from mailserver_exporter.sources import SourceError
from tests.support.contexts import context
from tests.support.metrics import Exposition
from tests.support.processes import wait_for

QUICK = Schedule(deadline=0.2)


class Fake(Collector):
    """A collector whose work is given by the test; the machinery around it is the real one."""

    def __init__(
        self,
        name: str,
        tmp_path: Path,
        work: Callable[[], Iterable[Metric]] | None = None,
        schedule: Schedule = QUICK,
        enabled: bool | None = None,
    ) -> None:
        super().__init__(context(tmp_path))
        self.name = name  # type: ignore[misc]
        self.schedule = schedule  # type: ignore[misc]
        self.work = work or (lambda: [GaugeMetricFamily(f"{name}_value", "A value.", 1)])
        self.found = True
        self.enabled = enabled
        self.runs = 0

    @property
    def section(self) -> Section:
        return Section(enabled=self.enabled)

    def detect(self) -> Detection:
        return Detection(self.found, "as the test says")

    def collect(self) -> Iterable[Metric]:
        self.runs += 1
        return self.work()


class Hanging:
    """Work that hangs until released."""

    def __init__(self) -> None:
        self.release = threading.Event()

    def __call__(self) -> Iterable[Metric]:
        self.release.wait(20)
        return [GaugeMetricFamily("late_value", "A value.", 1)]


def collection(tmp_path: Path, *collectors: Fake) -> Collection:
    return Collection(collectors, collectors[0].context.expectations)


def scrape(subject: Collection, budget: float = 5) -> Exposition:
    return Exposition(subject.scrape(budget).decode())


def fail(error: Exception) -> Callable[[], Iterable[Metric]]:
    def work() -> Iterable[Metric]:
        yield GaugeMetricFamily("half_value", "Yielded before the failure.", 1)
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SourceError("the queue is locked"), "the queue is locked"),
        (PermissionError(13, "Permission denied", "/var/spool"), "/var/spool: Permission denied"),
        (ValueError("bad\nnews\x1b[31m" + "x" * 5000), "ValueError: bad news"),
    ],
)
def test_a_failing_collector_drops_its_own_series_and_nothing_else(
    tmp_path: Path, error: Exception, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    subject = collection(tmp_path, Fake("bad", tmp_path, fail(error)), Fake("good", tmp_path))

    found = scrape(subject)
    scrape(subject)

    assert found.value("mailserver_collector_success", collector="bad") == 0
    assert found.value("mailserver_collector_success", collector="good") == 1
    assert found.value("good_value") == 1
    assert not found.all("half_value")
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 1, "the cause is logged once, not at each scrape"
    assert lines[0].startswith(f"collector bad failed: {told}")
    assert lines[0].isprintable()
    assert len(lines[0]) < 400


def test_recovery_is_told_and_counts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    fake = Fake("flaky", tmp_path, fail(SourceError("not now")))
    subject = collection(tmp_path, fake)
    assert scrape(subject).value("mailserver_collector_last_success_timestamp_seconds", collector="flaky") == 0

    fake.work = lambda: [GaugeMetricFamily("flaky_value", "A value.", 2)]
    found = scrape(subject)

    assert found.value("flaky_value") == 2
    assert time.time() - found.value("mailserver_collector_last_success_timestamp_seconds", collector="flaky") < 5
    assert caplog.messages[-1] == "collector flaky works again"


def test_a_family_that_cannot_be_encoded_fails_its_collector_only(tmp_path: Path) -> None:
    broken = GaugeMetricFamily("broken_value", "A value.", labels=["name"])
    broken.add_metric(["\udcff"], 1)
    subject = collection(tmp_path, Fake("broken", tmp_path, lambda: [broken]), Fake("good", tmp_path))

    found = scrape(subject)

    assert found.value("mailserver_collector_success", collector="broken") == 0
    assert found.value("good_value") == 1


def test_a_hanging_collector_costs_one_deadline_once_and_nobody_else_a_result(tmp_path: Path) -> None:
    hanging = Hanging()
    late = Fake("late", tmp_path, hanging)
    subject = collection(tmp_path, Fake("first", tmp_path), late, Fake("last", tmp_path))

    started = time.monotonic()
    found = scrape(subject)
    first_scrape = time.monotonic() - started
    started = time.monotonic()
    again = scrape(subject)
    second_scrape = time.monotonic() - started

    for exposition in (found, again):
        assert exposition.value("first_value") == 1
        assert exposition.value("last_value") == 1
        assert exposition.value("mailserver_collector_success", collector="late") == 0
    assert 0.2 <= first_scrape < 1
    assert second_scrape < 0.15, "what is known to hang is not waited for again"
    assert late.runs == 1, "a second run is not started beside the hanging one"

    hanging.release.set()
    wait_for("the hanging run is back", lambda: subject.states[1].running_since is None)
    assert scrape(subject).value("late_value") == 1


def test_the_scrape_ends_within_its_budget_when_many_collectors_hang(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hanging = Hanging()
    fakes = [Fake(f"late{number}", tmp_path, hanging, Schedule(deadline=0.3)) for number in range(10)]
    subject = collection(tmp_path, *fakes, Fake("good", tmp_path))

    started = time.monotonic()
    scrape(subject, budget=0.5)
    assert time.monotonic() - started < 1.2
    assert "collector good failed: not run: the scrape's time was used up by other collectors" in caplog.messages

    wait_for("the good one is reached", lambda: scrape(subject, budget=2).all("good_value"))
    hanging.release.set()


def test_what_has_to_run_unasked_begins_before_the_first_scrape(tmp_path: Path) -> None:
    unasked, usual, off = (
        Fake(name, tmp_path, schedule=Schedule(every=0.05, deadline=1), enabled=enabled)
        for name, enabled in (("unasked", None), ("usual", None), ("off", False))
    )
    unasked.unasked = off.unasked = True  # type: ignore[misc]
    subject = collection(tmp_path, unasked, usual, off)
    try:
        subject.start()
        wait_for("it runs again and again", lambda: unasked.runs > 2)
        assert (usual.runs, off.runs) == (0, 0)
        assert scrape(subject).value("mailserver_collector_success", collector="usual") == 1
    finally:
        subject.close()


def test_background_results_are_shown_without_waiting_and_fail_when_they_hang(tmp_path: Path) -> None:
    fake = Fake("slow", tmp_path, schedule=Schedule(every=0.1, deadline=0.2))
    subject = collection(tmp_path, fake, Fake("good", tmp_path))
    assert scrape(subject).value("slow_value") == 1

    hanging = Hanging()
    fake.work = hanging
    wait_for(
        "the hang is seen",
        lambda: scrape(subject).value("mailserver_collector_success", collector="slow") == 0,
    )
    found = scrape(subject)
    assert not found.all("slow_value"), "old numbers are never shown as if fresh"
    assert found.value("good_value") == 1

    hanging.release.set()
    wait_for("recovery", lambda: scrape(subject).value("mailserver_collector_success", collector="slow") == 1)
    subject.close()
    wait_for("the background thread is gone", lambda: "collect-slow" not in {t.name for t in threading.enumerate()})


def test_what_is_not_there_is_not_watched_and_what_was_seen_is_expected(tmp_path: Path) -> None:
    fake = Fake("docker", tmp_path)
    fake.found = False
    subject = collection(tmp_path, fake, Fake("good", tmp_path))
    assert not scrape(subject).all("mailserver_collector_success", collector="docker")

    fake.found = True
    assert scrape(subject).value("mailserver_collector_success", collector="docker") == 1

    fake.found = False
    fake.work = fail(SourceError("no socket"))
    assert scrape(subject).value("mailserver_collector_success", collector="docker") == 0

    # Across a restart of the exporter, too.
    again = Fake("docker", tmp_path, fail(SourceError("no socket")))
    again.found = False
    assert scrape(collection(tmp_path, again)).value("mailserver_collector_success", collector="docker") == 0


@pytest.mark.parametrize(("enabled", "found", "shown"), [(False, True, []), (True, False, [1.0])])
def test_the_configuration_overrules_detection(tmp_path: Path, enabled: bool, found: bool, shown: list[float]) -> None:
    fake = Fake("queue", tmp_path, enabled=enabled)
    fake.found = found
    exposition = scrape(collection(tmp_path, fake))
    assert [s.value for s in exposition.all("mailserver_collector_success", collector="queue")] == shown


def test_a_detection_that_fails_is_told_once_and_harms_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Fake("odd", tmp_path)
    subject = collection(tmp_path, fake, Fake("good", tmp_path))
    working = fake.detect

    def broken() -> Detection:
        raise ValueError("embedded null byte")

    monkeypatch.setattr(fake, "detect", broken)
    for _ in range(2):
        found = scrape(subject)
        assert found.value("good_value") == 1
        assert not found.all("mailserver_collector_success", collector="odd")
    assert caplog.messages == ["collector odd: looking for it failed: ValueError: embedded null byte"]

    monkeypatch.setattr(fake, "detect", working)
    assert scrape(subject).value("odd_value") == 1


def test_a_clock_that_is_set_makes_no_result_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = collection(tmp_path, Fake("slow", tmp_path, schedule=Schedule(every=60, deadline=1)))
    assert scrape(subject).value("slow_value") == 1

    tomorrow = time.time() + 86400
    monkeypatch.setattr(time, "time", lambda: tomorrow)

    assert scrape(subject).value("slow_value") == 1
    subject.close()


def test_scrapes_at_the_same_time_do_not_mix(tmp_path: Path) -> None:
    running: list[int] = []
    together: list[int] = []

    def work() -> Iterable[Metric]:
        running.append(1)
        together.append(len(running))
        time.sleep(0.02)
        running.pop()
        return [GaugeMetricFamily("one_value", "A value.", 1)]

    subject = collection(tmp_path, Fake("one", tmp_path, work))
    threads = [threading.Thread(target=subject.scrape) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert together == [1] * 8


def test_closing_during_a_scrape_lets_it_end_and_leaves_no_thread(tmp_path: Path) -> None:
    def work() -> Iterable[Metric]:
        time.sleep(0.1)
        return [GaugeMetricFamily("slow_value", "A value.", 1)]

    before = threading.active_count()
    fakes = [Fake(f"slow{number}", tmp_path, work, Schedule(deadline=2)) for number in range(4)]
    subject = collection(tmp_path, *fakes)
    results: list[bytes] = []
    scraping = threading.Thread(target=lambda: results.append(subject.scrape()))
    scraping.start()
    wait_for("the scrape is under way", lambda: fakes[0].runs)
    subject.close()
    scraping.join(5)
    assert b"slow_value" in results[0]
    assert b"slow_value" in subject.scrape(), "a scrape that comes too late is answered, too"
    wait_for("the threads are gone", lambda: threading.active_count() == before)
