"""The overview: is the mail server well, and if not, where does it hurt."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Panel

from board import Panels, board
from panels import INSTANCE, bars, limit, lines, listing, number, states


def overview() -> Dashboard:
    """Return the dashboard."""
    return board(
        "overview",
        "Mail server overview",
        "One page that says whether the mail server is well. Dashed lines are the limits of config.yml.",
        {"Now": _now(), "Mail": _mail(), "Containers": _containers(), "Host": _host(), "Security": _security()},
    )


def _now() -> Panels:
    firing = f'ALERTS{{alertstate="firing", severity=~"critical|warning", {INSTANCE}}}'
    yield number("Alerts", f"count({firing}) or vector(0)", "Critical and warning ones that fire.", bad_from=1)
    yield number(
        "Queued messages",
        f"sum(instance:postfix_queue_messages:sum{{{INSTANCE}}})",
        "Messages that Postfix has yet to deliver, those on hold not counted. Coloured at the default limits.",
        poor_from=11,
        bad_from=51,
    )
    yield number(
        "Oldest message",
        f"max(instance:postfix_queue_oldest_message_age_seconds:max{{{INSTANCE}}})",
        "How long the oldest of them has been waiting. Coloured at the default limits.",
        unit="dtdurations",
        poor_from=3600,
        bad_from=4 * 3600,
    )
    yield number(
        "Ports down",
        f"count(probe_success{{{INSTANCE}}} == 0) or 0 * count(probe_success{{{INSTANCE}}})",
        "Ports that do not greet as their protocol demands.",
        bad_from=1,
    )
    yield number(
        "Services down",
        f"count(mailserver_service_up{{{INSTANCE}}} == 0) or 0 * count(mailserver_service_up{{{INSTANCE}}})",
        "Compose services that should run and do not.",
        bad_from=1,
    )
    yield number(
        "First certificate ends in",
        f"floor(min(instance_target_module:probe_ssl_cert_remaining_seconds:min{{{INSTANCE}}}) / 86400)",
        "The time left to the certificate that ends first.",
        unit="suffix:days",
    )
    yield _count(
        "Mail loops broken",
        f"mailserver_roundtrip_success{{{INSTANCE}}}",
        "== 0",
        "Whether a message that is sent around arrives: 0 is good.",
    )
    yield number(
        "Bounced",
        f"max(instance_service:mailserver_postfix_bounced:ratio_increase1h{{{INSTANCE}}})"
        f" or 0 * count(mailserver_postfix_deliveries_total{{{INSTANCE}}})",
        "The share of the last hour's deliveries that bounced, from 20 deliveries on. Coloured at the default limits.",
        unit="percentunit",
        poor_from=0.1,
        bad_from=0.5,
        width=3,
    )
    certificates = "mailserver_certificate_(chain_valid|name_matches|matches_file)"
    yield _count(
        "Certificate problems",
        f'min by (instance, target) ({{__name__=~"{certificates}", {INSTANCE}}})',
        "== 0",
        "Ports whose certificate is not trusted, for another name, or not the one on disk.",
    )
    yield _count(
        "DNS problems",
        f"min by (instance, check, domain) (mailserver_dns_check{{{INSTANCE}}})",
        "< on (instance, check) group_left () max by (instance, check)"
        f' (mailserver_threshold_dns_check{{severity=~"critical|warning", {INSTANCE}}})',
        "Checks of the mail domains that fail.",
    )
    yield _count(
        "On blocklists",
        f"mailserver_blocklist_listed{{{INSTANCE}}}",
        "== 1",
        "Blocklists that name one of our addresses.",
    )
    yield number(
        "Oldest backup",
        f"max(time() - mailserver_backup_last_timestamp_seconds{{{INSTANCE}}})",
        "The age of the newest backup of the set that is worst off. Coloured at the default limits of a daily one.",
        unit="dtdurations",
        poor_from=26 * 3600,
        bad_from=50 * 3600,
        width=3,
    )
    yield number(
        "Security updates",
        f'sum(mailserver_updates_pending{{class="security", {INSTANCE}}})',
        "Installed packages with a hole that an update closes.",
        poor_from=1,
        width=3,
    )
    yield number(
        "Reboot due for",
        f"max(mailserver_reboot_required_age_seconds{{{INSTANCE}}})",
        "The time since an update that needs a reboot, 0 when none does. Coloured at the default limit.",
        unit="dtdurations",
        poor_from=3 * 86400,
        width=3,
    )
    yield listing(
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
            "domain": "domain",
            "check": "check",
            "source": "log",
        },
        "What fires now. Its runbook is rules/runbooks/ALERT.md.",
    )


def _count(title: str, series: str, wrong: str, description: str) -> Builder[Panel]:
    """Count what is wrong: 0 where all is well, nothing where there are no such series."""
    return number(title, f"count(({series}) {wrong}) or 0 * count({series})", description, bad_from=1, width=3)


def _mail() -> Panels:
    yield lines(
        "Mail queue",
        [(f"postfix_showq_queue_depth{{{INSTANCE}}}", "{{queue}}")],
        "Messages in each of Postfix' queues.",
        limits=limit("queue_messages"),
    )
    yield lines(
        "Oldest message",
        [(f"mailserver_queue_oldest_message_age_seconds{{{INSTANCE}}}", "{{queue}}")],
        "The age of the oldest message in each queue.",
        unit="s",
        limits=limit("queue_oldest_message_age_seconds"),
    )
    yield states(
        "Ports",
        f"min by (target, module) (probe_success{{{INSTANCE}}})",
        "{{target}} {{module}}",
        "Whether each port greets.",
    )
    yield lines(
        "Time until a port greets",
        [(f"max by (target, module) (probe_duration_seconds{{{INSTANCE}}})", "{{target}} {{module}}")],
        "From connecting to the greeting, TLS included where the port begins with it.",
        unit="s",
    )


def _containers() -> Panels:
    yield states(
        "Services",
        f"min by (project, service) (mailserver_service_up{{{INSTANCE}}})",
        "{{service}} ({{project}})",
        "Compose services that should run.",
    )
    yield bars(
        "Memory",
        f"topk(15, container_memory_working_set_bytes{{{INSTANCE}}})",
        "{{name}}",
        "Working set: what the kernel cannot take back at once.",
        unit="bytes",
    )
    yield lines(
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
    yield lines(
        "Restarts",
        [(f"increase(mailserver_container_restarts_total{{{INSTANCE}}}[10m]) > 0", "{{name}}")],
        "How often Docker has restarted a container within ten minutes.",
    )


def _host() -> Panels:
    outside = 'device!~"lo|veth.*|br-.*|docker.*|ifb.*|dummy.*"'
    yield lines(
        "CPU",
        [(f"instance:node_cpu_utilisation:ratio{{{INSTANCE}}}", "{{instance}}")],
        "The share of all cores that is busy, averaged over 5 minutes.",
        unit="percentunit",
        limits=limit("cpu_usage_ratio"),
        maximum=1,
        width=8,
    )
    yield lines(
        "Memory",
        [(f"instance:node_memory_utilisation:ratio{{{INSTANCE}}}", "{{instance}}")],
        "The share that is not available to new programs.",
        unit="percentunit",
        limits=limit("memory_usage_ratio"),
        maximum=1,
        width=8,
    )
    yield lines(
        "Filesystems",
        [(f"instance_mountpoint:node_filesystem_usage:ratio{{{INSTANCE}}}", "{{mountpoint}}")],
        "Used space as df shows it.",
        unit="percentunit",
        limits=limit("filesystem_usage_ratio"),
        maximum=1,
        width=8,
    )
    yield lines(
        "Load per core",
        [(f"instance:node_load5_per_core:ratio{{{INSTANCE}}}", "{{instance}}")],
        "The 5 minute load average divided by the number of cores.",
        limits=limit("load_per_core"),
        width=8,
    )
    yield lines(
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
    yield lines(
        "Programs by CPU",
        [(f"topk(10, mailserver_top_cpu_usage_ratio{{{INSTANCE}}})", "{{process}}")],
        "CPUs used by the programs that use most; 1 is one core.",
        stacked=True,
        width=8,
    )


def _security() -> Panels:
    yield lines(
        "Failed logins",
        [
            (f"instance:mailserver_sshd_failures:increase15m{{{INSTANCE}}}", "SSH"),
            (f"instance:postfix_smtpd_sasl_authentication_failures:increase15m{{{INSTANCE}}}", "SMTP"),
            (f"instance:mailserver_dovecot_login_failures:increase15m{{{INSTANCE}}}", "IMAP and POP3"),
        ],
        "Passwords and keys that were refused within 15 minutes.",
        width=6,
    )
    yield lines(
        "Banned now",
        [(f"f2b_jail_banned_current{{{INSTANCE}}}", "{{jail}}")],
        "Addresses that each jail of fail2ban bans at the moment.",
        width=6,
    )
    yield lines(
        "Failed attempts",
        [(f"increase(f2b_jail_failed_total{{{INSTANCE}}}[5m])", "{{jail}}")],
        "Attempts that fail2ban has counted within five minutes.",
        width=6,
    )
    yield bars(
        "Bans in the last 24 hours",
        f"sort_desc(mailserver_fail2ban_bans_24h{{{INSTANCE}}})",
        "{{jail}}",
        "From fail2ban's own database, so a restart of fail2ban loses none.",
        unit="short",
        width=6,
    )
