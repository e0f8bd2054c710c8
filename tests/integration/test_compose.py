"""The compose file, by both ends of docker compose, and the stack that it describes, on a real Docker Engine."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests
import yaml
from docker.models.containers import Container

from tests.support import compose_images, dns
from tests.support.compose_host import ComposeHost
from tests.support.docker_engine import IMAGE, DockerEngine, docker_compose
from tests.support.journald import Journald
from tests.support.metrics import Exposition
from tests.support.processes import answers, free_port, wait_for
from tests.support.smtp import SmtpServer
from tests.support.tools import ROOT

# The first test that needs the stack makes its images, and a bare Debian where there is none yet; and another's Docker
# Engine may have to end first.
pytestmark = pytest.mark.timeout(900)

PROJECT = "mailserver-exporter-test"
# The folder of config.yml, in the containers.
GIVEN = "/etc/mailserver-exporter"
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

    def __init__(self, engine: DockerEngine, host: ComposeHost, config: Path) -> None:
        self.engine = engine
        self.host = host
        self.config = config
        self.ports = {name: free_port() for name in ("exporter", "prometheus", "alertmanager")}
        self.environment = {
            "DOCKER_HOST": engine.host,
            "CONFIG_DIRECTORY": str(self.config),
            **{f"{name.upper()}_PORT": str(port) for name, port in self.ports.items()},
        }
        (self.config / "token").write_text("123456:secret\n")
        (self.config / "token").chmod(0o600)
        self.configure()

    def configure(self, more: str = "", **channels: Any) -> None:
        telegram = {"chat_id": 1, "bot_token_file": f"{GIVEN}/token", "api_url": "http://127.0.0.1:9"}
        settings = {"notifications": {"telegram": telegram, **channels}, **self.host.settings()}
        (self.config / "config.yml").write_text(f"hostname: mail.example.org\n{more}{yaml.safe_dump(settings)}")

    def reload(self) -> None:
        """Let the exporter read its configuration again."""
        requests.post(f"http://127.0.0.1:{self.ports['exporter']}/-/reload", timeout=30).raise_for_status()

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

    def scrape(self) -> Exposition:
        """Return what Prometheus reads of the exporter."""
        return Exposition.scrape(f"http://127.0.0.1:{self.ports['exporter']}/metrics")

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
    (folder / "config").mkdir()
    with ComposeHost(docker_engine, folder / "config") as host:
        stack = Stack(docker_engine, host, folder / "config")
        try:
            up = stack.compose("up", "--detach", "--no-build")
            assert up.returncode == 0, up.stderr + stack.logs()
            yield stack
        finally:
            stack.compose("down", "--volumes", "--timeout", "10")
            host.netfilter.remove(force=True)


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
    listed = stack.sh("exporter", "mailserver-exporter alerts --since 1h")[1]
    assert re.search(r"  firing \d+s +info +Invented$", listed, re.MULTILINE), listed


def test_the_admins_check_finds_the_rest_of_the_stack(stack: Stack) -> None:
    output = stack.sh("exporter", "mailserver-exporter check --send-test --json")[1]
    found = {finding["subject"]: finding["state"] for finding in json.loads(output)}
    subjects = ("scraped", "rules", "alerts handed on", "receivers", "test alert")
    assert {subject: found.get(subject) for subject in subjects} == dict.fromkeys(subjects, "good"), output


def test_the_stack_is_no_trouble_to_itself(stack: Stack) -> None:
    """A one-shot service that has ended well and a profile that nobody asked for are as they should be."""
    exposition = stack.scrape()
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
    alerts = stack.get("prometheus", '/api/v1/query?query=ALERTS{collector="containers"}')["data"]["result"]
    assert [a["metric"] for a in alerts] == []


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
    assert "/etc/mailserver-exporter/config.yml:2: limits.nonsense: is not a setting" in done.stdout + done.stderr


def test_the_exporter_has_nothing_to_complain_of_not_even_the_health_check(stack: Stack) -> None:
    test = stack.container("exporter").attrs["Config"]["Healthcheck"]["Test"]
    for _ in range(3):
        assert stack.container("exporter").exec_run(test[1:])[0] == 0
    assert "level=error" not in stack.container("exporter").logs().decode()


def test_what_happens_on_the_host_is_measured_in_the_container(stack: Stack) -> None:
    """Each of these needs a path, a socket, a program or a right of its own."""

    def missing() -> str:
        found = stack.scrape()
        wanted = {
            "a ban, by fail2ban's socket": found.value("f2b_jail_banned_current", jail="sshd") == 1,
            "its database": bool(found.all("mailserver_fail2ban_bans_24h", jail="sshd")),
            "a timer, by systemd's socket": bool(
                found.all("node_systemd_timer_last_trigger_seconds", name="certbot.timer")
            ),
            "apt's lists": bool(found.all("apt_package_cache_timestamp_seconds")),
            "text files": bool(found.all("node_textfile_mtime_seconds")),
            "the clock": bool(found.all("node_timex_offset_seconds")),
            "a log, by the Docker Engine": any(
                s.value > 0 for s in found.all("mailserver_log_lines_total", program="netfilter")
            ),
            "a log in a file": bool(found.all("mailserver_log_lines_total", program="postfix")),
            "certificates": {s.value for s in found.all("mailserver_certificate_chain_valid")} == {1.0},
            "certificates on disk": {s.value for s in found.all("mailserver_certificate_matches_file")} == {1.0},
            "DNS": any(s.value == 1 for s in found.all("mailserver_dns_check", domain=dns.DOMAIN)),
            "a message around": [s.value for s in found.all("mailserver_roundtrip_success")] == [1.0],
            "the queue": bool(found.all("postfix_showq_queue_depth")),
            "the age of images": bool(found.all("mailserver_container_image_created_timestamp_seconds")),
        }
        return "; ".join(what for what, there in wanted.items() if not there)

    with contextlib.suppress(AssertionError):
        wait_for("all is measured", lambda: not missing(), 40, pause=0.5)
    assert missing() == ""


def test_the_admins_check_finds_nothing_that_is_not_there(stack: Stack) -> None:
    output = stack.sh("exporter", "mailserver-exporter check --json")[1]
    findings = json.loads(output)
    assert [finding for finding in findings if finding["state"] == "bad"] == []


def test_backups_are_read_to_their_end_with_the_hosts_own_programs(stack: Stack) -> None:
    def result() -> dict[str, float]:
        return {s.labels["result"]: s.value for s in stack.scrape().all("mailserver_backup_check_result")}

    wait_for("the newest is read", lambda: result().get("good") == 1, 60, pause=0.5)


def test_a_script_on_the_host_reports_its_backup(stack: Stack) -> None:
    command = ["exec", "-T", "exporter", "mailserver-exporter", "backup-mark", "restic", "--size", "48213000"]
    done = stack.compose(*command)
    assert done.returncode == 0, done.stderr
    assert "restic" in stack.sh("exporter", "ls /var/lib/mailserver-exporter/backup-marks")[1]


def test_the_journal_is_read_with_the_hosts_journalctl(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text("logs: {sources: {postfix: journal}}\nstate_directory: /tmp/state\n")
    port = free_port()
    with Journald() as journald:
        journald.log([b"postfix/qmgr[7]: first"])
        run = stack.compose(
            *("run", "--detach", "--no-deps", "--volume", f"{journald.root}:/host:ro,rslave"),
            *("--volume", f"{tmp_path}:/etc/mailserver-exporter:ro", "exporter"),
            f"--web.listen-address=127.0.0.1:{port}",
        )
        assert run.returncode == 0, run.stderr
        container = stack.engine.client().containers.get(run.stdout.split()[-1])
        try:

            def lines() -> float:
                found = Exposition.scrape(f"http://127.0.0.1:{port}/metrics")
                return sum(s.value for s in found.all("mailserver_log_lines_total", source="journal"))

            def up() -> bool:
                found = Exposition.scrape(f"http://127.0.0.1:{port}/metrics")
                return [s.value for s in found.all("mailserver_log_source_up", source="journal")] == [1.0]

            wait_for("it is up", lambda: answers(f"http://127.0.0.1:{port}/-/ready"), 30)
            wait_for("the journal is read", up, 30)
            journald.log([b"postfix/qmgr[7]: line %d" % number for number in range(100)])
            wait_for("all lines are counted", lambda: lines() == 100, 30, pause=0.3)
        finally:
            container.remove(force=True)


# A report was due today, and the newest that was made is of some days ago.
DUE = """
import pathlib, time
from mailserver_exporter.report import outbox, schedule
done = schedule.Done("02:00 Europe/Berlin", (time.time() // 86400 * 86400 - 3 * 86400 + 3600,))
outbox.Outbox(pathlib.Path("/var/lib/mailserver-exporter")).save(outbox.State(done=done))
"""


def test_the_daily_report_is_sent_from_within_the_containers_limits(stack: Stack, tmp_path: Path) -> None:
    rss = stack.scrape().value("process_resident_memory_bytes")
    with SmtpServer(tmp_path) as server:
        shutil.copy(server.ca_file, stack.config / "smtp.pem")
        (stack.config / "smtp-password").write_text(server.password)
        (stack.config / "smtp-password").chmod(0o600)
        email = {"to": ["admin@example.net"], "sender": server.username, "username": server.username}
        email |= {
            "smarthost": server.address,
            "ca_file": f"{GIVEN}/smtp.pem",
            "password_file": f"{GIVEN}/smtp-password",
        }
        stack.configure("report: {time_zone: Europe/Berlin, language: de}\n", email=email)
        try:
            stack.reload()
            assert stack.container("exporter").exec_run(["python", "-c", DUE])[0] == 0
            wait_for("the report is sent", lambda: server.mails, 60, pause=0.5)
            sent = 'mailserver_report_attempts_total{result="sent"} 1.0'
            wait_for("that is known", lambda: sent in stack.scrape().text, 60, pause=1)
        finally:
            stack.configure()
            stack.reload()
    [mail] = server.mails
    assert mail.recipients == ("admin@example.net",)
    hour = datetime.now(ZoneInfo("Europe/Berlin")).strftime("02:00 %Z")
    assert hour in mail.text, mail.text
    found = stack.scrape()
    assert found.value("container_oom_events_total", name=stack.container("exporter").name) == 0
    assert found.value("process_resident_memory_bytes") < rss + (2 << 20)


def test_a_report_for_a_look_has_all_that_prometheus_knows_and_its_pictures(stack: Stack, tmp_path: Path) -> None:
    """By the commands that the README names: nothing can be copied out of a tmpfs."""
    readme = (ROOT / "README.md").read_text()
    write = re.search(r"^docker compose exec exporter (mailserver-exporter report --output .*)$", readme, re.MULTILINE)
    fetch = re.search(r"^docker compose exec -T exporter (tar .*) \| tar -x", readme, re.MULTILINE)
    assert write
    assert fetch
    done = stack.container("exporter").exec_run(shlex.split(write[1]))
    assert done.exit_code == 0, done.output
    done = stack.container("exporter").exec_run(shlex.split(fetch[1]), demux=True)
    assert done.exit_code == 0, done.output[1]
    with tarfile.open(fileobj=io.BytesIO(done.output[0])) as archive:
        archive.extractall(tmp_path)
    report = (tmp_path / "report/report.txt").read_text()
    assert "could not be asked" not in report, report
    assert "Postfix" in report
    pictures = {path.name for path in (tmp_path / "report").glob("*.png")}
    assert {"host-cpu.png", "host-memory.png"} <= pictures


def test_the_memory_suffices_for_all_of_this(stack: Stack) -> None:
    found = stack.scrape()
    name = stack.container("exporter").name
    assert found.value("container_oom_events_total", name=name) == 0
    assert found.value("container_memory_rss", name=name) < 80 << 20


EATER = """
import sys
from mailserver_exporter.errands import __main__ as errand
errand._be_modest()
mine = b"x" * (MEBIBYTES << 20)
print("eaten", flush=True)
sys.stdin.read()
"""
# All hold what they have until each has got its share or was killed: more than the limit, and as much swap, together.
EATERS = """
import subprocess, sys
pipe = subprocess.PIPE
eaters = [subprocess.Popen([sys.executable, "-c", EATER], stdin=pipe, stdout=pipe) for _ in range(12)]
said = [eater.stdout.readline() for eater in eaters]
for eater in eaters:
    eater.stdin.close()
print(sum(line == b"eaten\\n" for line in said), "ate,", [eater.wait() for eater in eaters].count(-9), "were killed")
"""


def test_where_memory_runs_out_errands_die_and_not_the_exporter(stack: Stack) -> None:
    """None of them is larger than the exporter, whom the kernel would choose else."""
    before = stack.container("exporter").attrs["State"]["StartedAt"]
    code = EATERS.replace("EATER]", repr(EATER.replace("MEBIBYTES", "20")) + "]")
    status, said = stack.container("exporter").exec_run(["python", "-c", code])
    assert status == 0, said
    found = re.fullmatch(rb"(\d+) ate, (\d+) were killed\n", said)
    assert found, said
    # Who has eaten may be killed later.
    assert int(found[1]) + int(found[2]) >= 12
    assert int(found[2]) > 0
    after = stack.container("exporter")
    assert (after.attrs["State"]["StartedAt"], after.attrs["RestartCount"]) == (before, 0)
    assert answers(f"http://127.0.0.1:{stack.ports['exporter']}/-/healthy")


def test_an_errand_gets_no_more_memory_than_the_container_has_beside_the_exporter(stack: Stack) -> None:
    code = EATER.replace("MEBIBYTES", "100")
    status, said = stack.container("exporter").exec_run(["python", "-c", code])
    assert (status, b"MemoryError" in said) == (1, True), said


# Its children end before it listens to them; then it collects all when it is told of one.
PARENT = """
import os, signal, time
def collect(number, frame):
    for _ in range(2): os.waitpid(-1, os.WNOHANG)
for _ in range(2): os.fork() or os._exit(0)
time.sleep(0.3)
signal.signal(signal.SIGCHLD, collect)
print("ready", flush=True)
while True: time.sleep(1)
"""


def reap(stack: Stack, folder: Path, *more: str, pid: str = "host", options: Sequence[str] = ()) -> Any:
    """Run what the shipped unit says for an exporter in a container, and return what it says."""
    unit = (ROOT / "compose/reap-zombies/mailserver-exporter-reap-zombies.service").read_text()
    [documented] = re.findall(r"ExecStart=docker (run .*?) reap-zombies --apply", re.sub(r"\\\n#\s*", "", unit))
    # Docker makes the folders that are missing, and this machine's are not for a test.
    ours = {
        "/etc/mailserver-exporter": folder / "config",
        "/var/lib/mailserver-exporter": folder / "state",
        "/host/var/run/docker.sock": stack.engine.socket,
    }
    words = documented.replace("--pid=host", f"--pid={pid}").split()
    for index, word in enumerate(words):
        if words[index - 1] == "-v" and (target := word.split(":")[1]) in ours:
            words[index] = f"{ours[target]}:{target}"
    *words, image = words
    done = subprocess.run(
        ["/usr/bin/docker", *words, *options, image, "reap-zombies", "--json", *more],
        env={**os.environ, "DOCKER_HOST": stack.engine.host},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def test_zombies_of_containers_are_seen_from_a_container_as_the_unit_says(stack: Stack, tmp_path: Path) -> None:
    """A dry run, because the machine's other processes are nobody's business here."""
    command = ["sh", "-c", "sleep 0 & sleep 0 & exec sleep 1000"]
    breeder = stack.engine.client().containers.run(IMAGE, command, name="breeder", detach=True)
    try:
        wait_for("it is named", lambda: "'breeder'" in str(reap(stack, tmp_path)), 30)
    finally:
        breeder.remove(force=True)


def test_the_rights_that_the_unit_names_suffice_to_remind_the_parents_of_others(stack: Stack, tmp_path: Path) -> None:
    """In the processes of one container, of which the first is never reminded."""
    image = compose_images.default_image("exporter")
    yard = stack.engine.client().containers.run(
        image, ["-c", 'python -c "$0" & wait', PARENT], entrypoint="sh", user="1000", name="yard", detach=True
    )
    try:
        own_processes: Any = {"pid": "container:yard", "options": ["-e", "MAILSERVER_EXPORTER_PATH_ROOTFS=/"]}
        wait_for("the parent listens", lambda: b"ready" in yard.logs(), 30)
        assert reap(stack, tmp_path, **own_processes)["left"] == 2
        assert reap(stack, tmp_path, "--apply", "--wait", "20", **own_processes)["left"] == 0
    finally:
        yard.remove(force=True)


def test_stopping_is_quick_and_in_order(stack: Stack) -> None:
    """Nobody has to be killed. Last in this file: it ends the stack."""
    done = stack.compose("stop", "--timeout", "20")
    assert done.returncode == 0
    for service in stack.ports:
        assert stack.container(service).attrs["State"]["ExitCode"] in (0, 143)
