"""Read rule files and promtool's test files, and look into their expressions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import promql_parser
import yaml

from tests.support.tools import ROOT

RULES = ROOT / "rules"
TESTS = ROOT / "tests" / "rules"
RUNBOOKS = RULES / "runbooks"
RUNBOOK_URL = "https://github.com/mailserver-exporter/mailserver-exporter/blob/main/rules/runbooks/"

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Rule:
    """A rule and the file it is in."""

    file: Path
    raw: dict[str, Any]

    @property
    def subject(self) -> str:
        """What the file is about: mostly a collector's name."""
        return self.file.name.partition(".")[0]

    @property
    def name(self) -> str:
        """The alert's name, or the name of the series that is recorded."""
        name: str = self.raw.get("alert") or self.raw["record"]
        return name

    @property
    def expression(self) -> promql_parser.Expr:
        """The syntax tree."""
        return promql_parser.parse(self.raw["expr"])

    @property
    def labels(self) -> dict[str, str]:
        """The labels that the rule adds."""
        return dict(self.raw.get("labels", {}))

    @property
    def annotations(self) -> dict[str, str]:
        """The texts, folded as YAML says."""
        return dict(self.raw.get("annotations", {}))

    def seconds(self, key: str) -> float:
        """Return a duration of the rule; one that is not given is 0."""
        return seconds(self.raw.get(key, "0s"))

    def nodes(self, kind: type) -> list[Any]:
        """Return the nodes of one kind in the syntax tree."""
        return [node for node in nodes(self.expression) if isinstance(node, kind)]


@dataclass(frozen=True)
class Group:
    """A test group of a promtool test file; its name says which alert it is about and what that does."""

    file: Path
    raw: dict[str, Any]

    @property
    def name(self) -> str:
        """The group's name."""
        return str(self.raw.get("name", ""))

    @property
    def alert(self) -> str:
        """The first word of the name."""
        return self.name.partition(" ")[0]

    @property
    def does(self) -> str:
        """The rest of the name."""
        return self.name.partition(" ")[2]

    def checks(self) -> list[tuple[float, list[str]]]:
        """Return (time, labels of the alerts that fire) of each question about the group's own alert, by time."""
        asked = f'ALERTS{{alertname="{self.alert}", alertstate="firing"}}'
        return sorted(
            (seconds(check["eval_time"]), [sample["labels"] for sample in check["exp_samples"]])
            for check in self.raw["promql_expr_test"]
            if check["expr"] == asked
        )


@lru_cache
def rules() -> list[Rule]:
    """Return every rule of every file."""
    return [
        Rule(file, raw)
        for file in sorted(RULES.glob("*.rules.yml"))
        for group in _load(file)["groups"]
        for raw in group["rules"]
    ]


def alerts() -> list[Rule]:
    """Return the alerting rules."""
    return [rule for rule in rules() if "alert" in rule.raw]


def test_files() -> list[Path]:
    """Return promtool's test files."""
    return sorted(TESTS.glob("*.test.yml"))


@lru_cache
def groups() -> list[Group]:
    """Return every test group of every test file."""
    return [Group(file, raw) for file in test_files() for raw in _load(file)["tests"]]


def _load(file: Path) -> Any:
    # libyaml's loader where there is one: the test files are long.
    return yaml.load(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def nodes(expression: promql_parser.Expr) -> Iterator[Any]:
    """Yield every node of a syntax tree."""
    found: list[Any] = []
    promql_parser.walk(expression, found.append)
    yield from found


def seconds(duration: str) -> float:
    """Return the seconds of a Prometheus duration such as ``1h30m``."""
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([smhd])", str(duration)))
