"""Containers: whether they run, how they are, what they use, and which should be there."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors import container_metrics
from mailserver_exporter.collectors.base import Collector, Context, Detection, Schedule, thresholds
from mailserver_exporter.collectors.expected_services import ExpectedServices, compose_names
from mailserver_exporter.finding import Finding, counted
from mailserver_exporter.sources import SourceError, cgroup
from mailserver_exporter.sources.container_resources import ResourceReader, Resources
from mailserver_exporter.sources.docker_engine import HEALTH, STATES, Container, Engine, Listed
from mailserver_exporter.sources.docker_images import Images

log = logging.getLogger(__name__)

_HEALTH_STATE = {"healthy": 1.0, "starting": 0.0, "unhealthy": 0.0, "none": -1.0}


class ContainersCollector(Collector):
    """Containers, as `docker ps -a`, `docker inspect` and `docker stats` show them, without the wait of the last one.

    mailserver_container_info{name="mailcow-postfix-1",image="postfix",project="mailcow",service="postfix-mailcow"} 1
    mailserver_container_state{name="mailcow-postfix-1",state="running"} 1
    mailserver_container_health{name="mailcow-postfix-1",status="healthy"} 1
    mailserver_container_restarts_total{name="mailcow-postfix-1"} 0
    mailserver_container_exit_code{name="mailcow-postfix-1"} 0
    mailserver_container_oom_killed{name="mailcow-postfix-1"} 0
    mailserver_service_up{project="mailcow",service="postfix-mailcow"} 1
    container_health_state{name="mailcow-postfix-1",image="postfix"} 1
    mailserver_container_image_created_timestamp_seconds{name="mailcow-postfix-1",image="postfix"} 1.791e+09
    mailserver_threshold_container_image_age_seconds{name="mailcow-postfix-1",severity="info"} 7776000
    container_start_time_seconds{name="mailcow-postfix-1",image="postfix"} 1.7953e+09
    container_oom_events_total{name="mailcow-postfix-1",image="postfix"} 0
    container_memory_working_set_bytes{name="mailcow-postfix-1",image="postfix"} 3.1e+07
    container_scrape_error 0

    A container whose files are broken has no resource figures; container_scrape_error is 1 then and the log names it.
    """

    name = "containers"
    schedule = Schedule(deadline=4.0)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._socket = str(context.config.containers.socket)
        self._engine = Engine(context.host.path(self._socket))
        self._images = Images(context.host.path(self._socket))
        self._reader = ResourceReader(context.host)
        self._services = ExpectedServices(context)
        self._oom = OomCounter()
        self._broken: dict[str, str] = {}
        self._blind = 0
        self._newest = ""
        self._down: list[tuple[str, str]] = []

    def detect(self) -> Detection:
        """Look for the Docker socket."""
        try:
            found = stat.S_ISSOCK(os.stat(self.context.host.path(self._socket)).st_mode)
        except OSError:
            found = False
        return Detection(found, f"Docker socket at {self._socket}" if found else f"no Docker socket at {self._socket}")

    def collect(self) -> Iterator[Metric]:
        """Yield the families of all containers; fails when the engine does not answer properly."""
        found = self._engine.look()
        figures: dict[str, Resources] = {}
        broken: dict[str, str] = {}
        for index, (listed, container) in enumerate(found):
            try:
                fresh, resources = self._resources(container)
            except (SourceError, OSError) as error:
                broken[container.name] = str(error)
                continue
            found[index] = (listed, fresh)
            if resources:
                figures[fresh.id] = resources
        self._reader.keep({container.pid for _, container in found})
        running = [container for _, container in found if container.pid > 0]
        # Once may be a container that has ended just now.
        self._blind = self._blind + 1 if running and not figures and not broken else 0
        if self._blind > 1:
            broken[running[0].name] = (
                f"process {running[0].pid} is not in {self.context.host.proc('')}: "
                "in a container, run with the host's pid namespace or mount the host's /proc"
            )
        self._tell(broken)
        self._newest = f"{counted(len(found), 'container')}, {len(running)} of them running"
        yield from _states(found)
        yield from self._running([container for _, container in found], figures)
        yield GaugeMetricFamily(
            "container_scrape_error", "1 when the figures of a container could not be read, else 0.", bool(broken)
        )
        up = GaugeMetricFamily(
            "mailserver_service_up",
            "Whether a container of a service that should exist runs (or has ended well, where it only runs once).",
            labels=["project", "service"],
        )
        services = list(self._services.states(found))
        for project, service, good in services:
            up.add_metric([project, service], good)
        self._down = [(project, service) for project, service, good in services if not good]
        yield up

    def found(self) -> str:
        """Say how many containers there are."""
        return self._newest

    def findings(self) -> Iterator[Finding]:
        """Yield a line for each service without a container that runs, and for each that could not be read."""
        for project, service in self._down:
            remedy = f"docker compose -p {project} up -d {service}; docker compose -p {project} logs {service}"
            yield Finding("containers", "bad", f"service {service} of {project} does not run", remedy)
        for name, problem in sorted(self._broken.items()):
            yield Finding("containers", "bad", f"{name}: {problem}")

    def close(self) -> None:
        """Close the connection to the engine and the files of its containers."""
        self._engine.close()
        self._reader.close()

    def _resources(self, container: Container) -> tuple[Container, Resources | None]:
        """Read what a container uses; one that was started anew since it was inspected is inspected again."""
        for attempt in range(2):
            if container.pid <= 0:
                break
            try:
                return container, self._reader.read(container.id, container.pid, not container.shares_network)
            except cgroup.GoneError:
                fresh = None if attempt or self._blind else self._engine.look_again(container)
                if fresh is None or fresh.pid == container.pid:
                    break
                container = fresh
        return container, None

    def _running(self, found: Sequence[Container], figures: dict[str, Resources]) -> Iterator[Metric]:
        started = GaugeMetricFamily(
            "container_start_time_seconds", "When the container was started, Unix time.", labels=["name", "image"]
        )
        for container in found:
            if container.pid > 0:
                started.add_metric([container.name, container.image], container.started)
        yield started
        yield from self._image_ages([container for container in found if container.pid > 0])
        yield self._oom.family(found, figures)
        measured = [
            container_metrics.Measured(
                (container.name, container.image),
                resources,
                tuple((self._reader.device(device.number), device) for device in resources.usage.devices),
            )
            for container in found
            if (resources := figures.get(container.id))
        ]
        yield from container_metrics.families(measured)

    def _image_ages(self, running: Sequence[Container]) -> Iterator[Metric]:
        self._images.learn(container.image_id for container in running)
        created = GaugeMetricFamily(
            "mailserver_container_image_created_timestamp_seconds",
            "When the image of a running container was made, Unix time.",
            labels=["name", "image"],
        )
        known = []
        for container in running:
            if made := self._images.created(container.image_id):
                created.add_metric([container.name, container.image], made)
                known.append(({"name": container.name}, self.context.config.limits.container_image_age_seconds))
        yield created
        yield thresholds("container_image_age_seconds", "Limit of the age of a running container's image.", known)

    def _tell(self, broken: dict[str, str]) -> None:
        """Log what could not be read, once for each reason, and what can be read again."""
        for name, reason in broken.items():
            if self._broken.get(name) != reason:
                log.warning("no figures of container %r: %s", name, reason)
        for name in self._broken.keys() - broken.keys():
            log.info("figures of container %r can be read again", name)
        self._broken = broken


class OomCounter:
    """Out-of-memory kills by container name.

    The kernel counts from zero at each start of a container, and the count is gone with the last process. What earlier
    runs had is therefore kept here, and a run that ended by the kill itself, which nobody can have read, counts one.
    """

    def __init__(self) -> None:
        self._runs: dict[str, tuple[tuple[str, float], int, int]] = {}

    def family(self, found: Sequence[Container], figures: dict[str, Resources]) -> CounterMetricFamily:
        """Take in a look at all containers and return the counters."""
        family = CounterMetricFamily(
            "container_oom_events_total",
            "Processes of the container that the kernel killed for want of memory, since the exporter knows it.",
            labels=["name", "image"],
        )
        runs = {}
        for container in found:
            run = (container.id, container.started)
            last, before, now = self._runs.get(container.name, (run, 0, 0))
            if last != run:
                before, now = before + now, 0
            resources = figures.get(container.id)
            read = resources.usage.oom_kills if resources else None
            now = max(now, read or 0, int(container.oom_killed))
            runs[container.name] = (run, before, now)
            family.add_metric([container.name, container.image], before + now)
        self._runs = runs
        return family


def _states(found: Sequence[tuple[Listed, Container]]) -> Iterator[Metric]:
    """Yield what does not need a container to run."""
    gauge = GaugeMetricFamily
    info = gauge(
        "mailserver_container_info",
        "What the container is; the value is always 1.",
        labels=["name", "image", "project", "service"],
    )
    state = gauge(
        "mailserver_container_state", "1 for the state that the container is in, else 0.", labels=["name", "state"]
    )
    health = gauge(
        "mailserver_container_health", "1 for what the health check says, else 0.", labels=["name", "status"]
    )
    health_state = gauge(
        "container_health_state",
        "1 healthy, 0 starting or unhealthy, -1 without a health check.",
        labels=["name", "image"],
    )
    restarts = CounterMetricFamily(
        "mailserver_container_restarts_total", "Restarts by the restart policy.", labels=["name"]
    )
    exit_code = gauge("mailserver_container_exit_code", "Exit status of the newest run, 0 while up.", labels=["name"])
    oom_killed = gauge("mailserver_container_oom_killed", "Whether a run was killed for memory.", labels=["name"])
    for listed, container in found:
        name, image = container.name, container.image
        info.add_metric([name, image, *compose_names(listed)], 1.0)
        for known in STATES:
            state.add_metric([name, known], float(known == container.state))
        for known in HEALTH:
            health.add_metric([name, known], float(known == container.health))
        health_state.add_metric([name, image], _HEALTH_STATE[container.health])
        restarts.add_metric([name], container.restarts)
        exit_code.add_metric([name], container.exit_code)
        oom_killed.add_metric([name], float(container.oom_killed))
    yield from (info, state, health, health_state, restarts, exit_code, oom_killed)
