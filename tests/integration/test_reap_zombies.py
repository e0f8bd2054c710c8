"""``reap-zombies`` with real zombies: of parents that hear, that do not, and of a container that is restarted.

The parents live in a PID namespace of their own, so that those of other tests on this machine are left alone.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mailserver_exporter import reap_zombies
from mailserver_exporter.config import Config
from mailserver_exporter.host import Host
from mailserver_exporter.reap_zombies import Case, Reaper
from mailserver_exporter.restart_limit import RestartLimit
from mailserver_exporter.schema import read_text
from mailserver_exporter.sources import zombies
from tests.support.docker_engine import IMAGE, DockerEngine
from tests.support.processes import wait_for
from tests.support.tools import ROOT

# Its children end before it is ready to hear of them; from then on it collects all whenever it is told of one.
ATTENTIVE = """
import os, signal, sys, time
def collect(number, frame):
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return
        except ChildProcessError:
            return
for _ in range(3):
    os.fork() or os._exit(0)
time.sleep(0.3)
signal.signal(signal.SIGCHLD, collect)
print("ready", flush=True)
time.sleep(600)
"""
# One that never heard of SIGCHLD, and one that says explicitly that it does not want to, after its children have ended.
CARELESS = """
import os, signal, sys, time
for _ in range(2):
    os.fork() or os._exit(0)
time.sleep(0.3)
if sys.argv[1] == "ignores":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""
BREEDER = ["sh", "-c", "sleep 0 & sleep 0 & exec sleep 100000"]


class Yard:
    """A PID namespace with a /proc of its own, in which nothing happens but what a test does."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "config.yml"
        self.config.write_text(f"state_directory: {folder}/state\ncontainers: {{socket: {folder}/none.sock}}\n")
        command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", "echo; exec sleep 1000"]
        self._unshare = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._unshare.stdout is not None
        assert self._unshare.stdout.readline() == b"\n"
        children = Path(f"/proc/{self._unshare.pid}/task/{self._unshare.pid}/children").read_text().split()
        self._enter = ["nsenter", "--target", children[0], "--pid", "--mount", sys.executable]

    def close(self) -> None:
        """Let the namespace end, and everything in it."""
        self._unshare.kill()
        self._unshare.wait(10)
        assert self._unshare.stdout is not None
        self._unshare.stdout.close()

    @contextmanager
    def parent(self, code: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a parent until the end of the block."""
        process = subprocess.Popen([*self._enter, "-c", code, *arguments], stdout=subprocess.PIPE)
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()
            process.wait(10)
            process.stdout.close()

    def reap(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run the command and return its exit status and what it says."""
        done = self.run(*arguments, "--json")
        assert done.returncode in (0, 1), done.stderr
        return done.returncode, json.loads(done.stdout)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command."""
        command = [*self._enter, "-m", "mailserver_exporter", "reap-zombies", "--config.file", str(self.config)]
        return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    yard = Yard(tmp_path)
    yield yard
    yard.close()


def test_without_zombies_there_is_nothing_to_do(yard: Yard) -> None:
    assert yard.reap("--apply") == (0, {"applied": True, "left": 0, "parents": []})
    assert yard.run().stdout == "no zombies\n"


def test_a_dry_run_tells_and_touches_nothing(yard: Yard) -> None:
    with yard.parent(ATTENTIVE):
        for _ in range(2):
            status, said = yard.reap()
            assert status == 1
            assert said["left"] == 3
            [parent] = said["parents"]
            assert parent["actions"] == ["would be sent SIGCHLD"]
            assert len(parent["zombies"]) == 3
            assert parent["name"].startswith("python")


def test_a_parent_that_hears_collects_its_children(yard: Yard) -> None:
    with yard.parent(ATTENTIVE):
        status, said = yard.reap("--apply", "--wait", "30")
        assert (status, said["left"]) == (0, 0)
        assert said["parents"][0]["actions"] == ["sent SIGCHLD"]
        assert yard.reap() == (0, {"applied": False, "left": 0, "parents": []})


@pytest.mark.parametrize("how", ["never heard of it", "ignores"])
def test_a_parent_that_does_not_hear_is_blamed_and_lives(yard: Yard, how: str) -> None:
    with yard.parent(CARELESS, how) as careless:
        status, said = yard.reap("--apply", "--wait", "0.5")
        assert (status, said["left"]) == (1, 2)
        text = yard.run("--apply", "--wait", "0.5")
        assert careless.poll() is None
    assert text.returncode == 1
    assert ": 2 zombies\n" in text.stdout
    assert f"runs {sys.executable}" in text.stdout
    assert text.stdout.endswith("2 zombies left\n")
    assert "sent SIGCHLD" in text.stderr


def test_each_parent_is_judged_alone(yard: Yard) -> None:
    with yard.parent(ATTENTIVE), yard.parent(CARELESS, "ignores"):
        status, said = yard.reap("--apply", "--wait", "1")
        assert status == 1
        assert sorted(parent["left"] for parent in said["parents"]) == [0, 2]


def test_the_first_process_is_never_signalled(tmp_path: Path) -> None:
    """As PID 1 of a namespace: the parent of what is left over there, such as a container's only program."""
    code = "import os, time\nos.fork() or os._exit(0)\nprint('ready', flush=True)\ntime.sleep(600)"
    command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as unshare:
        assert unshare.stdout is not None
        try:
            assert unshare.stdout.readline() == b"ready\n"
            children = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children").read_text().split()
            enter = ["nsenter", "--target", children[0], "--pid", "--mount", sys.executable, "-m"]
            done = subprocess.run(
                [*enter, "mailserver_exporter", "reap-zombies", "--apply", "--wait", "0.2", "--json"],
                capture_output=True,
                timeout=60,
                check=False,
                env={"STATE_DIRECTORY": str(tmp_path)},
            )
        finally:
            unshare.kill()
    said = json.loads(done.stdout)
    assert done.returncode == 1
    assert said["parents"][0]["pid"] == 1
    assert said["parents"][0]["actions"] == ["never signalled"]


def test_another_numbering_of_processes_is_wrong_use(tmp_path: Path) -> None:
    """As in a container that sees the host's /proc below /host."""
    root = tmp_path / "host"
    (root / "proc").mkdir(parents=True)
    subprocess.run(["mount", "--bind", "/proc", root / "proc"], check=True)
    try:
        with contextlib.closing(Yard(tmp_path)) as yard:
            done = yard.run("--apply", "--path.rootfs", str(root))
    finally:
        subprocess.run(["umount", root / "proc"], check=True)
    assert done.returncode == 2
    assert "have other numbers here (run it on the host, or in a container with --pid=host)" in done.stderr


@pytest.mark.parametrize("arguments", [["--wait", "0"], ["--really"], ["now"]])
def test_wrong_use_is_told(yard: Yard, arguments: list[str]) -> None:
    assert yard.run(*arguments).returncode == 2


# With a Docker Engine


@pytest.fixture
def breeder(docker_engine: DockerEngine) -> Iterator[Any]:
    """A container whose only program has children that it never waits for."""
    container = docker_engine.client().containers.run(IMAGE, BREEDER, name="worker-1", detach=True)
    yield container
    docker_engine.remove_containers()


@pytest.fixture(autouse=True)
def only_the_containers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test runs in the machine's own namespace, look at the processes of its containers only."""
    if "docker_engine" not in request.fixturenames:
        return
    engine = request.getfixturevalue("docker_engine")
    find = zombies.find

    def ours(proc: str) -> list[zombies.Parent]:
        known = {container.id for container in engine.client().containers.list(all=True)}
        return [parent for parent in find(proc, patience=0.1) if parent.container in known]

    monkeypatch.setattr(zombies, "find", ours)


def reap(engine: DockerEngine, state: Path, *, apply: bool, more: str = "") -> list[Case]:
    settings = f"state_directory: {state}\ncontainers: {{socket: {engine.socket}}}\n{more}"
    config = read_text(settings, "config.yml", Config())
    return Reaper(config, Host(), apply=apply, restart=True, wait=1).run()


def reap_one(engine: DockerEngine, state: Path, *, apply: bool, more: str = "") -> Case:
    wait_for("both zombies are there", lambda: [c for c in reap(engine, state, apply=False) if c.left == 2], 30)
    [case] = reap(engine, state, apply=apply, more=more)
    return case


def started(container: Any) -> str:
    container.reload()
    when: str = container.attrs["State"]["StartedAt"]
    return when


def test_the_container_is_named_and_a_dry_run_leaves_it(
    docker_engine: DockerEngine, breeder: Any, tmp_path: Path
) -> None:
    before = started(breeder)
    case = reap_one(docker_engine, tmp_path, apply=False)

    assert case.container == "worker-1"
    assert case.parent.command == "sleep"
    assert case.actions == ["would be sent SIGCHLD", "container would be restarted"]
    assert started(breeder) == before
    assert list(tmp_path.iterdir()) == []
    assert "sleep (PID" in reap_zombies.as_text([case])


def test_a_container_is_restarted_once_an_hour(
    docker_engine: DockerEngine, breeder: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = started(breeder)
    with caplog.at_level("WARNING"):
        case = reap_one(docker_engine, tmp_path, apply=True)
    after = started(breeder)
    assert case.actions == ["sent SIGCHLD", "container restarted"]
    assert case.left == 0
    assert after != before
    assert [record.getMessage() for record in caplog.records if record.name.endswith("reap_zombies")] == [
        "restarting container worker-1: 2 zombies of sleep",
        "restarted container worker-1",
    ]

    case = reap_one(docker_engine, tmp_path, apply=True)
    assert case.actions[-1] == "container not restarted: it was within the last hour, again in 60 min"
    assert case.left == 2
    assert started(breeder) == after


@pytest.mark.parametrize("pattern", ["worker-1", "work*"])
def test_a_protected_container_is_never_restarted(
    docker_engine: DockerEngine, breeder: Any, tmp_path: Path, pattern: str
) -> None:
    before = started(breeder)
    case = reap_one(
        docker_engine, tmp_path, apply=True, more=f"processes: {{protected_containers: ['other', '{pattern}']}}"
    )

    assert case.actions[-1] == (
        f"container not restarted: it is protected by '{pattern}' in processes.protected_containers"
    )
    assert started(breeder) == before
    assert list(tmp_path.iterdir()) == []


def test_a_compose_service_is_protected_by_its_name(docker_engine: DockerEngine, tmp_path: Path) -> None:
    labels = {"com.docker.compose.service": "mysql-mailcow"}
    docker_engine.client().containers.run(IMAGE, BREEDER, name="strange_name", labels=labels, detach=True)
    try:
        case = reap_one(docker_engine, tmp_path, apply=True)
    finally:
        docker_engine.remove_containers()

    assert "it is protected by '*mysql*'" in case.actions[-1]


def test_a_container_whose_name_cannot_be_asked_is_left_alone(
    docker_engine: DockerEngine, breeder: Any, tmp_path: Path
) -> None:
    before = started(breeder)
    wait_for("both zombies are there", lambda: [c for c in reap(docker_engine, tmp_path, apply=False) if c.left == 2])
    settings = f"state_directory: {tmp_path}\ncontainers: {{socket: {tmp_path}/none.sock}}"
    config = read_text(settings, "config.yml", Config())

    [case] = Reaper(config, Host(), apply=True, restart=True, wait=0.2).run()

    assert case.container == breeder.id[:12]
    assert "the container's name is not known: the Docker Engine at" in case.actions[0]
    assert case.actions[-1].startswith("container not restarted: its name is not known")
    assert started(breeder) == before


def test_what_the_engine_refuses_is_told(
    docker_engine: DockerEngine, breeder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removed_meanwhile(*_: object) -> float:
        breeder.remove(force=True)
        return 0.0

    monkeypatch.setattr(RestartLimit, "claim", removed_meanwhile)
    case = reap_one(docker_engine, tmp_path, apply=True)

    assert "answered 404" in case.actions[-1]
    assert case.left == 0


# The shipped units


def test_the_shipped_units_are_sound(tmp_path: Path) -> None:
    """With the program where it is here; systemd wants to see it."""
    ours = Path(sys.executable).with_name("mailserver-exporter")
    for unit in sorted((ROOT / "compose" / "reap-zombies").iterdir()):
        text = unit.read_text().replace("/opt/mailserver-exporter/bin/mailserver-exporter", str(ours))
        (tmp_path / unit.name).write_text(text)
    units = sorted(tmp_path.glob("*.*"))
    done = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=60, check=False
    )

    assert [unit.suffix for unit in units] == [".service", ".timer"]
    assert (done.returncode, done.stderr) == (0, "")


def test_the_shipped_service_calls_what_there_is(yard: Yard) -> None:
    text = (ROOT / "compose" / "reap-zombies" / "mailserver-exporter-reap-zombies.service").read_text()
    [arguments] = re.findall(r"^ExecStart=\S+/mailserver-exporter reap-zombies (.*)$", text, re.MULTILINE)

    with yard.parent(ATTENTIVE):
        assert yard.run(*arguments.split()).returncode == 0
