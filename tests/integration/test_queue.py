"""The queue collectors beside a real Postfix, and at the size that must not slow a scrape."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailserver_exporter.app import build
from mailserver_exporter.collection import Collection
from mailserver_exporter.collectors.queue import QueueCollector, QueueMessagesCollector
from mailserver_exporter.config import Config
from mailserver_exporter.exposition import encode
from mailserver_exporter.host import Host
from mailserver_exporter.schema import read_text
from mailserver_exporter.sources.postfix_queue import STATES
from tests.support.contexts import context
from tests.support.metrics import Exposition
from tests.support.postfix import Postfix
from tests.support.processes import wait_for

DEPTH = "postfix_showq_queue_depth"
AGE = "mailserver_queue_oldest_message_age_seconds"


def collection(yaml: str, rootfs: Path | str = "/") -> Collection:
    setup = build(read_text(yaml, "config.yml", Config()), Host(str(rootfs)), (QueueCollector, QueueMessagesCollector))
    return setup.collection


def depths(found: Exposition) -> dict[str, int]:
    return {sample.labels["queue"]: int(sample.value) for sample in found.all(DEPTH)}


def counts(queue: Path) -> dict[str, int]:
    """What find(1) counts."""
    return {
        state: len(subprocess.check_output(["find", str(queue / state), "-type", "f", "-printf", "x"]))
        for state in STATES
    }


def test_counts_what_find_counts_in_every_state(postfix: Postfix, tmp_path: Path) -> None:
    collector = QueueCollector(context(tmp_path, f"queue: {{directory: {postfix.queue}}}"))
    postfix.submit_deferred(25)
    for message in postfix.listing()[:5]:
        postfix.hold(message["queue_id"])
    corrupt = postfix.queue / "corrupt/ABCDEF123"
    corrupt.write_text("broken")
    try:
        found = depths(Exposition.of(collector.collect()))
    finally:
        corrupt.unlink()

    assert found == {"maildrop": 0, "incoming": 0, "active": 0, "deferred": 20, "hold": 5, "corrupt": 1}
    assert found == counts(postfix.queue) | {"corrupt": 1}
    assert {state: found[state] for state in ("deferred", "hold")} == dict(
        Counter(message["queue_name"] for message in postfix.listing())
    )


def test_sees_mail_being_delivered_in_the_active_queue(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = {"default_transport": f"smtp:[127.0.0.1]:{silent.getsockname()[1]}"}
        with Postfix(settings=settings) as postfix:
            postfix.submit(4)
            collector = QueueCollector(context(tmp_path, f"queue: {{directory: {postfix.queue}}}"))

            wait_for(
                "all mail waits for the silent server",
                lambda: depths(Exposition.of(collector.collect()))["active"] == 4,
            )


def test_sees_what_sendmail_leaves_while_postfix_is_stopped(postfix: Postfix, tmp_path: Path) -> None:
    postfix.stop()
    postfix.drop(2)
    yaml = f"queue: {{directory: {postfix.queue}}}"

    assert depths(Exposition.of(QueueCollector(context(tmp_path, yaml)).collect()))["maildrop"] == 2
    found = Exposition.of(QueueMessagesCollector(context(tmp_path, yaml)).collect())
    assert found.value("postfix_showq_message_age_seconds_count", queue="maildrop") == 2
    assert found.value(AGE, queue="maildrop") == pytest.approx(0, abs=20)


def test_long_queue_ids_and_deep_hashing_are_counted_the_same(tmp_path: Path) -> None:
    settings = {"enable_long_queue_ids": "yes", "hash_queue_depth": "3", "hash_queue_names": "deferred, defer, active"}
    with Postfix(settings=settings) as postfix:
        postfix.submit_deferred(12)
        assert any(len(path.relative_to(postfix.queue).parts) == 5 for path in postfix.files("deferred"))
        collector = QueueCollector(context(tmp_path, f"queue: {{directory: {postfix.queue}}}"))

        assert depths(Exposition.of(collector.collect()))["deferred"] == 12


def test_age_and_size_are_those_that_postqueue_lists(postfix: Postfix, tmp_path: Path) -> None:
    postfix.submit_deferred(8, size=3000)
    postfix.hold(postfix.listing()[0]["queue_id"])
    postfix.backdate(7200, "hold")
    collector = QueueMessagesCollector(context(tmp_path, f"queue: {{directory: {postfix.queue}}}"))

    found = Exposition.of(collector.collect())
    now = time.time()
    listing = postfix.listing()

    for state in ("deferred", "hold"):
        messages = [message for message in listing if message["queue_name"] == state]
        assert found.value("mailserver_queue_bytes", queue=state) == sum(m["message_size"] for m in messages)
        assert found.value("postfix_showq_message_size_bytes_count", queue=state) == len(messages)
        oldest = now - min(m["arrival_time"] for m in messages)
        assert found.value(AGE, queue=state) == pytest.approx(oldest, abs=2)
    assert found.value(AGE, queue="hold") > 7200
    assert found.value("postfix_showq_message_age_seconds_bucket", queue="hold", le="1000") == 0
    assert found.value("postfix_showq_message_age_seconds_bucket", queue="hold", le="10000") == 1


def test_ages_are_the_same_without_showq(postfix: Postfix, tmp_path: Path) -> None:
    postfix.submit_deferred(6)
    postfix.backdate(4000)
    yaml = f"queue: {{directory: {postfix.queue}}}"
    by_showq = Exposition.of(QueueMessagesCollector(context(tmp_path, yaml)).collect())
    postfix.stop()
    by_files = Exposition.of(QueueMessagesCollector(context(tmp_path, yaml)).collect())

    assert by_files.value(AGE, queue="deferred") == pytest.approx(by_showq.value(AGE, queue="deferred"), abs=3)
    for name in ("mailserver_queue_bytes", "postfix_showq_message_age_seconds_count"):
        assert by_files.value(name, queue="deferred") == by_showq.value(name, queue="deferred")


def test_a_frozen_postfix_holds_up_neither_the_counts_nor_the_scrape(
    postfix: Postfix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    postfix.submit_deferred(11)
    monkeypatch.setattr(QueueMessagesCollector, "_LISTING_SECONDS", 3.0)
    watched = collection(f"state_directory: {tmp_path}\nqueue: {{directory: {postfix.queue}}}")
    postfix.freeze()
    try:
        started = time.monotonic()
        found = Exposition(watched.scrape().decode())
        took = time.monotonic() - started
        wait_for(
            "ages come from the files",
            lambda: Exposition(watched.scrape().decode()).all(AGE, queue="deferred"),
        )
    finally:
        postfix.thaw()
        watched.close()

    assert took < 2
    assert depths(found)["deferred"] == 11


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that Postfix' own users can enter, which those of tmp_path are not."""
    folder = Path(tempfile.mkdtemp(prefix="mailcow-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_mailcows_volume_is_found_through_its_project_and_the_hosts_root(open_folder: Path, tmp_path: Path) -> None:
    (open_folder / "opt/mailcow-dockerized").mkdir(parents=True)
    (open_folder / "opt/mailcow-dockerized/mailcow.conf").write_text("COMPOSE_PROJECT_NAME=mymail\n")
    # The volume's data is on another disk, linked to as the host sees it.
    volume = open_folder / "var/lib/docker/volumes/mymail_postfix-vol-1"
    volume.mkdir(parents=True)
    (volume / "_data").symlink_to("/mnt/postfix")
    with Postfix(open_folder / "mnt/postfix") as postfix:
        postfix.submit_deferred(3)
        watched = collection(f"state_directory: {tmp_path}", open_folder)
        try:
            found = Exposition(watched.scrape().decode())
        finally:
            watched.close()

    assert depths(found)["deferred"] == 3
    assert found.value("postfix_showq_message_age_seconds_count", queue="deferred") == 3
    assert found.value("mailserver_collector_success", collector="queue_messages") == 1


def test_a_queue_that_vanishes_fails_and_recovers(postfix: Postfix, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    shutil.copytree(postfix.queue, spool, ignore=shutil.ignore_patterns("public", "private"))
    watched = collection(f"state_directory: {tmp_path}\nqueue: {{directory: {spool}}}")
    try:
        good = Exposition(watched.scrape().decode())
        spool.rename(tmp_path / "away")
        bad = Exposition(watched.scrape().decode())
        (tmp_path / "away").rename(spool)
        again = Exposition(watched.scrape().decode())
    finally:
        watched.close()

    assert [found.value("mailserver_collector_success", collector="queue") for found in (good, bad, again)] == [1, 0, 1]
    assert not bad.all(DEPTH)
    assert len(again.all(DEPTH)) == len(STATES)


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A queue with 100,000 deferred messages, hashed as Postfix hashes them."""
    queue = tmp_path_factory.mktemp("crowded") / "spool"
    for state in STATES:
        (queue / state).mkdir(parents=True)
    for digit in "0123456789ABCDEF":
        (queue / "deferred" / digit).mkdir()
    for number in range(100_000):
        name = f"{0xBE6FB210625 + number * 7919:011X}"
        os.close(os.open(queue / "deferred" / name[-1] / name, os.O_CREAT | os.O_WRONLY))
    yield queue
    shutil.rmtree(queue)


def cpu_per_run(collector: QueueCollector, change: Callable[[int], None] = lambda number: None) -> float:
    """Return the median CPU seconds of a run, the writing of the text included."""
    runs = 41
    costs = []
    for number in range(runs):
        change(number)
        started = time.process_time()
        encode(collector.collect())
        costs.append(time.process_time() - started)
    return sorted(costs)[runs // 2]


def test_a_hundred_thousand_messages_cost_what_none_cost(crowded: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    for state in STATES:
        (empty / state).mkdir(parents=True)
    time.sleep(2.1)
    of_none = QueueCollector(context(tmp_path, f"queue: {{directory: {empty}}}"))
    of_many = QueueCollector(context(tmp_path, f"queue: {{directory: {crowded}}}"))
    assert depths(Exposition.of(of_many.collect()))["deferred"] == 100_000
    list(of_none.collect())

    # 16 directories more to look at take some microseconds each.
    assert cpu_per_run(of_many) - cpu_per_run(of_none) < 0.001


def test_a_hundred_thousand_messages_that_come_and_go_cost_little_more(crowded: Path, tmp_path: Path) -> None:
    collector = QueueCollector(context(tmp_path, f"queue: {{directory: {crowded}}}"))
    list(collector.collect())

    def change(number: int) -> None:
        for digit in "0123456789ABCDEF":
            (crowded / "deferred" / digit / f"AAAA{number:04X}{digit}").touch()

    cost = cpu_per_run(collector, change)
    newest = depths(Exposition.of(collector.collect()))["deferred"]
    collector.close()

    assert cost < 0.012
    assert 100_000 <= newest <= 100_000 + 41 * 16


def test_a_long_queue_is_listed_to_its_end(postfix: Postfix, tmp_path: Path) -> None:
    postfix.submit_deferred(300)
    collector = QueueMessagesCollector(context(tmp_path, f"queue: {{directory: {postfix.queue}}}"))

    found = Exposition.of(collector.collect())

    assert found.value("mailserver_queue_listing_complete") == 1
    assert found.value("postfix_showq_message_age_seconds_count", queue="deferred") == 300
