"""Which services a Docker Compose project should have, from its compose files (github.com/compose-spec/compose-spec).

Only what bears on that question is read: ``services``, ``include``, ``extends``, ``profiles``, ``scale``,
``deploy.replicas`` and ``depends_on``. The files are looked at as YAML nodes and never built into objects, so a file
full of aliases costs no more than its size.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from mailserver_exporter.host import Host
from mailserver_exporter.sources import SourceError, files, shellconf

DEFAULT_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDES = {
    "compose.yaml": ("compose.override.yaml", "compose.override.yml"),
    "compose.yml": ("compose.override.yml", "compose.override.yaml"),
    "docker-compose.yml": ("docker-compose.override.yml", "docker-compose.override.yaml"),
    "docker-compose.yaml": ("docker-compose.override.yaml", "docker-compose.override.yml"),
}
_MAX_BYTES = 1_000_000
_MAX_FILES = 50
_MAX_DEPTH = 20
_MAX_SERVICES = 1000
_MAX_NESTING = 100
_MAX_STEPS = 100_000
_VARIABLE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)(?::?([-+?])([^{}]*))?\})")


@dataclass(frozen=True)
class Project:
    """The services of a project: those that run by default, those that need a profile, and those that run once."""

    name: str
    services: frozenset[str]
    optional: frozenset[str]
    once: frozenset[str]


@dataclass
class Memory:
    """A project and the state of its files when it was read; it is read again when one of them changes."""

    stamps: Mapping[str, object] = field(default_factory=dict)
    project: Project | None = None
    problem: str = ""


def read(host: Host, directory: str, config_files: Sequence[str], memory: Memory) -> Project:
    """Return the project in ``directory`` (the host's own path), from ``memory`` while its files are unchanged.

    ``config_files`` are the files that were given to Compose with -f, empty for the ones it finds by itself. Raises
    SourceError when a file is not a compose file, and OSError when one cannot be read.
    """
    if memory.stamps and all(_stamp(host, path) == stamp for path, stamp in memory.stamps.items()):
        if memory.project is None:
            raise SourceError(memory.problem)
        return memory.project
    reader = _Reader(host, directory)
    try:
        memory.project, memory.problem = reader.project(config_files), ""
    except (OSError, SourceError) as error:
        memory.project, memory.problem = None, str(error)
        raise
    finally:
        memory.stamps = reader.stamps
    return memory.project


def _stamp(host: Host, path: str) -> object:
    try:
        status = os.stat(host.path(path))
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


class _Reader:
    def __init__(self, host: Host, directory: str) -> None:
        self._host = host
        self._directory = directory
        self._environment: Mapping[str, str] = {}
        self._loaded: dict[str, yaml.Node] = {}
        self._steps = 0
        self.stamps: dict[str, object] = {}

    def project(self, config_files: Sequence[str]) -> Project:
        if self._exists(f"{self._directory}/.env"):
            self._environment = shellconf.parse(files.read(self._host.path(f"{self._directory}/.env"), _MAX_BYTES))
        paths = [self._absolute(path, self._directory) for path in config_files or self._found()]
        enabled = {name.strip() for name in self._environment.get("COMPOSE_PROFILES", "").split(",")}
        services: dict[str, list[tuple[yaml.Node, str]]] = {}
        name = self._environment.get("COMPOSE_PROJECT_NAME", "")
        for path in paths:
            name = name or self._text(self._get(self._load(path), "name", path))
            self._gather(path, services, 0)
        default: set[str] = set()
        optional: set[str] = set()
        once: set[str] = set()
        for service, definitions in services.items():
            profiles = self._profiles(definitions)
            if self._replicas(definitions) == 0:
                continue
            (default if not profiles or "*" in enabled or profiles & enabled else optional).add(service)
            once |= self._waited_for(definitions)
        normal = re.sub(r"[^-_a-z0-9]", "", (name or os.path.basename(self._directory)).lower()).lstrip("-_")
        return Project(normal, frozenset(default), frozenset(optional), frozenset(once))

    def _found(self) -> list[str]:
        """Return the files that Compose takes when it is told none."""
        if listed := self._environment.get("COMPOSE_FILE"):
            return [path for path in listed.split(self._environment.get("COMPOSE_PATH_SEPARATOR") or ":") if path]
        for name in DEFAULT_FILES:
            if self._exists(f"{self._directory}/{name}"):
                over = next((o for o in OVERRIDES[name] if self._exists(f"{self._directory}/{o}")), None)
                return [name, over] if over else [name]
        raise FileNotFoundError(2, "no compose file", self._directory)

    def _exists(self, path: str) -> bool:
        self.stamps[path] = _stamp(self._host, path)
        return self.stamps[path] is not None

    def _absolute(self, path: str, directory: str) -> str:
        return os.path.normpath(os.path.join(directory, path))

    def _load(self, path: str) -> yaml.Node:
        if path in self._loaded:
            return self._loaded[path]
        if len(self._loaded) >= _MAX_FILES:
            raise SourceError(f"{self._directory}: more than {_MAX_FILES} compose files")
        self.stamps[path] = _stamp(self._host, path)
        data = files.read(self._host.path(path), _MAX_BYTES)
        # libyaml's reader is ten times as fast; not every build of PyYAML has it.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            self._check_depth(data, loader, path)
            node = yaml.compose(data, Loader=loader)
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
            reason = getattr(error, "problem", None) or type(error).__name__
            line = f":{mark.line + 1}" if (mark := getattr(error, "problem_mark", None)) else ""
            raise SourceError(f"{path}{line} is not valid YAML: {reason}") from error
        if not isinstance(node, yaml.MappingNode):
            raise SourceError(f"{path} is not a compose file: it is not a mapping")
        self._loaded[path] = node
        return node

    def _check_depth(self, data: bytes, loader: Any, path: str) -> None:
        """Raise SourceError for a deep nesting, over which libyaml's composer would fall and the process with it."""
        depth = 0
        for event in yaml.parse(data, Loader=loader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > _MAX_NESTING:
                    raise SourceError(f"{path} is nested deeper than {_MAX_NESTING}")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1

    def _gather(self, path: str, services: dict[str, list[tuple[yaml.Node, str]]], depth: int) -> None:
        """Add the services of a file and of those it includes."""
        if depth > _MAX_DEPTH:
            raise SourceError(f"{path}: include goes deeper than {_MAX_DEPTH} files")
        root = self._load(path)
        for entry in self._items(self._get(root, "include", path)):
            for included in self._paths(entry, path):
                self._gather(included, services, depth + 1)
        for name, node in self._pairs(self._get(root, "services", path)):
            services.setdefault(name, []).append((node, path))
            if len(services) > _MAX_SERVICES:
                raise SourceError(f"{path}: more than {_MAX_SERVICES} services")

    def _paths(self, entry: yaml.Node, path: str) -> list[str]:
        listed = self._get(entry, "path", path) if isinstance(entry, yaml.MappingNode) else entry
        names = [self._text(item) for item in self._items(listed)] or [self._text(listed)]
        return [self._absolute(name, os.path.dirname(path)) for name in names if name]

    def _profiles(self, definitions: list[tuple[yaml.Node, str]]) -> set[str]:
        profiles: set[str] = set()
        for node, path in definitions:
            value = self._get(node, "profiles", path)
            if value is not None and value.tag in ("!reset", "!override"):
                profiles = set()
            if value is not None and value.tag != "!reset":
                profiles |= {self._text(item) for item in self._items(value)}
        return profiles

    def _replicas(self, definitions: list[tuple[yaml.Node, str]]) -> int:
        count = "1"
        for node, path in definitions:
            scale = self._text(self._get(node, "scale", path))
            replicas = self._text(self._get(self._get(node, "deploy", path), "replicas", path))
            count = scale or replicas or count
        return int(count) if count.isascii() and count.isdigit() and len(count) < 10 else 1

    def _waited_for(self, definitions: list[tuple[yaml.Node, str]]) -> set[str]:
        """Return the services that one waits for to end successfully before it starts."""
        return {
            name
            for node, path in definitions
            for name, how in self._pairs(self._get(node, "depends_on", path))
            if self._text(self._get(how, "condition", path)) == "service_completed_successfully"
        }

    def _get(self, node: yaml.Node | None, key: str, path: str, depth: int = 0) -> yaml.Node | None:
        """Return a key's value, be it the mapping's own, merged into it (``<<``) or of the service it extends."""
        if not isinstance(node, yaml.MappingNode) or depth > _MAX_DEPTH:
            return None
        found: dict[str, yaml.Node] = {k.value: v for k, v in node.value if isinstance(k, yaml.ScalarNode)}
        if key in found:
            return found[key]
        for merged in self._merged(found.get("<<")):
            value = self._get(merged, key, path, depth + 1)
            if value is not None:
                return value
        # depends_on is what `extends` leaves behind.
        if "extends" in found and key not in ("depends_on", "file", "service", "services", "name", "include"):
            base, base_path = self._extended(found["extends"], path)
            return self._get(base, key, base_path, depth + 1)
        return None

    def _extended(self, node: yaml.Node, path: str) -> tuple[yaml.Node | None, str]:
        name = self._text(node) or self._text(self._get(node, "service", path))
        if file := self._text(self._get(node, "file", path)):
            path = self._absolute(file, os.path.dirname(path))
        return dict(self._pairs(self._get(self._load(path), "services", path))).get(name), path

    def _pairs(self, node: yaml.Node | None, depth: int = 0) -> Iterator[tuple[str, yaml.Node]]:
        if isinstance(node, yaml.MappingNode) and depth <= _MAX_DEPTH:
            for key, value in node.value[:_MAX_SERVICES]:
                if isinstance(key, yaml.ScalarNode) and key.value == "<<":
                    for merged in self._merged(value):
                        yield from self._pairs(merged, depth + 1)
                elif isinstance(key, yaml.ScalarNode) and not key.value.startswith("x-"):
                    yield key.value, value

    def _merged(self, node: yaml.Node | None) -> list[yaml.Node]:
        """Return the mappings of a merge key; aliases of aliases would make their number explode."""
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise SourceError(f"{self._directory}: the compose files merge too many aliases")
        return self._items(node) or ([node] if node else [])

    def _items(self, node: yaml.Node | None) -> list[yaml.Node]:
        return list(node.value[:_MAX_SERVICES]) if isinstance(node, yaml.SequenceNode) else []

    def _text(self, node: yaml.Node | None) -> str:
        """Return a scalar with its variables replaced by what .env says; empty where there is none."""
        if not isinstance(node, yaml.ScalarNode) or node.tag == "!reset":
            return ""
        return _VARIABLE.sub(self._variable, node.value[:4096])

    def _variable(self, match: re.Match[str]) -> str:
        plain, braced, how, other = match.groups()
        value = self._environment.get(plain or braced or "", "")
        if how == "+":
            return (other or "") if value else ""
        if not plain and not braced:
            return "$"
        return value or (other or "" if how == "-" else "")
