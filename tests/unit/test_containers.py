"""Containers on cgroup v2, and what goes wrong with a single one of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver_exporter.collectors.containers import ContainersCollector
from tests.support.contexts import context
from tests.support.impostor import ID, INSPECTED, Impostor, engine_with
from tests.support.metrics import Exposition

OTHER = "b" * 64
FILES = {
    "cpu.stat": "usage_usec 2500000\nuser_usec 1500000\nsystem_usec 1000000\n",
    "cpu.max": "max 100000\n",
    "memory.current": "10000000\n",
    "memory.stat": "anon 4000000\nfile 5000000\ninactive_file 3000000\n",
    "memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 2\n",
    "io.stat": "",
    "pids.current": "5\n",
}
HEAD = "head\nhead\n"
ETH0 = "  eth0: 1010 11 1 2 0 0 0 0 2020 22 3 4 0 0 0 0\n"


class Machine:
    """A host with cgroup v2 in a folder and two containers, postfix (process 10) and dovecot (process 20)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.containers = {ID: self.inspected(ID, "postfix", 10), OTHER: self.inspected(OTHER, "dovecot", 20)}
        self.start(ID, 10)
        self.start(OTHER, 20)
        (root / "sys/fs/cgroup/cgroup.controllers").write_text("cpu io memory pids\n")
        (root / "run").mkdir()
        self.impostor = Impostor(root / "run/docker.sock", engine_with(self.containers))
        self.collector = ContainersCollector(context(root / "state", "containers: {socket: /run/docker.sock}", root))

    def inspected(self, identity: str, name: str, pid: int, started: int = 22) -> dict[str, object]:
        state = {"Status": "running", "Pid": pid, "ExitCode": 0, "StartedAt": f"2026-11-22T00:21:{started}Z"}
        return {**INSPECTED, "Id": identity, "Name": f"/{name}", "State": state}

    def folder(self, identity: str) -> Path:
        return self.root / f"sys/fs/cgroup/system.slice/docker-{identity}.scope"

    def start(self, identity: str, pid: int) -> None:
        folder = self.folder(identity)
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in {**FILES, "cgroup.procs": f"{pid}\n"}.items():
            (folder / name).write_text(content)
        proc = self.root / f"proc/{pid}"
        (proc / "net").mkdir(parents=True)
        (proc / "cgroup").write_text(f"0::/system.slice/docker-{identity}.scope\n")
        (proc / "net/dev").write_text(HEAD + ETH0)

    def hide(self, pid: int) -> None:
        (self.root / f"proc/{pid}/cgroup").unlink()

    def look(self) -> Exposition:
        return Exposition.of(self.collector.collect())


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    machine.collector.close()
    machine.impostor.close()


def names(exposition: Exposition, metric: str) -> set[str]:
    return {sample.labels["name"] for sample in exposition.all(metric)}


def test_figures_of_version_2_are_named_as_cadvisor_names_them(machine: Machine) -> None:
    found = machine.look()
    image = "busybox:test"

    assert found.value("container_cpu_usage_seconds_total", name="postfix", image=image, cpu="total") == 2.5
    assert found.value("container_memory_working_set_bytes", name="postfix", image=image) == 7_000_000
    assert found.value("container_network_transmit_errors_total", name="postfix", image=image, interface="eth0") == 3
    assert found.value("container_oom_events_total", name="postfix", image=image) == 2
    assert not found.all("container_spec_cpu_quota")
    assert found.value("container_scrape_error") == 0
    assert machine.collector.found() == "2 containers, 2 of them running"
    assert list(machine.collector.findings()) == []


def test_a_half_written_file_leaves_out_that_container_only_and_is_told_once(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    machine.look()
    (machine.folder(ID) / "memory.stat").write_text("anon 4000000\nfi")

    for _ in range(3):
        found = machine.look()

    assert found.value("container_scrape_error") == 1
    assert names(found, "container_memory_usage_bytes") == {"dovecot"}
    assert names(found, "mailserver_container_info") == {"postfix", "dovecot"}
    assert found.value("mailserver_container_state", name="postfix", state="running") == 1
    [record] = caplog.records
    assert "'postfix'" in record.getMessage()
    assert "memory.stat" in record.getMessage()
    assert ["postfix: " in finding.detail for finding in machine.collector.findings()] == [True]

    (machine.folder(ID) / "memory.stat").write_text(FILES["memory.stat"])
    found = machine.look()
    assert found.value("container_scrape_error") == 0
    assert names(found, "container_memory_usage_bytes") == {"postfix", "dovecot"}
    assert "can be read again" in caplog.records[-1].getMessage()


def test_a_container_that_has_just_ended_is_no_error(machine: Machine) -> None:
    machine.look()
    (machine.folder(ID) / "cgroup.procs").write_text("")
    machine.hide(10)

    found = machine.look()

    assert found.value("container_scrape_error") == 0
    assert names(found, "container_memory_usage_bytes") == {"dovecot"}


def test_a_container_started_anew_is_read_by_its_new_process(machine: Machine) -> None:
    before = machine.look()
    machine.hide(10)
    machine.start(ID, 11)
    (machine.folder(ID) / "memory.events").write_text("oom_kill 1\n")
    machine.containers[ID] = machine.inspected(ID, "postfix", 11, started=59)

    after = machine.look()

    started = "container_start_time_seconds"
    assert after.value(started, name="postfix") - before.value(started, name="postfix") == 37
    assert after.value("container_oom_events_total", name="postfix") == 3
    assert names(after, "container_memory_usage_bytes") == {"postfix", "dovecot"}


def test_a_process_file_system_that_is_not_the_hosts_is_told(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.hide(10)
    machine.hide(20)

    for _ in range(3):
        found = machine.look()

    assert found.value("container_scrape_error") == 1
    [record] = caplog.records
    assert "mount the host's /proc" in record.getMessage()


def test_the_socket_is_what_is_looked_for(machine: Machine) -> None:
    assert machine.collector.detect().found
    (machine.root / "run/docker.sock").unlink()
    (machine.root / "run/docker.sock").write_text("no socket")
    assert not machine.collector.detect().found
