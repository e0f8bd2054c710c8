"""The overview: is the mail server well, and if not, where does it hurt."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard as models

from panels import INSTANCE, bars, lines, listing, number, states


def overview() -> builders.Dashboard:
    """Return the dashboard."""
    board = (
        builders.Dashboard("Mail server overview")
        .uid("mailserver-overview")
        .description("One page that says whether the mail server is well. Dashed lines are the limits of config.yml.")
        .tags(["mailserver-exporter"])
        .readonly()
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
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
    for section in (_now, _mail, _containers, _host, _security):
        board = section(board)
    return board


def _now(board: builders.Dashboard) -> builders.Dashboard:
    firing = f'ALERTS{{alertstate="firing", severity=~"critical|warning", {INSTANCE}}}'
    return (
        board.with_row(builders.Row("Now"))
        .with_panel(
            number("Alerts", f"count({firing}) or vector(0)", "Critical and warning ones that fire.", bad_from=1)
        )
        .with_panel(
            number(
                "Queued messages",
                f"sum(instance:postfix_queue_messages:sum{{{INSTANCE}}})",
                "Messages that Postfix has yet to deliver, those on hold not counted. Coloured at the default limits.",
                poor_from=11,
                bad_from=51,
            )
        )
        .with_panel(
            number(
                "Oldest message",
                f"max(instance:postfix_queue_oldest_message_age_seconds:max{{{INSTANCE}}})",
                "How long the oldest of them has been waiting. Coloured at the default limits.",
                unit="dtdurations",
                poor_from=3600,
                bad_from=4 * 3600,
            )
        )
        .with_panel(
            number(
                "Ports down",
                f"count(probe_success{{{INSTANCE}}} == 0) or 0 * count(probe_success{{{INSTANCE}}})",
                "Ports that do not greet as their protocol demands.",
                bad_from=1,
            )
        )
        .with_panel(
            number(
                "Services down",
                f"count(mailserver_service_up{{{INSTANCE}}} == 0) or 0 * count(mailserver_service_up{{{INSTANCE}}})",
                "Compose services that should run and do not.",
                bad_from=1,
            )
        )
        .with_panel(
            number(
                "First certificate ends in",
                f"floor(min(instance_target_module:probe_ssl_cert_remaining_seconds:min{{{INSTANCE}}}) / 86400)",
                "The time left to the certificate that ends first.",
                unit="suffix:days",
            )
        )
        .with_panel(
            listing(
                "Firing alerts",
                f'ALERTS{{alertstate="firing", severity!="none", {INSTANCE}}}',
                {
                    "instance": "host",
                    "severity": "severity",
                    "alertname": "alert",
                    "mountpoint": "mountpoint",
                    "target": "port",
                    "name": "container",
                    "service": "service",
                    "jail": "jail",
                },
                "What fires now. Its runbook is rules/runbooks/ALERT.md.",
            )
        )
    )


def _mail(board: builders.Dashboard) -> builders.Dashboard:
    return (
        board.with_row(builders.Row("Mail"))
        .with_panel(
            lines(
                "Mail queue",
                [(f"postfix_showq_queue_depth{{{INSTANCE}}}", "{{queue}}")],
                "Messages in each of Postfix' queues.",
                limits=f"mailserver_threshold_queue_messages{{{INSTANCE}}}",
            )
        )
        .with_panel(
            lines(
                "Oldest message",
                [(f"mailserver_queue_oldest_message_age_seconds{{{INSTANCE}}}", "{{queue}}")],
                "The age of the oldest message in each queue.",
                unit="s",
                limits=f"mailserver_threshold_queue_oldest_message_age_seconds{{{INSTANCE}}}",
            )
        )
        .with_panel(
            states(
                "Ports",
                f"min by (target, module) (probe_success{{{INSTANCE}}})",
                "{{target}} {{module}}",
                "Whether each port greets.",
            )
        )
        .with_panel(
            lines(
                "Time until a port greets",
                [(f"max by (target, module) (probe_duration_seconds{{{INSTANCE}}})", "{{target}} {{module}}")],
                "From connecting to the greeting, TLS included where the port begins with it.",
                unit="s",
            )
        )
    )


def _containers(board: builders.Dashboard) -> builders.Dashboard:
    return (
        board.with_row(builders.Row("Containers"))
        .with_panel(
            states(
                "Services",
                f"min by (project, service) (mailserver_service_up{{{INSTANCE}}})",
                "{{service}} ({{project}})",
                "Compose services that should run.",
            )
        )
        .with_panel(
            bars(
                "Memory",
                f"topk(15, container_memory_working_set_bytes{{{INSTANCE}}})",
                "{{name}}",
                "Working set: what the kernel cannot take back at once.",
                unit="bytes",
            )
        )
        .with_panel(
            lines(
                "CPU of containers",
                [
                    (
                        "topk(10, sum by (name) "
                        f'(rate(container_cpu_usage_seconds_total{{cpu="total", {INSTANCE}}}[$__rate_interval])))',
                        "{{name}}",
                    )
                ],
                "CPUs used; 1 is one core.",
                stacked=True,
            )
        )
        .with_panel(
            lines(
                "Restarts",
                [(f"increase(mailserver_container_restarts_total{{{INSTANCE}}}[10m]) > 0", "{{name}}")],
                "How often Docker has restarted a container within ten minutes.",
            )
        )
    )


def _host(board: builders.Dashboard) -> builders.Dashboard:
    outside = 'device!~"lo|veth.*|br-.*|docker.*|ifb.*|dummy.*"'
    return (
        board.with_row(builders.Row("Host"))
        .with_panel(
            lines(
                "CPU",
                [(f"instance:node_cpu_utilisation:ratio{{{INSTANCE}}}", "{{instance}}")],
                "The share of all cores that is busy, averaged over 5 minutes.",
                unit="percentunit",
                limits=f"mailserver_threshold_cpu_usage_ratio{{{INSTANCE}}}",
                maximum=1,
                width=8,
            )
        )
        .with_panel(
            lines(
                "Memory",
                [(f"instance:node_memory_utilisation:ratio{{{INSTANCE}}}", "{{instance}}")],
                "The share that is not available to new programs.",
                unit="percentunit",
                limits=f"mailserver_threshold_memory_usage_ratio{{{INSTANCE}}}",
                maximum=1,
                width=8,
            )
        )
        .with_panel(
            lines(
                "Filesystems",
                [(f"instance_mountpoint:node_filesystem_usage:ratio{{{INSTANCE}}}", "{{mountpoint}}")],
                "Used space as df shows it.",
                unit="percentunit",
                limits=f"max by (severity) (mailserver_threshold_filesystem_usage_ratio{{{INSTANCE}}})",
                maximum=1,
                width=8,
            )
        )
        .with_panel(
            lines(
                "Load per core",
                [(f"instance:node_load5_per_core:ratio{{{INSTANCE}}}", "{{instance}}")],
                "The 5 minute load average divided by the number of cores.",
                limits=f"mailserver_threshold_load_per_core{{{INSTANCE}}}",
                width=8,
            )
        )
        .with_panel(
            lines(
                "Network",
                [
                    (
                        f"rate(node_network_receive_bytes_total{{{outside}, {INSTANCE}}}[$__rate_interval])",
                        "{{device}} in",
                    ),
                    (
                        f"rate(node_network_transmit_bytes_total{{{outside}, {INSTANCE}}}[$__rate_interval])",
                        "{{device}} out",
                    ),
                ],
                "Bytes per second through the interfaces to the outside.",
                unit="Bps",
                width=8,
            )
        )
        .with_panel(
            lines(
                "Programs by CPU",
                [(f"topk(10, mailserver_top_cpu_usage_ratio{{{INSTANCE}}})", "{{process}}")],
                "CPUs used by the programs that use most; 1 is one core.",
                stacked=True,
                width=8,
            )
        )
    )


def _security(board: builders.Dashboard) -> builders.Dashboard:
    return (
        board.with_row(builders.Row("Security"))
        .with_panel(
            lines(
                "Banned now",
                [(f"f2b_jail_banned_current{{{INSTANCE}}}", "{{jail}}")],
                "Addresses that each jail of fail2ban bans at the moment.",
                width=8,
            )
        )
        .with_panel(
            lines(
                "Failed attempts",
                [(f"increase(f2b_jail_failed_total{{{INSTANCE}}}[5m])", "{{jail}}")],
                "Attempts that fail2ban has counted within five minutes.",
                width=8,
            )
        )
        .with_panel(
            bars(
                "Bans in the last 24 hours",
                f"sort_desc(mailserver_fail2ban_bans_24h{{{INSTANCE}}})",
                "{{jail}}",
                "From fail2ban's own database, so a restart of fail2ban loses none.",
                unit="short",
                width=8,
            )
        )
    )
