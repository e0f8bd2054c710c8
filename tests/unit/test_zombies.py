"""Who is to blame for zombies, and that no signal goes to the wrong process."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver_exporter import reap_zombies
from mailserver_exporter.reap_zombies import Case
from mailserver_exporter.sources import processes, zombies
from mailserver_exporter.sources.zombies import Parent, Zombie
from tests.support.processes import wait_for

FIRST, SECOND = Zombie(20, 100, "sh"), Zombie(21, 101, "curl")


def parent(*children: Zombie, pid: int = 10, started: int = 50, container: str = "") -> Parent:
    return Parent(pid, started, "careless", "S", "/usr/bin/careless", container, children)


def test_a_zombie_of_both_looks_is_one() -> None:
    assert zombies.still_there([parent(FIRST, SECOND)], [parent(SECOND)]) == [parent(SECOND)]


@pytest.mark.parametrize(
    "later",
    [
        [],
        [parent(FIRST, pid=11)],
        [parent(FIRST, started=51)],
        [parent(Zombie(20, 102, "sh"))],
    ],
    ids=["gone", "another parent", "a parent with a used PID", "a zombie with a used PID"],
)
def test_what_only_has_the_same_number_is_not_the_same(later: list[Parent]) -> None:
    assert zombies.still_there([parent(FIRST)], later) == []


@pytest.mark.parametrize(
    ("cmdline", "shown"),
    [
        (b"/usr/sbin/cron\0-f\0", "/usr/sbin/cron"),
        (b"/usr/bin/python3\0/opt/worker.py\0--password=secret\0", "/usr/bin/python3 /opt/worker.py"),
        (b"mysql\0-psecret\0", "mysql"),
        (b"a\nb\x1b[31m\xff\0", "a?b?[31m\ufffd"),
        (b"x" * 5000, "x" * 117 + "..."),
        (b"", ""),
    ],
)
def test_a_command_is_shown_without_what_may_be_a_password(cmdline: bytes, shown: str) -> None:
    assert zombies.shown_command(cmdline) == shown


@pytest.mark.parametrize(
    ("cgroup", "container"),
    [
        ("0::/system.slice/docker-{}.scope\n", "a" * 64),
        ("12:pids:/docker/{}\n11:cpu,cpuacct:/docker/{}\n", "a" * 64),
        ("0::/docker/{}/docker/" + "b" * 64 + "\n", "a" * 64),
        ("0::/system.slice/cron.service\n", ""),
        ("0::/user.slice/deadbeef\n", ""),
    ],
)
def test_a_container_is_known_by_its_control_group(cgroup: str, container: str, tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_text(cgroup.replace("{}", "a" * 64))

    assert zombies.container_of(str(tmp_path), 7) == container


def test_a_process_that_has_gone_is_in_no_container(tmp_path: Path) -> None:
    assert zombies.container_of(str(tmp_path), 7) == ""


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait(10)


def started(pid: int) -> int:
    return processes.parse(Path(f"/proc/{pid}/stat").read_bytes()).started


def test_a_signal_reaches_the_process_that_started_then(sleeper: subprocess.Popen[bytes]) -> None:
    assert zombies.send("/proc", sleeper.pid, started(sleeper.pid), signal.SIGTERM)
    assert sleeper.wait(20) == -signal.SIGTERM


def test_no_signal_reaches_another_process_with_its_pid(sleeper: subprocess.Popen[bytes]) -> None:
    assert not zombies.send("/proc", sleeper.pid, started(sleeper.pid) - 1, signal.SIGKILL)
    assert sleeper.poll() is None


def test_a_kernel_without_pidfd_is_served_too(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(pid: int) -> int:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(os, "pidfd_open", missing)
    assert not zombies.send("/proc", sleeper.pid, started(sleeper.pid) - 1, signal.SIGKILL)
    assert zombies.send("/proc", sleeper.pid, started(sleeper.pid), signal.SIGTERM)
    assert sleeper.wait(20) == -signal.SIGTERM


def test_a_process_that_has_gone_is_not_signalled(sleeper: subprocess.Popen[bytes]) -> None:
    when = started(sleeper.pid)
    sleeper.kill()
    sleeper.wait(10)

    assert not zombies.send("/proc", sleeper.pid, when, signal.SIGTERM)


def test_a_process_that_goes_between_the_look_and_the_signal_is_let_go(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    when = started(sleeper.pid)

    def end(proc: str, pid: int) -> int:
        sleeper.kill()
        sleeper.wait(10)
        return when

    monkeypatch.setattr(zombies, "_started", end)
    descriptors = len(os.listdir("/proc/self/fd"))

    assert not zombies.send("/proc", sleeper.pid, when, signal.SIGTERM)
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_our_own_proc_has_our_numbers_and_another_has_not(tmp_path: Path) -> None:
    assert zombies.sees_our_processes("/proc")
    assert not zombies.sees_our_processes(str(tmp_path))
    (tmp_path / "self").symlink_to(str(os.getpid()))
    (tmp_path / str(os.getpid())).mkdir()
    (tmp_path / str(os.getpid()) / "stat").write_bytes(Path("/proc/1/stat").read_bytes())
    assert not zombies.sees_our_processes(str(tmp_path))


def test_our_own_zombies_are_found_and_are_ours() -> None:
    child = subprocess.Popen(["true"])
    try:

        def mine() -> list[Parent]:
            return [found for found in zombies.find("/proc", patience=0.01) if found.pid == os.getpid()]

        wait_for("a zombie of ours", mine)
        [found] = mine()
        assert child.pid in {zombie.pid for zombie in found.zombies}
        assert found.command.startswith(zombies.shown_command(Path("/proc/self/cmdline").read_bytes()))
    finally:
        child.wait(10)


def test_the_story_names_who_is_to_blame_first_and_what_is_left_last() -> None:
    case = Case(parent(FIRST, SECOND, container="a" * 64), left=1, container="worker", actions=["sent SIGCHLD"])

    assert reap_zombies.as_text([case]).splitlines() == [
        "careless (PID 10, state S) in container worker: 2 zombies",
        "  runs /usr/bin/careless",
        "  sh (PID 20), curl (PID 21)",
        "  sent SIGCHLD",
        "  1 left",
        "1 zombie left",
    ]
    assert reap_zombies.as_text([]) == "no zombies"


def test_a_hostile_name_stays_on_its_line() -> None:
    evil = Parent(10, 50, "a\nno zombies left\x1b[2J", "S", "", "", (FIRST,))

    assert len(reap_zombies.as_text([Case(evil, left=1)]).splitlines()) == 4
    assert "\x1b" not in reap_zombies.as_text([Case(evil, left=1)])
