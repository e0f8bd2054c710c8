"""The few kinds of panels that the dashboards are made of, so that all of them look alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as models

DATASOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
INSTANCE = 'instance=~"$instance"'
_LETTERS = "ABCDEFGHIJ"
_RED, _ORANGE, _YELLOW, _GREEN = "red", "orange", "yellow", "green"

Query = tuple[str, str]
# What a value is called, and in which colour.
Words = Mapping[int, tuple[str, str]]
YES_IS_GOOD: Words = {0: ("no", _RED), 1: ("yes", _GREEN)}
YES_IS_BAD: Words = {0: ("no", _GREEN), 1: ("yes", _RED)}
GOOD: Words = {-1: ("no answer", _ORANGE), 0: ("bad", _RED), 1: ("good", _GREEN)}
LISTED: Words = {-1: ("no answer", _ORANGE), 0: ("not listed", _GREEN), 1: ("listed", _RED)}


def limit(name: str) -> str:
    """Return the query for a limit: the strictest of each severity where several things have one of their own."""
    return f"min by (severity) (mailserver_threshold_{name}{{{INSTANCE}}})"


def per_minute(counter: str, by: str, where: str = "") -> str:
    """Return the query for what a counter counts in a minute by the labels ``by``; ``where`` ends in a comma."""
    return f"60 * sum by ({by}) (rate({counter}{{{where}{INSTANCE}}}[$__rate_interval]))"


def _mapping(words: Words) -> models.ValueMap:
    shown = {str(value): models.ValueMappingResult(text=text, color=color) for value, (text, color) in words.items()}
    return models.ValueMap(options=shown)


def query(expression: str, legend: str, number: int = 0, *, instant: bool = False) -> prometheus.Dataquery:
    """Ask Prometheus; ``legend`` names the series."""
    target = prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(_LETTERS[number])
    target = target.datasource(DATASOURCE)
    return target.instant() if instant else target.range()


def number(
    title: str,
    expression: str,
    description: str,
    *,
    unit: str = "short",
    poor_from: float | None = None,
    bad_from: float | None = None,
    width: int = 4,
) -> stat.Panel:
    """Show one number: green, orange from ``poor_from`` and red from ``bad_from`` on."""
    steps = [models.Threshold(color=_GREEN, value=None)]
    if poor_from is not None:
        steps.append(models.Threshold(color=_ORANGE, value=poor_from))
    if bad_from is not None:
        steps.append(models.Threshold(color=_RED, value=bad_from))
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .height(4)
        .span(width)
        .unit(unit)
        .no_value("not watched")
        .color_mode(kinds.BigValueColorMode.BACKGROUND if bad_from is not None else kinds.BigValueColorMode.VALUE)
        .graph_mode(kinds.BigValueGraphMode.AREA)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps))
        .with_target(query(expression, ""))
    )


def lines(
    title: str,
    queries: list[Query],
    description: str,
    *,
    unit: str = "short",
    limits: str = "",
    width: int = 12,
    stacked: bool = False,
    maximum: float | None = None,
) -> timeseries.Panel:
    """Show courses over time; ``limits`` is the threshold series that is drawn beside them as dashed lines."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .height(8)
        .span(width)
        .unit(unit)
        .min(0)
        .fill_opacity(25 if stacked else 8)
        .line_width(1)
        .show_points(kinds.VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .display_mode(kinds.LegendDisplayMode.LIST)
            .placement(kinds.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI).sort(kinds.SortOrder.DESCENDING))
    )
    if maximum is not None:
        panel = panel.max(maximum)
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL))
    for position, (expression, legend) in enumerate(queries):
        panel = panel.with_target(query(expression, legend, position))
    if limits:
        panel = panel.with_target(query(limits, "limit: {{severity}}", len(queries)))
        for severity, color in (("critical", _RED), ("warning", _ORANGE), ("info", _YELLOW)):
            dashes = {"fill": "dash", "dash": [8, 8]}
            properties = [
                models.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color}),
                models.DynamicConfigValue(id_val="custom.lineStyle", value=dashes),
                models.DynamicConfigValue(id_val="custom.fillOpacity", value=0),
                models.DynamicConfigValue(id_val="custom.stacking", value={"mode": "none", "group": "limits"}),
            ]
            panel = panel.override_by_name(f"limit: {severity}", properties)
    return panel


def states(
    title: str,
    expression: str,
    legend: str,
    description: str,
    *,
    width: int = 12,
    words: Words | None = None,
) -> statetimeline.Panel:
    """Show over time whether each of several things was up (1) or down (0), or what ``words`` call it."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .height(8)
        .span(width)
        .mappings([_mapping(words or {0: ("down", _RED), 1: ("up", _GREEN)})])
        .show_value(kinds.VisibilityMode.NEVER)
        .row_height(0.8)
        .fill_opacity(70)
        .legend(
            common.VizLegendOptions()
            .show_legend(False)
            .display_mode(kinds.LegendDisplayMode.LIST)
            .placement(kinds.LegendPlacement.BOTTOM)
        )
        .with_target(query(expression, legend))
    )


def bars(title: str, expression: str, legend: str, description: str, *, unit: str, width: int = 12) -> bargauge.Panel:
    """Show the newest values of several things as bars, the longest first."""
    return (
        bargauge.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .height(8)
        .span(width)
        .unit(unit)
        .min(0)
        .orientation(kinds.VizOrientation.HORIZONTAL)
        .display_mode(kinds.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(
            builders.ThresholdsConfig()
            .mode(models.ThresholdsMode.ABSOLUTE)
            .steps([models.Threshold(color="blue", value=None)])
        )
        .with_target(query(expression, legend, instant=True))
    )


def listing(
    title: str,
    expressions: str | list[str],
    columns: dict[str, str],
    description: str,
    *,
    width: int = 24,
    height: int = 6,
) -> table.Panel:
    """Show labels as a table; ``columns`` maps label names to headings, in their order.

    With several queries, what agrees in the labels that they share is one row.
    """
    panel = table.Panel().title(title).description(description).datasource(DATASOURCE).height(height).span(width)
    panel = panel.no_value("none")
    asked = [expressions] if isinstance(expressions, str) else expressions
    for place, expression in enumerate(asked):
        panel = panel.with_target(query(expression, "", place, instant=True).format("table"))
    transformations: list[tuple[str, dict[str, object]]] = [
        ("filterFieldsByName", {"include": {"names": list(columns)}}),
        *([("merge", dict[str, object]())] if len(asked) > 1 else []),
        ("organize", {"indexByName": {name: place for place, name in enumerate(columns)}, "renameByName": columns}),
    ]
    for name, options in transformations:
        panel = panel.with_transformation(models.DataTransformerConfig(id_val=name, options=options))
    return panel


@dataclass(frozen=True)
class Column:
    """A column of a table: what a query answers, in a unit or in words."""

    heading: str
    expression: str
    unit: str = ""
    words: Words | None = None


def figures(
    title: str, columns: list[Column], labels: dict[str, str], description: str, *, width: int = 24, height: int = 8
) -> table.Panel:
    """Show one row for each set of ``labels`` (name: heading) and in it what each of several queries says of it."""
    headings = {f"Value #{_LETTERS[place]}" if len(columns) > 1 else "Value": c for place, c in enumerate(columns)}
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .height(height)
        .span(width)
        .no_value("not watched" if len(columns) == 1 else "-")
    )
    for place, column in enumerate(columns):
        panel = panel.with_target(query(column.expression, "", place, instant=True).format("table"))
        properties = [models.DynamicConfigValue(id_val="unit", value=column.unit)] if column.unit else []
        if column.words:
            properties += [
                models.DynamicConfigValue(id_val="mappings", value=[_mapping(column.words)]),
                models.DynamicConfigValue(id_val="custom.cellOptions", value=kinds.TableColorTextCellOptions()),
            ]
        if properties:
            panel = panel.override_by_name(column.heading, properties)
    names = {**labels, **{name: column.heading for name, column in headings.items()}}
    return panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={})).with_transformation(
        models.DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": {"Time": True},
                "indexByName": {name: position for position, name in enumerate(names)},
                "renameByName": names,
            },
        )
    )


def matrix(
    title: str, expression: str, row: str, column: str, description: str, *, words: Words, width: int = 24
) -> table.Panel:
    """Show a value for each pair of two labels, in words."""
    return (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .height(8)
        .span(width)
        .no_value("not watched")
        .mappings([_mapping(words)])
        .cell_options(kinds.TableColorTextCellOptions())
        .thresholds(
            builders.ThresholdsConfig()
            .mode(models.ThresholdsMode.ABSOLUTE)
            .steps([models.Threshold(color="text", value=None)])
        )
        .with_target(query(expression, "", instant=True).format("table"))
        .with_transformation(
            models.DataTransformerConfig(
                id_val="groupingToMatrix",
                options={"rowField": row, "columnField": column, "valueField": "Value", "emptyValue": "empty"},
            )
        )
    )
