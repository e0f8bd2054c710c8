"""Containers of a real Docker Engine, as the collector tells them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from mailserver_exporter.app import build
from mailserver_exporter.collection import Collection
from mailserver_exporter.collectors.containers import ContainersCollector
from mailserver_exporter.config import Config
from mailserver_exporter.host import Host
from mailserver_exporter.schema import read_text
from mailserver_exporter.sources.docker_engine import HEALTH, STATES
from tests.support import tools
from tests.support.contexts import context
from tests.support.docker_engine import IMAGE, DockerEngine, docker_compose
from tests.support.metrics import Exposition
from tests.support.processes import wait_for

MIB = 1024 * 1024


class Watched:
    """An engine without containers and a collector that looks at it, from the host or from what a container sees."""

    def __init__(self, engine: DockerEngine, state: Path, rootfs: str) -> None:
        self.engine = engine
        yaml = f"containers: {{socket: {engine.socket}}}"
        self.collector = ContainersCollector(context(state, yaml, rootfs))

    def run(self, name: str, command: object = None, **settings: object) -> docker.models.containers.Container:
        return self.engine.client().containers.run(IMAGE, command, name=name, detach=True, **settings)

    def look(self) -> Exposition:
        return Exposition.of(self.collector.collect())

    def until(self, what: str, condition: Callable[[Exposition], object], seconds: float = 20) -> Exposition:
        """Scrape until the condition holds for what was scraped."""

        def holds() -> Exposition | None:
            exposition = self.look()
            return exposition if condition(exposition) else None

        found = wait_for(what, holds, seconds, pause=0.2)
        assert isinstance(found, Exposition)
        return found


@pytest.fixture(params=["/", "/proc/self/root"], ids=["on the host", "from a container"])
def watched(docker_engine: DockerEngine, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Watched]:
    docker_engine.remove_containers()
    watched = Watched(docker_engine, tmp_path / "state", request.param)
    yield watched
    watched.collector.close()
    docker_engine.remove_containers()


def states(exposition: Exposition, name: str) -> dict[str, float]:
    return {s.labels["state"]: s.value for s in exposition.all("mailserver_container_state", name=name)}


def test_a_running_container_has_every_state_and_its_figures(watched: Watched) -> None:
    container = watched.run("postfix", mem_limit="64m", nano_cpus=500_000_000, pids_limit=50)

    found = watched.look()

    assert states(found, "postfix") == dict.fromkeys(STATES, 0.0) | {"running": 1.0}
    assert {s.labels["status"] for s in found.all("mailserver_container_health", name="postfix")} == set(HEALTH)
    assert found.value("mailserver_container_health", status="none") == 1
    assert found.value("container_health_state", name="postfix", image=IMAGE) == -1
    assert found.value("mailserver_container_info", name="postfix", image=IMAGE, project="", service="") == 1
    assert found.value("mailserver_container_restarts_total", name="postfix") == 0
    assert found.value("mailserver_container_exit_code", name="postfix") == 0
    assert found.value("mailserver_container_oom_killed", name="postfix") == 0
    assert found.value("container_oom_events_total", name="postfix") == 0
    assert found.value("container_spec_memory_limit_bytes", name="postfix", image=IMAGE) == 64 * MIB
    assert found.value("container_spec_cpu_quota", name="postfix") == 50_000
    assert found.value("container_spec_cpu_period", name="postfix") == 100_000
    assert found.value("container_threads_max", name="postfix") == 50
    assert found.value("container_processes", name="postfix") == 1
    assert abs(time.time() - found.value("container_start_time_seconds", name="postfix")) < 10
    assert found.value("container_cpu_usage_seconds_total", name="postfix", cpu="total") > 0
    assert {s.labels["interface"] for s in found.all("container_network_receive_bytes_total")} == {"eth0"}
    assert found.value("container_scrape_error") == 0
    container.remove(force=True)
    assert not watched.look().all("mailserver_container_state")


def test_memory_and_cpu_are_what_the_engine_itself_says(watched: Watched) -> None:
    container = watched.run("dovecot", ["sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; sleep 1000"])
    wait_for("the container is idle", lambda: "sleep" in str(container.top()["Processes"]).replace("; sleep", ""), 20)

    stats = container.stats(stream=False)
    found = watched.look()

    cpu, memory = stats["cpu_stats"]["cpu_usage"], stats["memory_stats"]
    assert found.value("container_cpu_usage_seconds_total") == pytest.approx(cpu["total_usage"] / 1e9, rel=0.02)
    assert found.value("container_cpu_user_seconds_total") == pytest.approx(cpu["usage_in_usermode"] / 1e9, abs=0.03)
    assert found.value("container_memory_usage_bytes") == pytest.approx(memory["usage"], abs=MIB)
    if "max_usage" in memory:  # the Engine does not tell it on cgroup v2
        assert found.value("container_memory_max_usage_bytes") == pytest.approx(memory["max_usage"], abs=MIB)
    rss = memory["stats"].get("total_rss", memory["stats"].get("anon"))
    assert found.value("container_memory_rss") == pytest.approx(rss, abs=MIB / 4)
    assert found.value("container_processes") == stats["pids_stats"]["current"]
    assert found.value("container_network_receive_bytes_total") == pytest.approx(
        stats["networks"]["eth0"]["rx_bytes"], abs=5000
    )


def block_device(path: Path) -> str:
    """Return the device of the file system that holds a path."""
    number = path.stat().st_dev
    uevent = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/uevent").read_text()
    return "/dev/" + uevent.partition("DEVNAME=")[2].splitlines()[0]


def test_network_and_block_io_rise_with_use(watched: Watched) -> None:
    device = block_device(watched.engine.folder)
    # Without a limit on the device, Linux 6 does not count on cgroup v1.
    first = watched.run("rspamd", device_write_bps=[{"Path": device, "Rate": 1000 * MIB}])
    second = watched.run("redis")
    second.reload()
    before = watched.look()
    address = second.attrs["NetworkSettings"]["IPAddress"]

    assert first.exec_run(["ping", "-c", "20", "-i", "0.01", "-s", "1000", address]).exit_code == 0
    write = "dd if=/dev/zero of=/file bs=1M count=8 conv=fsync && sync"
    assert first.exec_run(["sh", "-c", write]).exit_code == 0
    after = watched.look()

    sent = "container_network_transmit_bytes_total"
    assert after.value(sent, name="rspamd") - before.value(sent, name="rspamd") >= 20_000
    assert after.value("container_network_receive_bytes_total", name="redis") >= 20_000
    assert after.value("container_fs_writes_bytes_total", name="rspamd", device=device) >= 8 * MIB
    assert after.value("container_fs_writes_total", name="rspamd", device=device) > 0
    assert after.value("container_cpu_usage_seconds_total", name="rspamd") > before.value(
        "container_cpu_usage_seconds_total", name="rspamd"
    )


def test_more_processes_than_fit_into_a_page_are_all_counted(watched: Watched) -> None:
    watched.run("apache", ["sh", "-c", "for i in $(seq 1000); do sleep 1000 & done; wait"])

    watched.until("1001 processes", lambda e: e.value("container_processes", name="apache") == 1001)
    assert watched.look().value("container_processes", name="apache") == 1001


def test_the_network_of_another_is_not_counted_again(watched: Watched) -> None:
    watched.run("owner")
    watched.run("guest", network_mode="container:owner")
    watched.run("onhost", network_mode="host")
    watched.run("lonely", network_mode="none")

    found = watched.look()

    assert {s.labels["name"] for s in found.all("container_network_receive_bytes_total")} == {"owner"}
    assert len(found.all("container_memory_usage_bytes")) == 4


def test_stopped_paused_and_created_containers_are_told_apart(watched: Watched) -> None:
    stopped = watched.run("stopped")
    paused = watched.run("paused")
    watched.run("failed", ["sh", "-c", "exit 3"])
    watched.engine.client().containers.create(IMAGE, name="created")
    assert states(watched.look(), "stopped")["running"] == 1

    stopped.stop()
    paused.pause()
    found = watched.until("failed has ended", lambda e: states(e, "failed")["exited"])

    assert states(found, "stopped")["exited"] == 1
    assert states(found, "stopped")["running"] == 0
    assert found.value("mailserver_container_exit_code", name="stopped") == 137
    assert found.value("mailserver_container_exit_code", name="failed") == 3
    assert states(found, "paused")["paused"] == 1
    assert states(found, "created")["created"] == 1
    assert {s.labels["name"] for s in found.all("container_memory_usage_bytes")} == {"paused"}
    paused.unpause()
    assert states(watched.look(), "paused")["running"] == 1


def test_health_follows_the_health_check(watched: Watched) -> None:
    check = {"test": ["CMD", "test", "-e", "/healthy"], "interval": 500_000_000, "retries": 1}
    container = watched.run("unbound", healthcheck=check)
    assert watched.look().value("container_health_state", name="unbound") == 0

    found = watched.until("unhealthy", lambda e: e.value("mailserver_container_health", status="unhealthy"))
    assert found.value("container_health_state", name="unbound") == 0
    assert found.value("mailserver_container_health", status="starting") == 0
    assert states(found, "unbound")["running"] == 1

    container.exec_run(["touch", "/healthy"])
    found = watched.until("healthy", lambda e: e.value("mailserver_container_health", status="healthy"))
    assert found.value("container_health_state", name="unbound") == 1


def test_restarts_are_counted_while_a_container_restarts_in_a_loop(watched: Watched) -> None:
    watched.run("crashing", ["sh", "-c", "sleep 0.1; exit 7"], restart_policy={"Name": "always"})

    found = watched.until("three restarts", lambda e: e.value("mailserver_container_restarts_total") >= 3)
    assert found.value("mailserver_container_state", state="exited") == 0
    restarting = watched.until("restarting", lambda e: states(e, "crashing")["restarting"])
    assert restarting.value("mailserver_container_exit_code", name="crashing") == 7


def test_a_restart_between_two_looks_is_seen_at_the_next(watched: Watched) -> None:
    container = watched.run("sogo")
    others = [watched.run(f"other-{number}") for number in range(6)]
    before = watched.look()

    container.restart()
    after = watched.look()

    started = "container_start_time_seconds"
    assert after.value(started, name="sogo") > before.value(started, name="sogo")
    assert after.value("container_memory_usage_bytes", name="sogo") > 0
    assert len(after.all(started)) == 1 + len(others)


def test_an_out_of_memory_kill_is_told_and_counted_over_restarts(watched: Watched) -> None:
    hungry = ["sh", "-c", "sleep 0.5; x=a; while true; do x=$x$x; done"]
    container = watched.run("clamd", hungry, mem_limit="16m")
    watched.look()
    found = watched.until("killed", lambda e: e.value("mailserver_container_oom_killed"))
    assert found.value("container_oom_events_total", name="clamd") == 1
    assert found.value("mailserver_container_exit_code", name="clamd") == 137

    container.start()
    again = watched.until("killed again", lambda e: e.value("container_oom_events_total") >= 2)
    assert again.value("container_oom_events_total", name="clamd") == 2


def test_an_out_of_memory_kill_inside_a_container_that_survives_is_counted(watched: Watched) -> None:
    hungry = "(x=a; while true; do x=$x$x; done); sleep 1000"
    watched.run("php", ["sh", "-c", hungry], mem_limit="16m")

    found = watched.until("an event", lambda e: e.value("container_oom_events_total") > 0)

    assert states(found, "php")["running"] == 1
    assert found.value("container_memory_failcnt_total", name="php") > 0


def compose(engine: DockerEngine, folder: Path, *arguments: str) -> None:
    command = [docker_compose(), "--project-directory", str(folder), *arguments]
    environment = {"DOCKER_HOST": engine.host, "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr


def services(exposition: Exposition) -> dict[str, float]:
    return {f"{s.labels['project']}/{s.labels['service']}": s.value for s in exposition.all("mailserver_service_up")}


def test_services_come_from_the_compose_file_whatever_containers_there_are(watched: Watched, tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    folder.mkdir()
    file = folder / "compose.yaml"
    text = f"""
x-base: &base {{image: {IMAGE}}}
services:
  postfix: {{<<: *base, depends_on: {{migrate: {{condition: service_completed_successfully}}}}}}
  migrate: {{<<: *base, command: "true"}}
  debug: {{<<: *base, profiles: [debug]}}
  spare: {{<<: *base, scale: 0}}
"""
    file.write_text(text + "  dovecot: *base\n")
    compose(watched.engine, folder, "up", "--detach")

    assert services(watched.look()) == {"mail/postfix": 1, "mail/migrate": 1, "mail/dovecot": 1}

    compose(watched.engine, folder, "stop", "dovecot")
    assert services(watched.look()) == {"mail/postfix": 1, "mail/migrate": 1, "mail/dovecot": 0}
    compose(watched.engine, folder, "down")
    assert services(watched.look()) == {"mail/postfix": 0, "mail/migrate": 0, "mail/dovecot": 0}

    compose(watched.engine, folder, "run", "--detach", "dovecot")
    assert services(watched.look())["mail/dovecot"] == 0

    file.write_text(text)
    assert services(watched.look()) == {"mail/postfix": 0, "mail/migrate": 0}
    file.write_text("services: [")
    assert services(watched.look()) == {"mail/postfix": 0, "mail/migrate": 0}


def test_services_of_a_project_that_cannot_be_read_are_those_seen_before(watched: Watched, tmp_path: Path) -> None:
    labels = {"com.docker.compose.project": "portainer", "com.docker.compose.project.working_dir": "/data/compose/1"}
    container = watched.run("web", labels={**labels, "com.docker.compose.service": "web"})
    watched.run("db", labels={**labels, "com.docker.compose.service": "db"})
    assert services(watched.look()) == {"portainer/web": 1, "portainer/db": 1}

    container.remove(force=True)

    assert services(watched.look()) == {"portainer/web": 0, "portainer/db": 1}
    later = Watched(watched.engine, tmp_path / "state", "/")
    assert services(later.look()) == {"portainer/web": 0, "portainer/db": 1}
    later.collector.close()


def test_nineteen_containers_are_measured_in_a_moment(watched: Watched) -> None:
    for number in range(19):
        watched.run(f"mailcow-{number}")
    first = watched.look()
    assert len(first.all("container_memory_working_set_bytes")) == 19

    started = time.monotonic()
    found = watched.look()
    assert time.monotonic() - started < 1.0

    assert {s.labels["name"] for s in found.all("container_network_receive_bytes_total")} == {
        f"mailcow-{number}" for number in range(19)
    }
    promtool = [tools.program("promtool"), "check", "metrics"]
    checked = subprocess.run(promtool, input=found.text, capture_output=True, text=True, check=False)
    assert "parsing" not in checked.stderr, checked.stderr


@pytest.fixture
def collection(docker_engine: DockerEngine, tmp_path: Path) -> Iterator[Collection]:
    docker_engine.remove_containers()
    config = read_text(
        f"{{state_directory: {tmp_path}, containers: {{socket: {docker_engine.socket}}}}}", "c", Config()
    )
    collection = build(config, Host("/"), [ContainersCollector]).collection
    yield collection
    collection.close()
    docker_engine.remove_containers()


def scrape(collection: Collection) -> Exposition:
    return Exposition(collection.scrape().decode())


def test_a_stopped_engine_is_a_failed_collector_and_recovers(
    docker_engine: DockerEngine, collection: Collection
) -> None:
    client = docker_engine.client()
    client.containers.run(IMAGE, name="mysql", detach=True, restart_policy={"Name": "always"})
    assert scrape(collection).value("mailserver_collector_success", collector="containers") == 1

    docker_engine.stop()
    down = scrape(collection)
    docker_engine.start()

    assert down.value("mailserver_collector_success", collector="containers") == 0
    assert not down.all("mailserver_container_state")
    [(_, outcome)] = collection.status()
    assert str(docker_engine.socket) in outcome.error
    assert outcome.remedy == "systemctl status docker"

    def back() -> bool:
        return states(scrape(collection), "mysql").get("running") == 1

    wait_for("the collector sees the container again", back, 20)


def test_a_frozen_engine_is_a_failed_collector_and_recovers(
    docker_engine: DockerEngine, collection: Collection
) -> None:
    docker_engine.client().containers.run(IMAGE, name="mysql", detach=True)
    assert scrape(collection).value("mailserver_collector_success", collector="containers") == 1

    docker_engine.freeze()
    started = time.monotonic()
    hung = scrape(collection)
    took = time.monotonic() - started
    docker_engine.thaw()

    assert hung.value("mailserver_collector_success", collector="containers") == 0
    assert not hung.all("mailserver_container_state")
    assert took < 4.5
    found = scrape(collection)
    assert found.value("mailserver_collector_success", collector="containers") == 1
    assert states(found, "mysql")["running"] == 1
