"""Read a YAML file into frozen dataclasses, and report everything that is wrong with it at once.

The dataclasses are the schema: a field's annotation says what is allowed, its default what holds when the key is
absent. A nested dataclass starts from its parent's default, so giving one key leaves its neighbours alone.
"""

from __future__ import annotations

import dataclasses
import math
import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

T = TypeVar("T")

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_MAX_BYTES = 1_000_000
_TOO_LARGE = 1 << 63


class Rule(Protocol):
    """Turns one YAML scalar into a value, or raises ValueError with what is allowed.

    With an attribute ``as_written`` it is given the text and not what YAML makes of it.
    """

    def convert(self, value: object) -> Any: ...


@dataclass(frozen=True)
class Number:
    """A number within bounds, both included."""

    minimum: float = -math.inf
    maximum: float = math.inf
    whole: bool = False

    def convert(self, value: object) -> float:
        kind = "a whole number" if self.whole else "a number"
        if self.minimum > -math.inf:
            kind += f" from {self.minimum:g}"
        if self.maximum < math.inf:
            kind += f" to {self.maximum:g}"
        good = isinstance(value, int if self.whole else (int, float)) and not isinstance(value, bool)
        # More than 64 bits hold is no number of this world, and float() would fall over it.
        if not good or not self.minimum <= value <= self.maximum or abs(value) >= _TOO_LARGE:  # type: ignore[operator,arg-type]
            raise ValueError(kind)
        return value  # type: ignore[return-value]


@dataclass(frozen=True)
class Seconds:
    """A duration: ``90s``, ``15m``, ``1h30m``, ``21d``; the value is in seconds."""

    minimum: float = 0

    def convert(self, value: object) -> float:
        allowed = "a duration such as 90s, 15m, 1h30m or 21d"
        if self.minimum:
            allowed += f", at least {self.minimum:g}s"
        text = str(value)
        if isinstance(value, bool) or not text or _DURATION.sub("", text):
            raise ValueError(allowed)
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(text))
        if not self.minimum <= seconds < _TOO_LARGE:
            raise ValueError(allowed)
        return seconds


@dataclass(frozen=True)
class Text:
    """A text that matches a pattern; ``allowed`` says in words what the pattern means."""

    pattern: str
    allowed: str

    def convert(self, value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(self.pattern, value):
            raise ValueError(self.allowed)
        return value


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a file: where (line and key path), what, and what is allowed."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"


class ConfigError(Exception):
    """A file that cannot be used; ``problems`` holds every reason."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def read_file(path: Path, default: T) -> T:
    """Return ``default`` (a dataclass instance) with what the YAML file at ``path`` changes.

    Raises ConfigError with all problems, also when the file cannot be read or is not YAML.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([Problem(str(path), 0, "", f"cannot be read: {error.strerror}")]) from error
    if len(data) > _MAX_BYTES:
        raise ConfigError([Problem(str(path), 0, "", f"is larger than {_MAX_BYTES} bytes")])
    return read_text(data, str(path), default)


def read_text(data: bytes | str, name: str, default: T) -> T:
    """As read_file, for YAML that is already in memory; ``name`` stands for the file in messages."""
    try:
        node = yaml.compose(data, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ConfigError([Problem(name, line, "", f"is not valid YAML: {error.problem}")]) from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError([Problem(name, 0, "", f"is not valid YAML: {str(error).splitlines()[0]}")]) from error
    if node is None or _is_null(node):
        return default
    reader = _Reader(name)
    value: T = reader.section(node, type(default), "", default)
    if reader.problems:
        raise ConfigError(sorted(reader.problems, key=lambda problem: problem.line))
    return value


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def complain(self, node: yaml.Node, key: str, message: str) -> None:
        self.problems.append(Problem(self.file, node.start_mark.line + 1, key, message))

    def section(self, node: yaml.Node, kind: type, path: str, default: Any) -> Any:
        """Read a mapping into the dataclass ``kind``; what is absent comes from ``default``, where there is one."""
        hints = get_type_hints(kind, include_extras=True)
        fields = {field.name: field for field in dataclasses.fields(kind)}
        nodes = self.mapping(node, path)
        if nodes is None:
            return default
        for name, (key_node, _) in nodes.items():
            if name not in fields:
                allowed = ", ".join(fields)
                self.complain(key_node, _join(path, name), f"is not a setting; allowed here: {allowed}")
        values: dict[str, Any] = {}
        complete = True
        for name, field in fields.items():
            here = _join(path, name)
            inherited = getattr(default, name) if default is not None else _field_default(field)
            if name in nodes:
                inherited = _own_values(hints[name], values) or inherited
                before = len(self.problems)
                values[name] = self.value(nodes[name][1], hints[name], here, inherited)
                complete = complete and len(self.problems) == before
            elif inherited is dataclasses.MISSING:
                self.complain(node, here, "is missing")
                complete = False
            else:
                values[name] = inherited
        if not complete:
            return default
        result = kind(**values)
        for name, message in getattr(result, "problems", lambda: ())():
            self.complain(nodes[name][1] if name in nodes else node, _join(path, name), message)
        return result

    def value(self, node: yaml.Node, hint: Any, path: str, default: Any) -> Any:
        """Read one value as its annotation says."""
        origin, arguments = get_origin(hint), get_args(hint)
        if origin in (Union, types.UnionType):
            if _is_null(node):
                return None
            [inner] = [argument for argument in arguments if argument is not type(None)]
            return self.value(node, inner, path, default)
        if dataclasses.is_dataclass(hint):
            start = default if isinstance(default, hint) else None  # type: ignore[arg-type]
            if _is_null(node) and start is not None:
                return start
            return self.section(node, hint, path, start)  # type: ignore[arg-type]
        if origin is tuple:
            return self.sequence(node, arguments[0], path)
        if origin is Mapping or (isinstance(origin, type) and issubclass(origin, Mapping)):
            nodes = self.mapping(node, path) or {}
            return {name: self.value(n, arguments[1], _join(path, name), default) for name, (_, n) in nodes.items()}
        return self.scalar(node, hint, path)

    def mapping(self, node: yaml.Node, path: str) -> dict[str, tuple[yaml.Node, yaml.Node]] | None:
        if not isinstance(node, yaml.MappingNode):
            self.complain(node, path, f"must be a mapping of settings, not {_shown(node)}")
            return None
        nodes: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else _shown(key)
            if name in nodes:
                self.complain(key, _join(path, name), "is given twice")
            nodes[name] = (key, value)
        return nodes

    def sequence(self, node: yaml.Node, hint: Any, path: str) -> tuple[Any, ...]:
        if not isinstance(node, yaml.SequenceNode):
            self.complain(node, path, f"must be a list, not {_shown(node)}")
            return ()
        return tuple(self.value(item, hint, f"{path}[{index}]", None) for index, item in enumerate(node.value))

    def scalar(self, node: yaml.Node, hint: Any, path: str) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            self.complain(node, path, f"must be one value, not {_shown(node)}")
            return None
        try:
            value = yaml.SafeLoader("").construct_object(node)
        except (yaml.YAMLError, ValueError):
            value = node.value
        if get_origin(hint) is Annotated and getattr(hint.__metadata__[0], "as_written", False):
            value = node.value
        if isinstance(value, str) and re.search("[\0\ud800-\udfff]", value):
            # Neither a path nor a label can hold them.
            self.complain(node, path, "must be a text without NUL and halves of surrogate pairs")
            return None
        try:
            return _convert(value, hint)
        except ValueError as error:
            # What stands where a secret or its file is expected may be the secret itself.
            hidden = path.endswith("_file") or ".basic_auth_users." in f".{path}"
            self.complain(node, path, f"must be {error}" if hidden else f"must be {error}, not {_shown(node)}")
            return None


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _convert(value: object, hint: Any) -> Any:
    if get_origin(hint) is Annotated:
        rule: Rule = hint.__metadata__[0]
        return rule.convert(value)
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise ValueError("one of " + ", ".join(map(str, get_args(hint))))
        return value
    if hint is bool:
        if not isinstance(value, bool):
            raise ValueError("true or false")
        return value
    if hint is int:
        return Number(whole=True).convert(value)
    if hint is Path:
        if not isinstance(value, str) or not value.startswith("/"):
            raise ValueError("an absolute path")
        return Path(value)
    if hint is str:
        if not isinstance(value, str) or not value:
            raise ValueError("a text")
        return value
    raise TypeError(f"the schema uses a type that the reader does not know: {hint}")


def _field_default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _own_values(hint: Any, values: Mapping[str, Any]) -> Any:
    """Give a mapping of overrides the values read beside it as their start, so that an override may be partial."""
    if get_origin(hint) is not Mapping:
        return None
    kind = get_args(hint)[1]
    if not dataclasses.is_dataclass(kind):
        return None
    names = [field.name for field in dataclasses.fields(kind)]
    return kind(**{name: values[name] for name in names}) if all(name in values for name in names) else None  # type: ignore[operator]


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _shown(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    text = str(node.value)
    return repr(text if len(text) <= 60 else text[:57] + "...")
