"""The picture of a dashboard: variables, legends, units and gaps as in Grafana."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import picture
import picture_data
from picture_data import Series, Source, Span
from picture_panels import draw
from picture_units import text
from tests.support.tools import ROOT

SPAN = Span(1_000_000, 1_000_600)
DASHBOARD = json.loads((ROOT / "grafana" / "dashboards" / "overview.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def course(name: str = "deferred", value: float = 5, *, without: range = range(0)) -> Series:
    points = [(float(when), value) for when in range(1_000_000, 1_000_601, 10) if when - 1_000_000 not in without]
    return Series(name, {}, tuple(points))


def panel(title: str) -> dict[str, Any]:
    return next(panel for panel in PANELS if panel["title"] == title)


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (35, "short", "35"),
        (12_345, "short", "12.3 K"),
        (0.25, "percentunit", "25%"),
        (36.9 * 2**20, "bytes", "36.9 MiB"),
        (2_500_000, "Bps", "2.5 MB/s"),
        (0.025, "s", "25 ms"),
        (0, "s", "0 s"),
        (5400, "s", "1.5 hours"),
        (125, "dtdurations", "2 minutes"),
        (3600, "dtdurations", "1 hour"),
        (89, "suffix:days", "89 days"),
    ],
)
def test_numbers_have_their_unit(value: float, unit: str, shown: str) -> None:
    assert text(value, unit) == shown


def test_an_unknown_unit_is_told() -> None:
    with pytest.raises(LookupError):
        text(1, "parsec")


def test_variables_are_filled_in_as_grafana_does() -> None:
    source = Source("http://127.0.0.1:1", ("mail.example.org", "b"))
    expression = source.filled_in('rate(x{instance=~"$instance"}[$__rate_interval])', SPAN)
    assert expression == r'rate(x{instance=~"(mail\\.example\\.org|b)"}[40s])'
    assert Span(0, 7 * 86_400).rate_interval == 864 + 10


@pytest.mark.parametrize(
    ("legend", "name"), [("{{queue}} x", "deferred x"), ("{{nothing}}", ""), ("", 'up{job="a", queue="deferred"}')]
)
def test_series_are_named_by_the_legend(legend: str, name: str) -> None:
    assert picture_data._name(legend, {"__name__": "up", "queue": "deferred", "job": "a"}) == name


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_every_panel_can_be_drawn_with_hostile_names_and_without_data(panel: dict[str, Any]) -> None:
    value = 1.0 if panel["type"] == "state-timeline" else 5.0
    series = [course('<script>"&', value)] + ([] if panel["type"] == "stat" else [course("limit: critical", value)])
    for given in (series, []):
        drawn = draw(panel, given, SPAN, 400, 200)
        ElementTree.fromstring(f"<div>{drawn}</div>")
        assert "<script>" not in drawn
    assert panel["fieldConfig"]["defaults"].get("noValue", "No data") in drawn


def test_a_limit_is_a_dashed_line_of_its_colour() -> None:
    drawn = draw(panel("Mail queue"), [course(), course("limit: critical", 50)], SPAN, 400, 200)
    [dashed] = [part for part in drawn.split("<path") if "stroke-dasharray" in part]
    assert 'stroke="#f2495c"' in dashed


def test_what_was_not_measured_is_a_gap() -> None:
    whole = draw(panel("Mail queue"), [course()], SPAN, 400, 200)
    broken = draw(panel("Mail queue"), [course(without=range(200, 300))], SPAN, 400, 200)
    assert broken.count("<path") == whole.count("<path") + 2


def test_a_number_has_the_colour_of_its_threshold() -> None:
    for value, color in ((10, "#73bf69"), (11, "#ff9830"), (51, "#f2495c")):
        assert f'fill="{color}"' in draw(panel("Queued messages"), [course(value=value)], SPAN, 400, 200)


def test_states_that_follow_each_other_are_one_bar() -> None:
    series = Series("25", {}, ((1_000_000, 1), (1_000_010, 1), (1_000_020, 0), (1_000_030, 1), (1_000_060, 1)))
    assert draw(panel("Ports"), [series], SPAN, 400, 200).count("<rect") == 4


def test_a_missing_chromium_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="chromium"):
        picture.photograph("", 100, tmp_path / "picture.png")
