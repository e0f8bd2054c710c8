"""Counting a mail queue from its directories."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from mailserver_exporter.collectors.queue import QueueCollector
from mailserver_exporter.sources import SourceError, postfix_queue
from mailserver_exporter.sources.postfix_queue import STATES, QueueCounter
from tests.support.contexts import context
from tests.support.metrics import Exposition

LATER = 10 * 10**9


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    for state in STATES:
        (tmp_path / "spool" / state).mkdir(parents=True)
    return tmp_path / "spool"


def put(folder: Path, count: int, prefix: str = "BE6FB2") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{prefix}{number:05X}").touch()


class Reads:
    """Counts the directory entries that are read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entries = 0
        self._scandir = os.scandir
        monkeypatch.setattr(os, "scandir", self._counting)

    def _counting(self, path: str) -> _Entries:
        return _Entries(self._scandir(path), self)

    def of(self, counter: QueueCounter, queue: Path) -> int:
        before = self.entries
        counter.count(str(queue))
        return self.entries - before


class _Entries:
    def __init__(self, inner: object, reads: Reads) -> None:
        self._inner = inner
        self._reads = reads

    def __iter__(self) -> _Entries:
        return self

    def __next__(self) -> object:
        entry = next(self._inner)  # type: ignore[call-overload]
        self._reads.entries += 1
        return entry

    def close(self) -> None:
        self._inner.close()  # type: ignore[attr-defined]


def test_every_state_is_counted_and_an_empty_one_is_zero(queue: Path) -> None:
    put(queue / "active", 3)
    put(queue / "corrupt", 1)

    assert QueueCounter().count(str(queue)) == {
        "maildrop": 0,
        "incoming": 0,
        "active": 3,
        "deferred": 0,
        "hold": 0,
        "corrupt": 1,
    }


def test_hashed_directories_of_any_depth_are_counted(queue: Path) -> None:
    put(queue / "deferred/A", 2)
    put(queue / "deferred/B/E/6", 3)
    put(queue / "deferred", 1)

    assert QueueCounter().count(str(queue))["deferred"] == 6


def test_only_files_that_are_messages_are_counted(queue: Path) -> None:
    put(queue / "incoming", 1)
    (queue / "incoming/123456.7890").touch()  # as Postfix names a message that it is still writing
    (queue / "incoming/.hidden").touch()
    (queue / "incoming/AB12CD34EF").symlink_to("/etc/passwd")
    os.mkfifo(queue / "incoming/AB12CD34FF")
    (queue / "incoming/3yXKqm1c2Xz9Ktj").touch()  # a long queue id

    assert QueueCounter().count(str(queue))["incoming"] == 2


def test_a_symbolic_link_does_not_lead_out_of_the_queue(queue: Path, tmp_path: Path) -> None:
    put(tmp_path / "elsewhere", 5)
    (queue / "deferred/A").symlink_to(tmp_path / "elsewhere")

    assert QueueCounter().count(str(queue))["deferred"] == 0


def test_what_comes_and_goes_is_seen_at_the_next_count(queue: Path) -> None:
    counter = QueueCounter()
    seen = [counter.count(str(queue))["deferred"]]
    put(queue / "deferred/A", 51)
    seen.append(counter.count(str(queue))["deferred"])
    (queue / "deferred/A/BE6FB200000").unlink()
    seen.append(counter.count(str(queue))["deferred"])
    shutil.rmtree(queue / "deferred/A")
    seen.append(counter.count(str(queue))["deferred"])

    assert seen == [0, 51, 50, 0]


def test_a_second_change_with_the_same_time_stamp_is_not_missed(queue: Path) -> None:
    counter = QueueCounter()
    put(queue / "hold", 1)
    stamp = os.stat(queue / "hold").st_mtime_ns
    counter.count(str(queue))
    put(queue / "hold", 2, prefix="CCCCCC")
    os.utime(queue / "hold", ns=(stamp, stamp))

    assert counter.count(str(queue))["hold"] == 3


def test_nothing_is_listed_again_while_nothing_changes(queue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(queue / "deferred/A", 300)
    reads = Reads(monkeypatch)
    counter = QueueCounter(clock=lambda: time.time_ns() + LATER)

    assert reads.of(counter, queue) == 301
    assert reads.of(counter, queue) == 0


def test_a_run_reads_a_bounded_number_of_entries_however_many_have_changed(
    queue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ABCD":
        put(queue / "deferred" / name, 400)
    put(queue / "hold", 400)
    counter = QueueCounter(entries_per_run=100)
    counter.count(str(queue))
    reads = Reads(monkeypatch)

    for run in range(40):
        for folder in (queue / "hold", *(queue / "deferred" / name for name in "ABCD")):
            (folder / f"DDDDDD{run:05X}").touch()
        assert reads.of(counter, queue) <= 100
    counter.close()


def test_a_large_directory_that_changed_is_exact_again_after_some_runs(queue: Path) -> None:
    put(queue / "hold", 1000)
    counter = QueueCounter(entries_per_run=100, clock=lambda: time.time_ns() + LATER)
    counter.count(str(queue))
    put(queue / "hold", 30, prefix="CCCCCC")

    seen = [counter.count(str(queue))["hold"] for _ in range(11)]

    assert seen[0] == 1000
    assert seen[-1] == 1030


def test_small_directories_are_exact_while_a_large_one_is_being_listed(queue: Path) -> None:
    put(queue / "hold", 1000)
    counter = QueueCounter(entries_per_run=100)
    counter.count(str(queue))
    for number in range(5):
        put(queue / "hold", 1, prefix=f"CCCC{number:02X}")
        put(queue / "active", 1, prefix=f"CCCC{number:02X}")
        assert counter.count(str(queue))["active"] == number + 1
    counter.close()


def test_a_queue_that_fills_up_in_between_is_at_once_seen_as_full(queue: Path) -> None:
    counter = QueueCounter(entries_per_run=100)
    counter.count(str(queue))
    put(queue / "incoming", 1000)

    assert counter.count(str(queue))["incoming"] == 100
    counter.close()


def test_a_large_queue_that_is_emptied_is_at_once_seen_as_empty(queue: Path) -> None:
    put(queue / "hold", 1000)
    counter = QueueCounter(entries_per_run=100)
    counter.count(str(queue))
    for path in (queue / "hold").iterdir():
        path.unlink()

    assert counter.count(str(queue))["hold"] == 0


def test_a_directory_that_is_replaced_is_listed_anew(queue: Path) -> None:
    put(queue / "deferred/A", 2)
    counter = QueueCounter(clock=lambda: time.time_ns() + LATER)
    counter.count(str(queue))
    stamp = os.stat(queue / "deferred/A").st_mtime_ns
    (queue / "deferred/A").rename(queue.parent / "old")
    put(queue / "deferred/A", 7)
    os.utime(queue / "deferred/A", ns=(stamp, stamp))

    assert counter.count(str(queue))["deferred"] == 7


def test_a_queue_that_has_never_been_started_may_lack_the_hold_queue(queue: Path) -> None:
    (queue / "hold").rmdir()
    (queue / "corrupt").rmdir()

    assert QueueCounter().count(str(queue)) == dict.fromkeys(STATES, 0)


@pytest.mark.parametrize("gone", ["", "maildrop", "incoming", "active", "deferred"])
def test_a_missing_queue_is_a_failure_and_never_an_empty_one(queue: Path, gone: str) -> None:
    counter = QueueCounter()
    counter.count(str(queue))
    shutil.rmtree(queue / gone)

    with pytest.raises(SourceError, match="is not there") as caught:
        counter.count(str(queue))
    assert "start Postfix" in caught.value.remedy


def test_a_queue_that_comes_back_is_counted_again(queue: Path, tmp_path: Path) -> None:
    put(queue / "active", 2)
    counter = QueueCounter()
    queue.rename(tmp_path / "away")
    with pytest.raises(SourceError):
        counter.count(str(queue))
    (tmp_path / "away").rename(queue)

    assert counter.count(str(queue))["active"] == 2


def test_the_paths_of_messages_are_found_up_to_a_number(queue: Path) -> None:
    put(queue / "deferred/A", 5)

    assert len(postfix_queue.messages(str(queue), "deferred", 3)) == 3
    assert set(postfix_queue.messages(str(queue), "deferred", 10)) == {
        str(path) for path in (queue / "deferred/A").iterdir()
    }


def test_the_collector_exports_limits_beside_the_counts(queue: Path, tmp_path: Path) -> None:
    put(queue / "deferred/A", 12)
    collector = QueueCollector(context(tmp_path / "state", f"queue: {{directory: {queue}}}"))

    found = Exposition.of(collector.collect())

    assert found.value("postfix_showq_queue_depth", queue="deferred") == 12
    assert {s.labels["queue"] for s in found.all("postfix_showq_queue_depth")} == set(STATES)
    assert found.value("mailserver_threshold_queue_messages", severity="warning") == 10
    assert found.value("mailserver_threshold_queue_messages", severity="critical") == 50


def test_a_host_without_a_mail_stack_is_told_from_one_with_a_queue(queue: Path, tmp_path: Path) -> None:
    assert not QueueCollector(context(tmp_path / "state", "", tmp_path / "bare")).detect().found
    rootfs = tmp_path / "host"
    (rootfs / "etc/postfix").mkdir(parents=True)
    (rootfs / "etc/postfix/main.cf").write_text(f"queue_directory = {queue}\n")
    native = QueueCollector(context(tmp_path / "state", "", rootfs))
    assert not native.detect().found
    (rootfs / str(queue).lstrip("/")).mkdir(parents=True)
    assert native.detect().found


def test_does_not_touch_a_queue_that_it_knows_to_detect_it(tmp_path: Path) -> None:
    (tmp_path / "host/etc/postfix").mkdir(parents=True)
    (tmp_path / "host/etc/postfix/main.cf").touch()
    given = context(tmp_path / "state", "", tmp_path / "host")
    assert not QueueCollector(given).detect().found
    given.expectations.expect("collector", {"queue"})
    assert QueueCollector(given).detect().found
    given.expectations.forget("queue")
    assert not QueueCollector(given).detect().found


def test_a_queue_that_the_configuration_names_has_to_be_there(tmp_path: Path) -> None:
    collector = QueueCollector(context(tmp_path / "state", f"queue: {{directory: {tmp_path}/missing}}"))
    assert collector.detect().found
    with pytest.raises(SourceError, match=r"the mail queue is not there: .*/missing"):
        list(collector.collect())


def test_a_queue_that_may_not_be_read_is_a_failure_that_says_what_is_needed(queue: Path) -> None:
    for folder in (queue.parent, queue):
        folder.chmod(0o755)
    (queue / "deferred").chmod(0o700)
    above = [folder for folder in queue.parents if not folder.stat().st_mode & 0o001]
    modes = [folder.stat().st_mode for folder in above]
    for folder in above:
        folder.chmod(0o755)
    os.seteuid(65534)  # nobody
    try:
        with pytest.raises(SourceError, match=r"cannot list .*: Permission denied") as caught:
            QueueCounter().count(str(queue))
    finally:
        os.seteuid(0)
        for folder, mode in zip(above, modes, strict=True):
            folder.chmod(mode)
    assert "CAP_DAC_READ_SEARCH" in caught.value.remedy


def test_mailcow_has_a_queue_whether_it_was_seen_or_not(tmp_path: Path) -> None:
    (tmp_path / "opt/mailcow-dockerized").mkdir(parents=True)
    (tmp_path / "opt/mailcow-dockerized/mailcow.conf").touch()
    collector = QueueCollector(context(tmp_path / "state", "", tmp_path))
    assert collector.detect().found
    with pytest.raises((SourceError, OSError)):
        list(collector.collect())
