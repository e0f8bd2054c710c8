"""What all dashboards have in common: the choice of data source and hosts, and links to each other."""

from __future__ import annotations

from collections.abc import Iterator

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as models

_TAG = "mailserver-exporter"

Panels = Iterator[Builder[models.Panel]]


def board(name: str, title: str, description: str, sections: dict[str, Panels], span: str = "6h") -> builders.Dashboard:
    """Return a dashboard that shows the last ``span`` and has a row for each of the sections."""
    made = (
        builders.Dashboard(title)
        .uid(f"mailserver-{name}")
        .description(description)
        .tags([_TAG])
        .readonly()
        .refresh("30s")
        .time(f"now-{span}", "now")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(
            builders.DashboardLink("Mail server")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags([_TAG])
            .include_vars(True)
            .keep_time(False)
        )
        .with_variable(builders.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(
            builders.QueryVariable("instance")
            .label("Host")
            .datasource(models.DataSourceRef(type_val="prometheus", uid="${datasource}"))
            .query("label_values(mailserver_exporter_build_info, instance)")
            .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(models.VariableSort.ALPHABETICAL_ASC)
            .multi(True)
            .include_all(True)
        )
    )
    for heading, panels in sections.items():
        made = made.with_row(builders.Row(heading))
        for panel in panels:
            made = made.with_panel(panel)
    return made
