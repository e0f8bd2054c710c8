"""The programs that use most."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailserver_exporter.collectors.top import TopCollector, cpu_usage
from mailserver_exporter.sources.processes import Process, ProcessTable, Snapshot
from tests.support.contexts import context
from tests.support.metrics import Exposition


def process(name: str, cpu_seconds: float = 0, *, started: int = 5, resident_bytes: int = 0) -> Process:
    return Process(name, "S", 1, cpu_seconds, 1, started, resident_bytes)


def snapshot(taken: float, *processes: Process) -> Snapshot:
    return Snapshot(taken, dict(enumerate(processes, start=1)))


def test_cpu_is_what_was_used_between_two_snapshots_by_all_processes_of_a_name() -> None:
    before = snapshot(100, process("rspamd", 50), process("rspamd", 7), process("init", 3))
    now = snapshot(110, process("rspamd", 65), process("rspamd", 12), process("init", 3))

    assert cpu_usage(before, now) == {"rspamd": 2.0, "init": 0.0}


def test_cpu_of_a_process_that_is_new_is_all_it_used() -> None:
    assert cpu_usage(snapshot(100), snapshot(110, process("gzip", 4))) == {"gzip": 0.4}


def test_a_pid_that_is_used_again_is_another_process() -> None:
    before = snapshot(100, process("gzip", 500, started=5))
    assert cpu_usage(before, snapshot(110, process("gzip", 4, started=900))) == {"gzip": 0.4}


def test_a_process_that_ended_does_not_make_the_rest_negative() -> None:
    before = snapshot(100, process("a", 10), process("a", 500))
    assert cpu_usage(before, snapshot(110, process("a", 11))) == {"a": pytest.approx(0.1)}


def test_knows_nothing_of_cpu_without_a_first_snapshot() -> None:
    assert cpu_usage(None, snapshot(110, process("gzip", 4))) == {}


class Tables(ProcessTable):
    """Gives one prepared snapshot after another."""

    def __init__(self, *snapshots: Snapshot) -> None:
        super().__init__("/nowhere")
        self.snapshots = list(snapshots)

    def snapshot(self, max_age: float) -> Snapshot:
        return self.snapshots.pop(0)


def collector_of(state: Path, *snapshots: Snapshot) -> TopCollector:
    given = context(state)
    given.__dict__["process_table"] = Tables(*snapshots)
    return TopCollector(given)


def test_names_the_ten_that_use_most(tmp_path: Path) -> None:
    processes = [process(f"p{n}", n, resident_bytes=n * 1000) for n in range(1, 31)]
    collector = collector_of(tmp_path, snapshot(100), snapshot(110, *processes))
    Exposition.of(collector.collect())

    found = Exposition.of(collector.collect())

    cpu = {s.labels["process"]: s.value for s in found.all("mailserver_top_cpu_usage_ratio")}
    memory = {s.labels["process"]: s.value for s in found.all("mailserver_top_memory_bytes")}
    assert cpu == {f"p{n}": n / 10 for n in range(21, 31)}
    assert memory == {f"p{n}": n * 1000 for n in range(21, 31)}


def test_leaves_out_what_uses_nothing(tmp_path: Path) -> None:
    collector = collector_of(tmp_path, snapshot(100, process("kthreadd"), process("clamd", resident_bytes=10)))

    found = Exposition.of(collector.collect())

    assert found.all("mailserver_top_cpu_usage_ratio") == []
    assert [s.labels["process"] for s in found.all("mailserver_top_memory_bytes")] == ["clamd"]


def test_shows_the_last_cpu_usage_again_where_there_is_no_new_snapshot(tmp_path: Path) -> None:
    first, second = snapshot(100, process("a", 1)), snapshot(110, process("a", 6))
    collector = collector_of(tmp_path, first, second, second)
    usage = [Exposition.of(collector.collect()).all("mailserver_top_cpu_usage_ratio") for _ in range(3)]

    assert [[s.value for s in samples] for samples in usage] == [[], [0.5], [0.5]]


def test_survives_any_name(tmp_path: Path) -> None:
    name = 'a "b"\n\\{} \ufffd'
    found = Exposition.of(collector_of(tmp_path, snapshot(100, process(name, resident_bytes=9))).collect())
    assert found.value("mailserver_top_memory_bytes", process=name) == 9
