"""`make run`: the real exporter, Prometheus and Alertmanager, on this machine and on a bare one."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
import yaml

from tests.support.bare_debian import BareMachine
from tests.support.processes import Program, free_port, wait_for
from tests.support.report_post import Post, post
from tests.support.tools import ROOT

LAST_LINE = "Ctrl-C stops all of it."
# What these judge is there, or it is not. The others judge how busy this machine is, which may have reason to complain.
SUBJECTS = ("containers", "exporter", "fail2ban", "monitoring", "ports", "queue", "vmail")


class Run(Program):
    """compose/run.py with its state below ``folder``."""

    def __init__(self, folder: Path, *, config: str = "", until: Callable[[Run], bool] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ports = {name: free_port() for name in ("exporter", "prometheus", "alertmanager")}
        self.state = folder / "run"
        (folder / "config.yml").write_text(config)
        command = [
            *(sys.executable, ROOT / "compose/run.py", f"--config.file={folder / 'config.yml'}"),
            *(f"--{name}-port={port}" for name, port in self.ports.items()),
            f"--state={self.state}",
        ]
        super().__init__(command, folder / "output", ready=lambda: (until or Run.told)(self), seconds=60, folder=ROOT)

    def told(self) -> bool:
        """Say whether it has said that it runs."""
        return LAST_LINE in self.output()

    def started(self) -> bool:
        """Say whether it has started its parts, ready or not."""
        return "prometheus" in [child.name() for child in self.children()]

    def children(self) -> list[psutil.Process]:
        """Its processes, itself excepted."""
        return psutil.Process(self.pid).children(recursive=True)

    def again(self) -> subprocess.CompletedProcess[str]:
        """Start the same a second time."""
        return subprocess.run(self.command, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return what Prometheus answers."""
        return query(self.ports["prometheus"], expression)


def query(port: int, expression: str) -> list[dict[str, Any]]:
    answer = requests.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": expression}, timeout=10)
    result: list[dict[str, Any]] = answer.json()["data"]["result"]
    return result


def all_gone(processes: list[psutil.Process]) -> Callable[[], bool]:
    return lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with Run(tmp_path_factory.mktemp("running")) as run:
        yield run


def test_it_says_where_everything_is_once_everything_answers(running: Run) -> None:
    output = running.output()
    for name in running.ports:
        assert f"http://127.0.0.1:{running.ports[name]}/" in output
        assert requests.get(f"http://127.0.0.1:{running.ports[name]}/-/ready", timeout=5).ok
    assert f"alerts go to  {running.state}/state/alerts.jsonl, this console" in output
    assert [sample["value"][1] for sample in running.query('up{job="mailserver-exporter"}')] == ["1"]


def test_prometheus_judges_with_every_shipped_rule_and_tells_alertmanager(running: Run) -> None:
    url = f"http://127.0.0.1:{running.ports['prometheus']}/api/v1"
    files = {Path(group["file"]).name for group in requests.get(f"{url}/rules", timeout=5).json()["data"]["groups"]}
    assert files == {file.name for file in (ROOT / "rules").glob("*.rules.yml")}
    wait_for(
        "Prometheus knows Alertmanager",
        lambda: requests.get(f"{url}/alertmanagers", timeout=5).json()["data"]["activeAlertmanagers"],
    )


def test_nothing_listens_beyond_this_host(running: Run) -> None:
    listening = [c for process in running.children() for c in process.net_connections() if c.status == "LISTEN"]
    assert {connection.laddr.port for connection in listening} == set(running.ports.values())
    assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}


def test_what_it_keeps_others_cannot_read(running: Run) -> None:
    assert running.state.stat().st_mode & 0o077 == 0


def test_an_alert_is_told_on_the_console_when_it_fires_and_when_it_is_over(running: Run) -> None:
    alert = {
        "labels": {"alertname": "Invented", "severity": "warning", "instance": "here"},
        "annotations": {"summary": "here: only a test"},
    }
    url = f"http://127.0.0.1:{running.ports['alertmanager']}/api/v2/alerts"
    assert requests.post(url, json=[alert], timeout=5).ok
    wait_for("the alert is told", lambda: "FIRING    warning  Invented: here: only a test" in running.output(), 30)
    over = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1))
    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    assert requests.post(url, json=[{**alert, "startsAt": start, "endsAt": over}], timeout=5).ok
    wait_for("its end is told", lambda: "resolved  warning  Invented: here: only a test" in running.output(), 30)
    assert running.output().count("FIRING    warning  Invented") == 1


def test_the_commands_of_another_shell_find_it_all(running: Run) -> None:
    def sh(command: str) -> str:
        command = f". {running.state}/environment && mailserver-exporter {command}"
        environment = {"PATH": "/usr/bin:/bin"}
        return subprocess.run(
            ["/bin/sh", "-c", command], env=environment, capture_output=True, text=True, check=False, timeout=90
        ).stdout

    assert f". {running.state}/environment; mailserver-exporter check" in running.output()
    found = {finding["subject"]: finding["state"] for finding in json.loads(sh("check --send-test --json"))}
    subjects = ("scraped", "rules", "alerts handed on", "test alert")
    assert {subject: found.get(subject) for subject in subjects} == dict.fromkeys(subjects, "good"), found
    wait_for("the alert is listed", lambda: "TestAlert" in sh("alerts"), 40, pause=1)


def test_the_daily_report_asks_the_prometheus_of_this_run(tmp_path: Path) -> None:
    with post(tmp_path) as place:
        settings = place.settings()
        del settings["report"]["prometheus_url"]
        place.make_due()
        with Run(tmp_path / "run", config=yaml.safe_dump(settings)) as run:
            assert "daily report  at 02:00 (Etc/UTC) to admin@example.net, second@example.net" in run.output()
            wait_for("the report is sent", place.messages, 60)
            own = f"http://127.0.0.1:{run.ports['prometheus']}"
            assert f"Prometheus at {own} has measured nothing of mail.example.org" in plain(place)


def plain(place: Post) -> str:
    """Return the text of the report, its lines put together."""
    body = place.messages()[0].get_body(("plain",))
    assert body is not None
    return " ".join(str(body.get_content()).split())


def test_a_second_start_says_that_one_runs(running: Run) -> None:
    second = running.again()
    assert second.returncode == 2
    assert second.stderr == (f"it runs already: process {running.pid}, http://127.0.0.1:{running.ports['exporter']}/\n")
    assert running.running()


def test_ctrl_c_stops_all_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        children = run.children()
        assert len(children) == 3
        assert run.stop(signal.SIGINT, 30) == 0
        assert all_gone(children)()
        assert run.output().endswith("stopped\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_stops_just_as_well_while_it_starts(tmp_path: Path, number: signal.Signals) -> None:
    with Run(tmp_path, until=Run.started) as run:
        children = run.children()
        assert run.stop(number, 30) == 0
        assert all_gone(children)()
        assert run.output() == "stopped\n"


def test_it_ends_well_also_when_nobody_reads_what_it_says(tmp_path: Path) -> None:
    """As with `make run | tee FILE`, where Ctrl-C ends tee first."""
    run = Run(tmp_path)
    process = subprocess.Popen(run.command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stderr
    wait_for("it has started a part", psutil.Process(process.pid).children)
    process.stdout.close()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


def test_even_when_it_is_killed_nothing_is_left(tmp_path: Path) -> None:
    with Run(tmp_path, until=Run.started) as run:
        children = run.children()
        os.kill(run.pid, signal.SIGKILL)
        wait_for("its children are gone", all_gone(children), 20)


def test_when_a_part_dies_it_says_which_shows_its_log_and_stops_the_rest(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("123:abc\n")
    telegram = f"{{chat_id: 1, bot_token_file: {tmp_path}/token, api_url: http://127.0.0.1:9}}"
    with Run(tmp_path, config=f"notifications: {{telegram: {telegram}}}") as run:
        # A channel that is configured is told, and its secret kept.
        assert "alerts go to  Telegram, " in run.output()
        assert (run.state / "rendered/alertmanager.yml").stat().st_mode & 0o777 == 0o600
        children = run.children()
        [prometheus] = [child for child in children if child.name() == "prometheus"]
        prometheus.kill()
        wait_for("it has ended", lambda: not run.running(), 30)
        assert run.stop() == 1
        assert all_gone(children)()
        output = run.output()
        assert f"Prometheus ended by signal SIGKILL; the end of {run.state}/log/prometheus.log:\n  " in output
        assert "Server is ready to receive web requests." in output
        assert output.endswith("the rest is stopped\n")


def test_every_port_that_is_taken_is_told_with_who_has_it_and_how_to_choose_another(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with socket.socket() as first, socket.socket() as second:
        for listener, name in ((first, "exporter"), (second, "alertmanager")):
            listener.bind(("127.0.0.1", run.ports[name]))
            listener.listen()
        done = run.again()
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    for line, name in zip(lines, ("exporter", "alertmanager"), strict=True):
        assert line.startswith(f"port {run.ports[name]}, wanted for {name}, is taken by ")
        assert f"(process {os.getpid()}); choose another: make run {name.upper()}_PORT=" in line


def test_a_wrong_configuration_is_told_with_all_its_errors(tmp_path: Path) -> None:
    done = Run(tmp_path, config="ports: {host: 7}\nlimits: {nonsense: 1}\n").again()
    assert done.returncode == 2
    assert f"{tmp_path}/config.yml:1: ports.host: must be" in done.stderr
    assert f"{tmp_path}/config.yml:2: limits.nonsense: is not a setting" in done.stderr


def test_a_secret_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    config = f"notifications: {{telegram: {{chat_id: 1, bot_token_file: {tmp_path}/absent}}}}"
    done = Run(tmp_path, config=config).again()
    assert done.returncode == 2
    assert f"notifications.telegram.bot_token_file: {tmp_path}/absent cannot be read" in done.stderr


def test_make_run_explains_itself() -> None:
    done = subprocess.run(["make", "run", "ARGS=--help"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "make run EXPORTER_PORT=PORT" in done.stdout


@pytest.fixture(scope="module")
def bare() -> Iterator[BareMachine]:
    with BareMachine() as machine:
        yield machine


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("user", "folder"), [("admin", "home/admin/project"), ("root", "root/project")])
def test_on_a_bare_debian_machine_one_command_is_enough(
    bare: BareMachine, tmp_path: Path, user: str, folder: str
) -> None:
    if user == "root":
        bare.add_project(folder, user)
    ports = {name: free_port() for name in ("exporter", "prometheus", "alertmanager")}
    arguments = [f"{name.upper()}_PORT={port}" for name, port in ports.items()]
    run = Program(bare.command(user, f"/{folder}", "make", "run", *arguments), tmp_path / "output", seconds=120)
    run.start()
    started = time.monotonic()
    try:
        wait_for("it runs", lambda: LAST_LINE in run.output() or not run.running(), 120)
        assert run.running(), run.output()
        assert time.monotonic() - started < 60, "too slow for a first impression"
        # Alerts that wait for their time are seen, too, as pending.
        intervals = 2 if user == "admin" else 1
        wait_for("some scrapes", lambda: scrapes(ports["prometheus"]) >= intervals, 60, pause=1)
        alerts = {sample["metric"]["alertname"] for sample in query(ports["prometheus"], "ALERTS")}
        assert alerts & about(SUBJECTS) == {"Watchdog"}
    finally:
        # As the terminal does it: to make and to all that it runs.
        os.killpg(run.pid, signal.SIGINT)
        wait_for("it has ended", lambda: not run.running(), 40)
        run.stop()
    assert "stopped\n" in run.output()
    certificates = (bare.root / folder / ".venv/ca-certificates.crt").read_text()
    assert certificates.count("BEGIN CERTIFICATE") > 100


def scrapes(port: int) -> float:
    found = query(port, 'prometheus_target_interval_length_seconds_count{job="prometheus"}')
    return float(found[0]["value"][1]) if found else 0


def about(subjects: tuple[str, ...]) -> set[str]:
    """Return the names of the alerts that a subject's rule file has."""
    files = [ROOT / "rules" / f"{subject}.rules.yml" for subject in subjects]
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    return {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
