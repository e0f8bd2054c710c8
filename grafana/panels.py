"""The few kinds of panels that the dashboards are made of, so that all of them look alike."""

from __future__ import annotations

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as models

DATASOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
INSTANCE = 'instance=~"$instance"'
_RED, _ORANGE, _YELLOW, _GREEN = "red", "orange", "yellow", "green"

Query = tuple[str, str]


def query(expression: str, legend: str, number: int = 0, *, instant: bool = False) -> prometheus.Dataquery:
    """Ask Prometheus; ``legend`` names the series."""
    target = prometheus.Dataquery().expr(expression).legend_format(legend).ref_id("ABCDEFGHIJ"[number])
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


def states(title: str, expression: str, legend: str, description: str, *, width: int = 12) -> statetimeline.Panel:
    """Show over time whether each of several things was up (1) or down (0)."""
    words = models.ValueMap(
        options={
            "0": models.ValueMappingResult(text="down", color=_RED),
            "1": models.ValueMappingResult(text="up", color=_GREEN),
        }
    )
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .height(8)
        .span(width)
        .mappings([words])
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


def listing(title: str, expression: str, columns: dict[str, str], description: str, *, width: int = 24) -> table.Panel:
    """Show labels as a table; ``columns`` maps label names to headings, in their order."""
    return (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .height(6)
        .span(width)
        .no_value("none")
        .with_target(query(expression, "", instant=True).format("table"))
        .with_transformation(
            models.DataTransformerConfig(id_val="filterFieldsByName", options={"include": {"names": list(columns)}})
        )
        .with_transformation(
            models.DataTransformerConfig(
                id_val="organize",
                options={
                    "indexByName": {name: position for position, name in enumerate(columns)},
                    "renameByName": columns,
                },
            )
        )
    )
