"""Processes on this machine, beside node_exporter and psutil, with real zombies."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from mailserver_exporter.collectors.processes import ProcessesCollector
from mailserver_exporter.collectors.top import TopCollector
from mailserver_exporter.sources import SourceError, processes
from tests.support.contexts import context
from tests.support.metrics import Exposition
from tests.support.processes import Program, answers, free_port, wait_for
from tests.support.tools import program

# A parent that has taken a name of its own (prctl PR_SET_NAME), starts children, and does not wait for them.
CARELESS = """
import ctypes, os, sys, time
ctypes.CDLL(None).prctl(15, os.fsencode(sys.argv[1]), 0, 0, 0)
for _ in range(int(sys.argv[2])):
    if os.fork() == 0:
        os._exit(0)
print("ready", flush=True)
time.sleep(120)
"""
# A process whose main thread ends (the system call exit, not exit_group) while another works on.
HEADLESS = """
import ctypes, sys, threading, time
threading.Thread(target=time.sleep, args=(120,)).start()
ctypes.CDLL(None).prctl(15, b"headless", 0, 0, 0)
print("ready", flush=True)
ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[sys.argv[1]], 0)
"""
BUSY = """
import ctypes
ctypes.CDLL(None).prctl(15, b"busy bee (1)", 0, 0, 0)
memory = bytearray(200_000_000)
print("ready", flush=True)
while True:
    pass
"""


@contextmanager
def child(code: str, *arguments: str | bytes) -> Iterator[subprocess.Popen[bytes]]:
    """Run a piece of Python until it says that it is ready, and end it with the block."""
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.stdout.close()
        process.wait(10)


def collect(state: Path) -> Exposition:
    return Exposition.of(ProcessesCollector(context(state)).collect())


def zombies(state: Path) -> dict[str, float]:
    return {s.labels["parent"]: s.value for s in collect(state).all("mailserver_zombie_processes")}


def seen(what: str, condition: Callable[[], object]) -> None:
    """Wait: a child that was just started may still be on its way."""
    wait_for(what, condition, 10)


def test_counts_real_zombies_under_their_parents_name(tmp_path: Path) -> None:
    with child(CARELESS, "careless", "4"):
        seen("four zombies of careless", lambda: zombies(tmp_path).get("careless") == 4)
        assert collect(tmp_path).value("node_processes_state", state="Z") >= 4


def test_a_parents_name_may_be_anything(tmp_path: Path) -> None:
    with child(CARELESS, b'a) Z "\n\\\xff(', "2"):
        seen("two zombies", lambda: zombies(tmp_path).get('a) Z "\n\\\ufffd(') == 2)


def test_zombies_are_zero_again_when_their_parent_has_gone(tmp_path: Path) -> None:
    collector = ProcessesCollector(context(tmp_path))
    collector.max_age = -1

    def count() -> float:
        return Exposition.of(collector.collect()).value("mailserver_zombie_processes", parent="gone soon")

    with child(CARELESS, "gone soon", "3"):
        wait_for(
            "three zombies", lambda: Exposition.of(collector.collect()).all("mailserver_zombie_processes")[0].value
        )
        assert count() == 3
    assert count() == 0


def test_a_process_without_its_main_thread_is_no_zombie(tmp_path: Path) -> None:
    with child(HEADLESS, os.uname().machine) as headless:

        def main_thread() -> processes.Process:
            return processes.scan("/proc").processes[headless.pid]

        seen("the main thread has ended", lambda: main_thread().state == "Z")
        assert main_thread().name == "headless"
        assert not main_thread().zombie
        assert zombies(tmp_path).get(main_thread().name) is None


def test_agrees_with_node_exporter(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    url = f"http://{address}/metrics"
    command = [program("prometheus-node-exporter"), "--collector.processes", f"--web.listen-address={address}"]
    with child(CARELESS, "careless", "5"), Program(command, tmp_path / "log", ready=lambda: answers(url)):

        def same() -> bool:
            """Others work on this machine, so the two are compared until nothing has happened in between."""
            before, theirs, after = collect(tmp_path), Exposition.scrape(url), collect(tmp_path)
            assert theirs.value("node_processes_max_processes") == after.value("node_processes_max_processes")
            assert theirs.value("node_processes_max_threads") == after.value("node_processes_max_threads")
            for state in theirs.all("node_processes_state"):
                values = [e.value("node_processes_state", **state.labels) for e in (before, after)]
                if not min(values) - 1 <= state.value <= max(values) + 1:
                    return False
            for name in ("node_processes_pids", "node_processes_threads"):
                values = [e.value(name) for e in (before, after)]
                if not min(values) - 1 <= theirs.value(name) <= max(values) + 3:
                    return False
            return theirs.value("node_processes_state", state="Z") >= 5

        wait_for("both tell the same", same, 30, pause=0.2)

        ours, theirs = collect(tmp_path), Exposition.scrape(url)
        for name in ours.families:
            if name.startswith("node_"):
                assert ours.families[name].type == theirs.families[name].type
                assert ours.families[name].documentation == theirs.families[name].documentation


def test_agrees_with_psutil(tmp_path: Path) -> None:
    with child(CARELESS, "careless", "1") as careless:
        found = processes.scan("/proc").processes
        mine = psutil.Process()
        assert found[careless.pid].parent == os.getpid()
        assert found[os.getpid()].name == mine.name()
        assert found[os.getpid()].threads == mine.num_threads()
        assert abs(found[os.getpid()].cpu_seconds - sum(mine.cpu_times()[:2])) < 1
        resident = mine.memory_info().rss
        assert abs(found[os.getpid()].resident_bytes - resident) < 0.1 * resident

    def same() -> bool:
        """psutil makes cut names whole, kernel threads' ones change; others start programs meanwhile."""
        found = processes.scan("/proc").processes
        names = {process.pid: process.info["name"] for process in psutil.process_iter(["name"])}
        return found.keys() == names.keys() and all(names[pid].startswith(found[pid].name) for pid in found)

    wait_for("both see the same processes", same, 30)


def test_finds_who_uses_cpu_and_memory(tmp_path: Path) -> None:
    collector = TopCollector(context(tmp_path))
    collector.max_age = -1
    with child(BUSY) as busy:
        list(collector.collect())
        before, start = sum(psutil.Process(busy.pid).cpu_times()[:2]), time.monotonic()
        time.sleep(2)
        found = Exposition.of(collector.collect())
        used = (sum(psutil.Process(busy.pid).cpu_times()[:2]) - before) / (time.monotonic() - start)

        # The machine is shared: what matters is that it is what the process got.
        ratio = found.value("mailserver_top_cpu_usage_ratio", process="busy bee (1)")
        assert abs(ratio - used) < 0.1 + 0.2 * used
        assert found.value("mailserver_top_memory_bytes", process="busy bee (1)") > 200_000_000
    assert len(found.all("mailserver_top_cpu_usage_ratio")) <= 10
    assert len(found.all("mailserver_top_memory_bytes")) <= 10


def test_survives_processes_that_come_and_go(tmp_path: Path) -> None:
    loop = "import subprocess\nprint('ready', flush=True)\nwhile True: subprocess.run(['true'])"
    with child(loop) as comings:
        end = time.monotonic() + 2
        while time.monotonic() < end:
            assert comings.pid in processes.scan("/proc").processes


def test_one_scan_serves_both_collectors(tmp_path: Path) -> None:
    given = context(tmp_path)
    list(ProcessesCollector(given).collect())
    first = given.process_table.snapshot(10)
    list(TopCollector(given).collect())

    assert given.process_table.snapshot(10) is first


def test_says_where_proc_hides_the_processes_of_others(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="mailserver-exporter-test-") as rootfs:
        Path(rootfs).chmod(0o755)
        (Path(rootfs) / "proc").mkdir()
        subprocess.run(["mount", "-t", "proc", "-o", "hidepid=2,gid=54321", "proc", f"{rootfs}/proc"], check=True)
        given = context(tmp_path, rootfs=rootfs)
        try:
            os.seteuid(65534)
            for collector in (ProcessesCollector(given), TopCollector(given)):
                assert "hidepid" in collector.detect().detail
                with pytest.raises(SourceError, match="does not show all processes"):
                    list(collector.collect())
        finally:
            os.seteuid(0)
            subprocess.run(["umount", f"{rootfs}/proc"], check=True)
