"""Every recommended action has a rule, and every rule a test that knows it by name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver_exporter.report import sections

TESTS = "".join(file.read_text(encoding="utf-8") for file in sorted(Path(__file__).parent.glob("test_report_*.py")))


def rules() -> Iterator[str]:
    """Yield the rule of each action that the sections' modules make, where it is not made from something else."""
    for file in Path(sections.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Action":
                rule = node.args[3] if len(node.args) > 3 else next(k.value for k in node.keywords if k.arg == "rule")
                if isinstance(rule, ast.Constant):
                    yield str(rule.value)


@pytest.mark.parametrize("rule", sorted(set(rules())))
def test_each_rule_is_tested_by_its_name(rule: str) -> None:
    assert f'"{rule}"' in TESTS
