"""The dashboards: generated, current, well-formed, and asking only for what exists.

Grafana's own JSON schema is generated from the same definitions as its SDK (both come from grafana-foundation-sdk) but
is in no package, so the SDK's types stand for it: what they do not know gets lost on the way through them and back.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import promql_parser
import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.support.tools import ROOT

FILES = sorted((ROOT / "grafana" / "dashboards").glob("*.json"))
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

# What Grafana needs of a provisioned dashboard beyond what the types say.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["uid", "title", "description", "panels", "templating", "time", "refresh", "schemaVersion", "tags"],
    "not": {"anyOf": [{"required": ["__inputs"]}, {"required": ["__requires"]}]},
    "properties": {
        "uid": {"type": "string", "pattern": "^[a-z0-9-]{1,40}$"},
        "id": {"type": "null"},
        "editable": {"const": False},
        "schemaVersion": {"type": "integer", "minimum": 36},
        "panels": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["id", "type", "title", "gridPos"],
                "properties": {
                    "id": {"type": "integer", "minimum": 1},
                    "gridPos": {
                        "type": "object",
                        "required": ["h", "w", "x", "y"],
                        "additionalProperties": False,
                        "properties": {
                            "h": {"type": "integer", "minimum": 1},
                            "w": {"type": "integer", "minimum": 1, "maximum": 24},
                            "x": {"type": "integer", "minimum": 0, "maximum": 23},
                            "y": {"type": "integer", "minimum": 0},
                            "static": {"type": "boolean"},
                        },
                    },
                },
                "if": {"not": {"properties": {"type": {"const": "row"}}}},
                "then": {"required": ["description", "datasource", "targets"]},
            },
        },
    },
}


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def test_there_is_an_overview_and_a_dashboard_for_each_subject() -> None:
    assert {path.name for path in FILES} == {"overview.json", "mail.json", "security.json", "care.json"}


def test_all_link_to_each_other_and_take_the_chosen_hosts_along() -> None:
    boards = [load(path) for path in FILES]
    assert len({board["uid"] for board in boards}) == len({board["title"] for board in boards}) == len(boards)
    for board in boards:
        [link] = board["links"]
        assert (link["type"], link["tags"], link["includeVars"]) == ("dashboards", board["tags"], True)


def test_the_committed_files_are_what_the_generator_writes() -> None:
    command = [sys.executable, ROOT / "grafana" / "generate.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_is_valid_for_the_schema(path: Path) -> None:
    jsonschema.Draft7Validator(SCHEMA).validate(load(path))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_grafanas_types_know_every_key(path: Path) -> None:
    register_default_plugins()
    content = load(path)
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(content)))
    for link in again["links"]:
        del link["placement"]  # the types give every link one
    assert without_nothing(again) == without_nothing(content)


def without_nothing(value: Any) -> Any:
    """Leave out keys that say nothing: the types drop some of them."""
    if isinstance(value, dict):
        return {k: without_nothing(v) for k, v in value.items() if v not in (None, [], {})}
    if isinstance(value, list):
        return [without_nothing(item) for item in value]
    return value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_panels_have_numbers_of_their_own_and_do_not_overlap(path: Path) -> None:
    panels = load(path)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, f"{panel['title']} overlaps"
        taken |= cells


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_query_is_valid_uses_the_chosen_source_and_host(path: Path) -> None:
    targets = [(panel, target) for panel in load(path)["panels"] for target in panel.get("targets", ())]
    assert len(targets) > 10
    for panel, target in targets:
        assert panel["datasource"] == target["datasource"] == DATASOURCE
        assert '$instance"' in target["expr"], panel["title"]
        promql_parser.parse(target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_rates_are_taken_of_counters_over_the_interval_that_grafana_knows(path: Path) -> None:
    for panel in load(path)["panels"]:
        for target in panel.get("targets", ()):
            for name, window in re.findall(r"rate\((\w+)\{[^}]*\}\[([^]]+)\]", target["expr"]):
                assert name.endswith("_total")
                assert window == "$__rate_interval"
