"""CPU times and scheduler counters."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailserver_exporter.collectors.cpu import CpuCollector
from mailserver_exporter.sources import SourceError, procstat
from tests.support.contexts import context
from tests.support.metrics import Exposition

# cut -c1-60 /proc/stat, on a machine with two CPUs
STAT = b"""\
cpu  7197 0 3485 329404 381 0 65 10 40 0
cpu0 2164 0 1444 166537 42 0 12 3 40 0
cpu1 5033 0 2041 162867 338 0 52 6 0 0
intr 243365 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1
ctxt 494988
btime 1795304666
processes 13257
procs_running 3
procs_blocked 2
softirq 175310 0 27595 9 13639 47445 0 66 46151 0 40405
"""


def test_parses_what_the_kernel_writes() -> None:
    stat = procstat.parse(STAT)

    assert stat.cpus["0"] == procstat.CpuTimes(21.64, 0, 14.44, 1665.37, 0.42, 0, 0.12, 0.03, 0.40, 0)
    assert list(stat.cpus) == ["0", "1"]
    assert (stat.boot_time, stat.context_switches, stat.interrupts) == (1795304666, 494988, 243365)
    assert (stat.forks, stat.running, stat.blocked) == (13257, 3, 2)


def test_takes_what_an_old_kernel_does_not_count_for_0() -> None:
    stat = procstat.parse(STAT.replace(b"52 6 0 0\n", b"52 6\n"))

    assert (stat.cpus["1"].steal, stat.cpus["1"].guest, stat.cpus["1"].guest_nice) == (0.06, 0, 0)


def test_leaves_out_modes_that_kernels_to_come_may_add() -> None:
    assert procstat.parse(STAT.replace(b"52 6 0 0\n", b"52 6 0 0 77\n")).cpus == procstat.parse(STAT).cpus


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "names no CPU"),
        (b"\x00" * 100, "names no CPU"),
        (STAT.replace(b"ctxt 494988", b"ctxt many"), "not numbers"),
        (STAT.replace(b"cpu1 5033", b"cpu1 x"), "not numbers"),
        (STAT.replace(b"cpu1 ", b"cpux "), "not numbers"),
        (STAT.replace(b"ctxt ", b"cxt "), "no line ctxt"),
        (STAT[:100], "no line btime"),
    ],
)
def test_says_what_is_wrong_with_a_broken_file(data: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        procstat.parse(data)


class _Machine:
    """A collector and the file that it reads."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "proc/stat"
        self.file.parent.mkdir()
        self.collector = CpuCollector(context(folder, "limits: {cpu_usage_ratio: {critical: 0.95}}", folder))

    def scrape(self, data: bytes) -> Exposition:
        self.file.write_bytes(data)
        return Exposition.of(self.collector.collect())


def test_exports_the_modes_of_each_cpu_and_the_limits(tmp_path: Path) -> None:
    found = _Machine(tmp_path).scrape(STAT)

    assert {sample.labels["mode"] for sample in found.all("node_cpu_seconds_total", cpu="0")} == {
        *("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    }
    assert found.value("node_cpu_seconds_total", cpu="1", mode="user") == 50.33
    assert found.value("node_cpu_guest_seconds_total", cpu="0", mode="user") == 0.4
    assert found.value("node_intr_total") == 243365
    assert found.value("mailserver_threshold_cpu_usage_ratio", severity="warning") == 0.8
    assert found.value("mailserver_threshold_cpu_usage_ratio", severity="critical") == 0.95


def test_a_counter_that_steps_back_stays_where_it_was(tmp_path: Path) -> None:
    machine = _Machine(tmp_path)
    machine.scrape(STAT)

    found = machine.scrape(STAT.replace(b"162867 338", b"162868 330"))

    assert found.value("node_cpu_seconds_total", cpu="1", mode="idle") == 1628.68
    assert found.value("node_cpu_seconds_total", cpu="1", mode="iowait") == 3.38


def test_a_cpu_that_was_taken_out_and_put_back_starts_anew(tmp_path: Path) -> None:
    machine = _Machine(tmp_path)
    machine.scrape(STAT)
    machine.scrape(STAT.replace(b"cpu1 5033 0 2041 162867", b"cpu1 1 0 1 2"))

    found = machine.scrape(STAT.replace(b"cpu1 5033 0 2041 162867", b"cpu1 3 0 1 2"))

    assert found.value("node_cpu_seconds_total", cpu="1", mode="user") == 0.03


def test_a_cpu_that_is_taken_out_has_no_series(tmp_path: Path) -> None:
    machine = _Machine(tmp_path)
    machine.scrape(STAT)

    assert (
        machine.scrape(STAT.replace(b"cpu1 5033 0 2041 162867 338 0 52 6 0 0\n", b"")).all(
            "node_cpu_seconds_total", cpu="1"
        )
        == []
    )
