"""The compose file, by both ends of docker compose, and the stack that it describes, on a real Docker Engine."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from docker.models.containers import Container

from tests.support import compose_images
from tests.support.docker_engine import DockerEngine, docker_compose
from tests.support.metrics import Exposition
from tests.support.processes import answers, free_port, wait_for
from tests.support.tools import ROOT

# The first test that needs the stack makes its images, and a bare Debian where there is none yet.
pytestmark = pytest.mark.timeout(300)

PROJECT = "mailserver-exporter-test"
SERVICES = {"render", "exporter", "alertmanager", "prometheus"}
# That of the tested release and sid's.
COMPOSES = {"release": lambda: "/usr/bin/docker-compose", "sid": docker_compose}


def compose(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run docker compose on the shipped file, whatever .env a developer has."""
    # The old one knows no flag for the environment file, but a variable wins over the file with both.
    command = [program, "--file", str(compose_images.COMPOSE_FILE), "--project-name", PROJECT, *arguments]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=100
    )


@pytest.mark.parametrize("which", COMPOSES)
def test_the_file_is_valid(which: str) -> None:
    done = compose(COMPOSES[which](), "--profile", "grafana", "config")
    assert done.returncode == 0, done.stderr
    assert set(yaml.safe_load(done.stdout)["services"]) == SERVICES | {"grafana"}


@pytest.mark.parametrize("which", COMPOSES)
def test_the_example_changes_nothing_but_the_projects_name(which: str, tmp_path: Path) -> None:
    (tmp_path / "compose").mkdir()
    for name, source in (("compose.yml", "compose.yml"), (".env", ".env.example")):
        (tmp_path / "compose" / name).write_text((ROOT / "compose" / source).read_text())

    def config() -> Any:
        command = [COMPOSES[which](), "--profile", "grafana", "config"]
        done = subprocess.run(command, cwd=tmp_path / "compose", capture_output=True, text=True, check=True)
        content = yaml.safe_load(done.stdout)
        assert content.pop("name", "mailserver-exporter") == "mailserver-exporter"
        content.pop("volumes")
        return content

    commented = config()
    environment = tmp_path / "compose/.env"
    environment.write_text(environment.read_text().replace("\n#", "\n").replace("\n ", "\n# "))
    lines = environment.read_text().splitlines()
    environment.write_text("\n".join(line for line in lines if line.partition("=")[0].replace("_", "").isupper()))
    assert config() == commented


class Stack:
    """The whole stack, up."""

    def __init__(self, engine: DockerEngine, folder: Path) -> None:
        self.engine = engine
        self.config = folder / "config"
        self.ports = {name: free_port() for name in ("exporter", "prometheus", "alertmanager")}
        self.environment = {
            "DOCKER_HOST": engine.host,
            "CONFIG_DIRECTORY": str(self.config),
            **{f"{name.upper()}_PORT": str(port) for name, port in self.ports.items()},
        }
        self.config.mkdir()
        (self.config / "token").write_text("123456:secret\n")
        (self.config / "token").chmod(0o600)
        self.configure()

    def configure(self, more: str = "") -> None:
        token = "/etc/mailserver-exporter/token"
        (self.config / "config.yml").write_text(
            f"hostname: mail.example.org\ncontainers: {{socket: {self.engine.socket}}}\n"
            f"notifications: {{telegram: {{chat_id: 1, bot_token_file: {token}, api_url: 'http://127.0.0.1:9'}}}}\n{more}"
        )

    def compose(self, *arguments: str, which: str = "sid") -> subprocess.CompletedProcess[str]:
        return compose(COMPOSES[which](), *arguments, **self.environment)

    def container(self, service: str) -> Container:
        label = [f"com.docker.compose.project={PROJECT}", f"com.docker.compose.service={service}"]
        [container] = self.engine.client().containers.list(all=True, filters={"label": label})
        return container

    def sh(self, service: str, command: str) -> tuple[int, str]:
        """Run a shell command in a service's container."""
        code, output = self.container(service).exec_run(["sh", "-c", command])
        return code, output.decode()

    def get(self, service: str, path: str) -> Any:
        answer = requests.get(f"http://127.0.0.1:{self.ports[service]}{path}", timeout=10)
        answer.raise_for_status()
        return answer.json()

    def logs(self) -> str:
        return self.compose("logs").stdout


@pytest.fixture(scope="module")
def shared_root() -> Iterator[None]:
    """A root whose mounts are shared, as systemd makes it: what is bound with rslave asks for that."""
    before = subprocess.run(
        ["findmnt", "-no", "PROPAGATION", "/"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if before.startswith("private"):
        subprocess.run(["mount", "--make-shared", "/"], check=True)
    yield
    if before.startswith("private"):
        subprocess.run(["mount", "--make-private", "/"], check=True)


@pytest.fixture(scope="module")
def stack(docker_engine: DockerEngine, shared_root: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("compose")
    compose_images.make_all(docker_engine, folder)
    stack = Stack(docker_engine, folder)
    try:
        up = stack.compose("up", "--detach", "--no-build")
        assert up.returncode == 0, up.stderr + stack.logs()
        yield stack
    finally:
        stack.compose("down", "--volumes", "--timeout", "10")


def test_everything_gets_ready(stack: Stack) -> None:
    for service, port in stack.ports.items():
        wait_for(f"{service} is ready", lambda port=port: answers(f"http://127.0.0.1:{port}/-/ready"), 30)
    # The health checks say so, too; the engine itself asks only after a while.
    for service in stack.ports:
        test = stack.container(service).attrs["Config"]["Healthcheck"]["Test"]
        assert test[0] == "CMD"
        code, output = stack.container(service).exec_run(test[1:])
        assert code == 0, output
    render = stack.container("render")
    assert (render.status, render.attrs["State"]["ExitCode"]) == ("exited", 0)


def test_prometheus_measures_all_three_and_judges_with_the_rules(stack: Stack) -> None:
    def health() -> dict[str, str]:
        targets = stack.get("prometheus", "/api/v1/targets")["data"]["activeTargets"]
        return {target["scrapePool"]: target["health"] for target in targets}

    wait_for("all targets are up", lambda: set(health().values()) == {"up"}, 30)
    assert set(health()) == {"mailserver-exporter", "prometheus", "alertmanager"}
    groups = stack.get("prometheus", "/api/v1/rules")["data"]["groups"]
    assert len({group["file"] for group in groups}) == len(list((ROOT / "rules").glob("*.rules.yml")))
    wait_for(
        "Prometheus knows Alertmanager",
        lambda: stack.get("prometheus", "/api/v1/alertmanagers")["data"]["activeAlertmanagers"],
    )
    up = stack.get("prometheus", '/api/v1/query?query=up{job="mailserver-exporter"}')["data"]["result"]
    assert [(sample["metric"]["instance"], sample["value"][1]) for sample in up] == [("mail.example.org", "1")]


def test_an_alert_goes_the_whole_way_to_the_log(stack: Stack) -> None:
    alert = {"labels": {"alertname": "Invented", "severity": "info", "instance": "mail.example.org"}}
    url = f"http://127.0.0.1:{stack.ports['alertmanager']}/api/v2/alerts"
    assert requests.post(url, json=[alert], timeout=5).ok
    log = "/var/lib/mailserver-exporter/alerts.jsonl"
    wait_for("it is logged", lambda: "Invented" in stack.sh("exporter", f"cat {log}")[1], 30)


def test_the_admins_check_finds_the_rest_of_the_stack(stack: Stack) -> None:
    output = stack.sh("exporter", "mailserver-exporter check --send-test --json")[1]
    found = {finding["subject"]: finding["state"] for finding in json.loads(output)}
    subjects = ("scraped", "rules", "alerts handed on", "receivers", "test alert")
    assert {subject: found.get(subject) for subject in subjects} == dict.fromkeys(subjects, "good"), output


def test_the_stack_is_no_trouble_to_itself(stack: Stack) -> None:
    """A one-shot service that has ended well and a profile that nobody asked for are as they should be."""
    exposition = Exposition.scrape(f"http://127.0.0.1:{stack.ports['exporter']}/metrics")
    failed = [s.labels["collector"] for s in exposition.all("mailserver_collector_success") if s.value != 1]
    assert failed == []
    assert {s.labels["service"] for s in exposition.all("mailserver_container_info", project=PROJECT)} == SERVICES
    up = {s.labels["service"]: s.value for s in exposition.all("mailserver_service_up", project=PROJECT)}
    assert up == dict.fromkeys(SERVICES, 1)
    wait_for(
        "the rules have seen it",
        lambda: stack.get("prometheus", "/api/v1/query?query=mailserver_container_info")["data"]["result"],
        30,
    )
    alerts = stack.get("prometheus", "/api/v1/query?query=ALERTS")["data"]["result"]
    assert [a["metric"] for a in alerts if "project" in a["metric"] or "name" in a["metric"]] == []


def test_the_exporter_sees_what_belongs_to_others_and_changes_nothing(stack: Stack) -> None:
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("a secret of another user")
        file.flush()
        os.chown(file.name, 12345, 12345)
        assert stack.sh("exporter", f"cat /host{file.name}") == (0, "a secret of another user")
        assert stack.sh("exporter", f"echo more >> /host{file.name}")[0] != 0
        assert stack.sh("exporter", f"rm -f /host{file.name}")[0] != 0
    assert stack.sh("exporter", "touch /here")[0] != 0
    assert stack.sh("exporter", "touch /var/lib/mailserver-exporter/here")[0] == 0


def test_what_is_mounted_later_is_seen_in_the_exporter(stack: Stack, tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "late", tmp_path], check=True)
    try:
        (tmp_path / "file").write_text("late")
        assert stack.sh("exporter", f"cat /host{tmp_path}/file") == (0, "late")
    finally:
        subprocess.run(["umount", tmp_path], check=True)
    assert stack.sh("exporter", f"cat /host{tmp_path}/file")[0] != 0


def test_the_secret_is_readable_by_alertmanager_alone(stack: Stack) -> None:
    code, output = stack.sh("alertmanager", "stat -c '%u %a' /etc/alertmanager/alertmanager.yml")
    assert (code, output) == (0, "65534 600\n")
    assert "123456:secret" in stack.sh("alertmanager", "cat /etc/alertmanager/alertmanager.yml")[1]


def test_a_wrong_configuration_stops_the_start_and_says_what_is_wrong(stack: Stack) -> None:
    stack.configure("limits: {nonsense: 1}\n")
    try:
        done = stack.compose("run", "--rm", "--no-deps", "-T", "render")
    finally:
        stack.configure()
    assert done.returncode == 2
    assert "/etc/mailserver-exporter/config.yml:4: limits.nonsense: is not a setting" in done.stdout + done.stderr


def test_the_exporter_has_nothing_to_complain_of_not_even_the_health_check(stack: Stack) -> None:
    test = stack.container("exporter").attrs["Config"]["Healthcheck"]["Test"]
    for _ in range(3):
        assert stack.container("exporter").exec_run(test[1:])[0] == 0
    assert "level=error" not in stack.container("exporter").logs().decode()


def test_stopping_is_quick_and_in_order(stack: Stack) -> None:
    """Nobody has to be killed. Last in this file: it ends the stack."""
    done = stack.compose("stop", "--timeout", "20")
    assert done.returncode == 0
    for service in stack.ports:
        assert stack.container(service).attrs["State"]["ExitCode"] in (0, 143)
