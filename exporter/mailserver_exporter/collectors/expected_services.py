"""Which compose services should run on this host, and whether they do."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mailserver_exporter.collectors.base import Context
from mailserver_exporter.sources import SourceError, compose_project
from mailserver_exporter.sources.docker_engine import Container, Listed

log = logging.getLogger(__name__)

_LABEL = "com.docker.compose."
_KIND = "service"
_MAX_PLACES = 100


@dataclass
class _Present:
    """What the containers of one project tell: services with a container, those that are up, and those that end."""

    existing: set[str] = field(default_factory=set)
    running: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)
    once: set[str] = field(default_factory=set)


def compose_names(labels: Listed) -> tuple[str, str]:
    """Return the project and the service that a container belongs to, empty where it was not made by Compose."""
    return labels.labels.get(f"{_LABEL}project", ""), labels.labels.get(f"{_LABEL}service", "")


class ExpectedServices:
    """The services of all projects: by their compose files where these can be read, else those seen before."""

    def __init__(self, context: Context) -> None:
        self._context = context
        # By project: its directory and files as its containers told, kept when the last container is gone.
        self._places: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._memories: dict[tuple[str, tuple[str, ...]], compose_project.Memory] = {}
        self._told: dict[str, str] = {}

    def states(self, found: Iterable[tuple[Listed, Container]]) -> Iterator[tuple[str, str, bool]]:
        """Yield (project, service, whether a container of it runs or has ended as it should), sorted."""
        present = self._present(found)
        projects = self._projects()
        wanted: dict[str, set[str]] = {}
        for name, project in projects.items():
            existing = present[name].existing if name in present else set()
            wanted[name] = set(project.services | (project.optional & existing))
        for name, seen in present.items():
            wanted.setdefault(name, seen.existing)
        names = {f"{project}/{service}" for project, services in wanted.items() for service in services}
        for remembered in self._context.expectations.expect(_KIND, names) - names:
            name, _, service = remembered.partition("/")
            if name in projects:
                # The compose file decides. A memory that cannot be written has been complained about already.
                with contextlib.suppress(OSError):
                    self._context.expectations.forget(remembered, _KIND)
            else:
                wanted.setdefault(name, set()).add(service)
        for name in sorted(wanted):
            here = present.get(name, _Present())
            once = here.once | (projects[name].once if name in projects else set())
            for service in sorted(wanted[name]):
                yield name, service, service in here.running or (service in once and service in here.done)

    def _present(self, found: Iterable[tuple[Listed, Container]]) -> dict[str, _Present]:
        present: dict[str, _Present] = {}
        told = set()
        for listed, container in found:
            labels = listed.labels
            name, service = compose_names(listed)
            if not name or not service or labels.get(f"{_LABEL}oneoff", "").lower() == "true":
                continue
            here = present.setdefault(name, _Present())
            here.existing.add(service)
            if container.state == "running":
                here.running.add(service)
            if container.state == "exited" and container.exit_code == 0:
                here.done.add(service)
            # SERVICE:CONDITION:RESTART,..., written by Compose 2 from depends_on.
            for dependency in labels.get(f"{_LABEL}depends_on", "").split(","):
                if ":service_completed_successfully" in dependency:
                    here.once.add(dependency.partition(":")[0])
            directory = labels.get(f"{_LABEL}project.working_dir", "")
            if directory.startswith("/") and name not in told and len(self._places) < _MAX_PLACES:
                told.add(name)  # by the newest container, which comes first
                config_files = labels.get(f"{_LABEL}project.config_files", "")
                self._places[name] = (directory, tuple(path for path in config_files.split(",") if path))
        return present

    def _projects(self) -> dict[str, compose_project.Project]:
        """Return the projects whose compose files can be read, by name."""
        projects = {}
        stack = self._context.mailstack.get()
        directories = {str(path) for path in self._context.config.containers.project_directories}
        if stack.kind == "mailcow":
            directories.add(stack.directory)
        directories -= {directory for directory, _ in self._places.values()}
        places: dict[tuple[str, tuple[str, ...]], str] = {(directory, ()): "" for directory in sorted(directories)}
        places |= {place: name for name, place in self._places.items()}
        for place, name in places.items():
            if project := self._read(place):
                projects[name or project.name] = project
        for gone in self._memories.keys() - places.keys():
            del self._memories[gone]
        return projects

    def _read(self, place: tuple[str, tuple[str, ...]]) -> compose_project.Project | None:
        directory, config_files = place
        memory = self._memories.setdefault(place, compose_project.Memory())
        try:
            project = compose_project.read(self._context.host, directory, config_files, memory)
        except OSError as error:
            self._tell(directory, logging.INFO, f"{error.filename}: {error.strerror}")
            return None
        except SourceError as error:
            self._tell(directory, logging.WARNING, str(error))
            return None
        self._told.pop(directory, None)
        return project

    def _tell(self, directory: str, level: int, reason: str) -> None:
        """Log once that a project cannot be read."""
        if self._told.get(directory) != reason:
            self._told[directory] = reason
            log.log(level, "compose project in %s: expecting the services seen before, because %s", directory, reason)
