"""Prometheus' own tool on the rules and their tests, and proof that those tests would notice a wrong rule."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.rules import rulefiles
from tests.rules.rulefiles import Group, Rule
from tests.support.tools import RELEASES, program

ALERTS = rulefiles.alerts()
SUMMARIES = rulefiles.TESTS / "summaries.yml"
# It can neither stay quiet nor resolve.
CONSTANT = {"Watchdog"}
# What they foretell moves all the time, so no test can hold it at an edge for as long as they wait.
FORECASTS = {"QueueGrowing", "FilesystemWillFill"}


def promtool(release: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run promtool and return what it said."""
    command = [program("promtool", release), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)


@pytest.mark.parametrize("release", RELEASES)
def test_the_rules_are_valid(release: str) -> None:
    done = promtool(release, "check", "rules", *sorted(rulefiles.RULES.glob("*.rules.yml")))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("file", rulefiles.test_files(), ids=lambda file: file.name.partition(".")[0])
def test_the_rules_do_what_their_tests_say(file: Path, release: str) -> None:
    done = promtool(release, "test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


# The tests themselves


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_has_tests_that_it_fires_stays_quiet_and_resolves(alert: Rule) -> None:
    groups = [group for group in rulefiles.groups() if group.alert == alert.name]
    for group in groups:
        assert group.file.name.startswith(alert.subject)
        assert group.checks(), f"{group.name} does not ask for the alert"
    firing = [group.checks() for group in groups if group.does.startswith("fires")]
    quiet = [group.checks() for group in groups if group.does == "stays quiet at the edge"]
    resolving = [group.checks() for group in groups if group.does == "resolves"]
    assert firing
    assert all(checks[-1][1] for checks in firing)
    if alert.name not in CONSTANT:
        [found] = quiet
        assert not any(labels for _, labels in found)
        [found] = resolving
        assert [bool(labels) for _, labels in found] == [True, False]


def test_every_test_is_about_an_alert_that_exists() -> None:
    assert {group.alert for group in rulefiles.groups()} == {alert.name for alert in ALERTS}


# What the tests would notice

_COMPARISON = re.compile(r"\{[^}]*\}|\[[^]]*\]|(==|!=|>=|<=|>|<)")
_MOVED = {">": ">=", "<": "<=", ">=": ">", "<=": "<", "!=": ">="}


def mutants(rule: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rule with one comparison moved by a hair, one at a time, and without its durations."""
    expression = rule["expr"]
    for match in _COMPARISON.finditer(expression):
        operator = match[1]
        if operator is None or rule["alert"] in FORECASTS:
            continue
        if operator == "==":
            # 0 or 1: the other value then counts, too.
            moved = ">=" if expression[match.end() :].split()[0].startswith("0") else "<="
        else:
            moved = _MOVED[operator]
        yield {**rule, "expr": expression[: match.start(1)] + moved + expression[match.end(1) :]}
    for key in ("for", "keep_firing_for"):
        if key in rule:
            yield {name: value for name, value in rule.items() if name != key}


@pytest.mark.parametrize("alert", [a for a in ALERTS if a.name not in CONSTANT], ids=lambda alert: alert.name)
def test_no_edge_and_no_duration_can_be_changed_unnoticed(alert: Rule, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "tests" / "rules").mkdir(parents=True)
    content = yaml.safe_load(alert.file.read_text())
    files = [_only(alert.name, file, tmp_path) for file in rulefiles.test_files() if _about(alert.name, file)]
    unnoticed = []
    for mutant in mutants(alert.raw):
        changed = copy.deepcopy(content)
        for group in changed["groups"]:
            group["rules"] = [mutant if rule.get("alert") == alert.name else rule for rule in group["rules"]]
        (tmp_path / "rules" / alert.file.name).write_text(yaml.safe_dump(changed))
        done = promtool("bookworm", "test", "rules", *files)
        if done.returncode == 0 or "FAILED:" not in done.stdout + done.stderr:
            unnoticed.append({key: mutant.get(key) for key in ("expr", "for", "keep_firing_for")})
    assert unnoticed == []


def _about(alert: str, file: Path) -> bool:
    return any(group.alert == alert for group in rulefiles.groups() if group.file == file)


def _only(alert: str, file: Path, folder: Path) -> Path:
    """Write a test file with the groups about one alert only, and return it."""
    content = yaml.safe_load(file.read_text())
    content["tests"] = [test for test in content["tests"] if test["name"].startswith(f"{alert} ")]
    target = folder / "tests" / "rules" / file.name
    target.write_text(yaml.safe_dump(content))
    return target


# The texts


@pytest.mark.parametrize("release", RELEASES)
def test_the_texts_say_where_and_how_much(release: str, tmp_path: Path) -> None:
    """promtool fills in the templates when it is told to expect no alert, and shows what it got instead."""
    shutil.copytree(rulefiles.RULES, tmp_path / "rules")
    (tmp_path / "tests" / "rules").mkdir(parents=True)
    found: dict[str, dict[str, str]] = {}
    for file in rulefiles.test_files():
        content = yaml.safe_load(file.read_text())
        content["tests"] = [_expecting_nothing(group) for group in _first_firing(file)]
        target = tmp_path / "tests" / "rules" / file.name
        target.write_text(yaml.safe_dump(content))
        done = promtool(release, "test", "rules", target)
        output = done.stdout + done.stderr
        shown = r'Labels:\{alertname="(\w+)"(?:.* instance="mail".*|, severity="none")\}\n\s*Annotations:\{(.*)\}'
        for name, texts in re.findall(shown, output):
            pairs = re.findall(r'(\w+)=("(?:[^"\\]|\\.)*")', texts)
            found.setdefault(name, {key: json.loads(text) for key, text in pairs})

    assert found.keys() == {alert.name for alert in ALERTS}
    for name, texts in found.items():
        for text in texts.values():
            assert not re.search(r"<no value>|<error|%!|NaN|\{\{(?!range|end|\.)", text), (name, text)
        assert len(told(texts)) <= 160, (name, told(texts))
        assert texts["summary"].startswith("mail: ") or name in CONSTANT
    assert {name: told(texts) for name, texts in found.items()} == yaml.safe_load(SUMMARIES.read_text())


def told(texts: dict[str, str]) -> str:
    """Return summary and limit as the messages show them."""
    return f"{texts['summary']} (limit {texts['limit']})" if texts.get("limit") else texts["summary"]


def _first_firing(file: Path) -> list[Group]:
    """Return for each alert the first group in which it fires."""
    first: dict[str, Group] = {}
    for group in rulefiles.groups():
        if group.file == file and group.does == "fires":
            first.setdefault(group.alert, group)
    return list(first.values())


def _expecting_nothing(group: Group) -> dict[str, Any]:
    time, _ = next(check for check in group.checks() if check[1])
    test = {key: value for key, value in group.raw.items() if key not in ("promql_expr_test", "name")}
    return {**test, "alert_rule_test": [{"eval_time": f"{time:.0f}s", "alertname": group.alert, "exp_alerts": []}]}
