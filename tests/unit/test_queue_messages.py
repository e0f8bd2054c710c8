"""When the queue is listed, and what is exported in between."""

from __future__ import annotations

import dataclasses
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from mailserver_exporter.collectors.queue import QueueMessagesCollector
from mailserver_exporter.sources import SourceError, queue_listing
from mailserver_exporter.sources.postfix_queue import STATES
from tests.support.contexts import context
from tests.support.metrics import Exposition

AGE = "mailserver_queue_oldest_message_age_seconds"


class Bench:
    """A queue directory without a Postfix, so that its files are read, and a clock that can be set forward."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.queue = folder / "spool"
        for state in STATES:
            (self.queue / state).mkdir(parents=True)
        self.ahead = 0.0
        self.listings = 0
        # What the next listings are to be like.
        self.takes = 0.0
        self.change = lambda listing: dataclasses.replace(listing, by_showq=True)
        wall, steady, take = time.time, time.monotonic, queue_listing.take
        monkeypatch.setattr(time, "time", lambda: wall() + self.ahead)
        monkeypatch.setattr(time, "monotonic", lambda: steady() + self.ahead)

        def counted(*arguments: Any) -> queue_listing.Listing:
            self.listings += 1
            self.ahead += self.takes
            return self.change(take(*arguments))

        monkeypatch.setattr(queue_listing, "take", counted)
        self.collector = QueueMessagesCollector(context(folder / "state", f"queue: {{directory: {self.queue}}}"))

    def put(self, state: str, name: str, age: float, size: int = 500) -> Path:
        path = self.queue / state / name
        arrived = b"%d 0" % (time.time() - age)
        path.write_bytes(b"C\x5f%15d" % size + b" " * 80 + b"T" + bytes([len(arrived)]) + arrived)
        os.utime(path, (0, 0))  # never the arrival
        return path

    def collect(self, later: float = 0) -> Exposition:
        self.ahead += later
        return Exposition.of(self.collector.collect())


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_an_empty_queue_is_zero_everywhere_and_is_not_listed(bench: Bench) -> None:
    found = bench.collect()

    assert {s.labels["queue"] for s in found.all(AGE)} == {"maildrop", "incoming", "active", "deferred", "hold"}
    assert {s.value for s in found.all(AGE)} == {0}
    assert {s.value for s in found.all("postfix_showq_message_age_seconds_count")} == {0}
    assert bench.listings == 0


def test_age_size_and_histograms_are_those_of_the_messages(bench: Bench) -> None:
    bench.put("deferred", "A1", age=7000, size=2000)
    bench.put("deferred", "A2", age=50, size=300)

    found = bench.collect()

    assert found.value(AGE, queue="deferred") == pytest.approx(7000, abs=5)
    assert found.value("mailserver_queue_bytes", queue="deferred") == 2300
    assert found.value("postfix_showq_message_size_bytes_bucket", queue="deferred", le="1000") == 1
    assert found.value("postfix_showq_message_age_seconds_bucket", queue="deferred", le="10") == 0
    assert found.value("postfix_showq_message_age_seconds_bucket", queue="deferred", le="100") == 1
    assert found.value("postfix_showq_message_age_seconds_count", queue="deferred") == 2
    assert found.value("mailserver_queue_listing_complete") == 1
    assert found.value("mailserver_threshold_queue_oldest_message_age_seconds", severity="critical") == 4 * 3600


def test_buckets_are_written_as_the_peer_writes_them(bench: Bench) -> None:
    text = bench.collect().text

    assert 'postfix_showq_message_age_seconds_bucket{le="1e+08",queue="hold"} 0.0' in text
    assert 'postfix_showq_message_size_bytes_bucket{le="1000",queue="hold"} 0.0' in text


def test_the_age_goes_on_growing_between_listings(bench: Bench) -> None:
    bench.put("hold", "A1", age=100)
    bench.takes = 1
    bench.collect()

    found = bench.collect(later=30)

    assert bench.listings == 1
    assert found.value(AGE, queue="hold") == pytest.approx(131, abs=5)


def test_a_queue_that_is_quickly_listed_is_listed_at_every_run(bench: Bench) -> None:
    bench.put("hold", "A1", age=100)
    bench.collect()
    bench.put("deferred", "A2", age=9000)

    found = bench.collect(later=10)

    assert bench.listings == 2
    assert found.value(AGE, queue="deferred") == pytest.approx(9010, abs=5)


def test_without_showq_files_are_read_once_a_minute(bench: Bench) -> None:
    bench.put("hold", "A1", age=100)
    bench.change = lambda listing: listing
    for _ in range(13):
        bench.collect(later=10)

    assert bench.listings == 3


def test_mail_that_has_not_been_listed_yet_is_as_old_as_it_has_been_seen(bench: Bench) -> None:
    bench.put("hold", "A1", age=100)
    bench.takes = 2.2
    bench.collect()
    bench.put("deferred", "A2", age=9000)

    ages = [bench.collect(later=20).value(AGE, queue="deferred") for _ in range(6)]

    assert ages[:5] == pytest.approx([0, 20, 40, 60, 80], abs=5)
    assert ages[5] == pytest.approx(9120, abs=8)


def test_a_drained_state_is_zero_at_once(bench: Bench) -> None:
    path = bench.put("deferred", "A1", age=9000)
    bench.put("hold", "A2", age=100)
    bench.takes = 1
    bench.collect()
    path.unlink()

    found = bench.collect(later=1)

    assert bench.listings == 1
    assert found.value(AGE, queue="deferred") == 0
    assert found.value("mailserver_queue_bytes", queue="deferred") == 0
    assert found.value("postfix_showq_message_size_bytes_count", queue="deferred") == 0
    assert found.value(AGE, queue="hold") == pytest.approx(102, abs=5)


def test_a_listing_that_takes_long_is_done_for_a_fiftieth_of_the_time(bench: Bench) -> None:
    bench.put("hold", "A1", age=100)
    bench.takes = 20
    bench.collect()
    for _ in range(99):
        bench.collect(later=10)
    assert bench.listings == 1

    bench.collect(later=15)
    assert bench.listings == 2


def test_a_listing_that_was_cut_short_keeps_what_was_known_to_be_older(bench: Bench) -> None:
    bench.put("hold", "A1", age=5000)
    bench.collect()
    nothing = {state: queue_listing.Figures() for state in STATES}
    bench.change = lambda listing: queue_listing.Listing(nothing, complete=False, by_showq=True)

    found = bench.collect(later=70)

    assert found.value("mailserver_queue_listing_complete") == 0
    assert found.value(AGE, queue="hold") == pytest.approx(5070, abs=5)


def test_a_missing_queue_is_a_failure_and_never_an_age_of_zero(bench: Bench) -> None:
    bench.collect()
    shutil.rmtree(bench.queue)

    with pytest.raises(SourceError, match="is not there"):
        bench.collect()
