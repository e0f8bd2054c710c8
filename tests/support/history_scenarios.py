"""The scenarios of tests/support/history.py, and what was taken care of in them: backups, updates, limits, alerts."""

# ruff: noqa: E731 - a value over time is an expression; a name tells what it is

from __future__ import annotations

import math
from collections.abc import Callable

from mailserver_exporter.settings.limits import Limit, Limits
from mailserver_exporter.sources import dovecot_log
from tests.support.history_host import (
    ATTACK,
    BLIND,
    CONTAINERS,
    DOWN,
    FIRST_MINUTES,
    INSTANCE,
    JOB,
    LISTED,
    MEMORY_FULL,
    MIB,
    MOUNTS,
    OOM,
    OUT,
    OUTAGE,
    PORTS,
    QUEUE_JAM,
    RESTARTED,
    START,
    UNITS,
    Host,
    containers,
    filesystems,
    machine,
)
from tests.support.history_mail import mail, reachability, security
from tests.support.history_series import DAY, DAYS, END, HOUR, MINUTE, NEVER, Recorder, Span


def record(scenario: str) -> Recorder:
    """Return all series of a scenario; the first thirteen days are the same in each, but for ``first_day``."""
    gaps = scenario == "gaps"
    recorder = Recorder(
        {"instance": INSTANCE, "job": JOB},
        begin=END - FIRST_MINUTES * MINUTE if scenario == "first_day" else END - DAYS * DAY,
        down=DOWN if gaps else NEVER,
        blind=BLIND if gaps else NEVER,
        boots=(DOWN.end,) if gaps else (),
        exporter_starts=() if gaps else (RESTARTED,),
    )
    host = Host(scenario, recorder)
    for part in PARTS:
        part(host)
    return recorder


def care(host: Host) -> None:
    """Backups each night at 02:30, updates, the mail store, units, and the exporter itself."""
    record = host.recorder

    def newest(at: float) -> float:
        made = (at - 1.5 * HOUR) // DAY * DAY + 1.5 * HOUR
        return made - DAY if host.bad and made > START else made

    def copied(at: float) -> float:
        return newest(at) + 600

    of = {"name": "configs"}
    record.gauge("mailserver_backup_available", 1, coarse=True, **of)
    record.gauge("mailserver_backup_kept", 30, coarse=True, **of)
    record.gauge("mailserver_backup_last_timestamp_seconds", newest, **of)
    record.gauge("mailserver_backup_last_success_timestamp_seconds", lambda at: newest(at) + 60, **of)
    record.gauge(
        "mailserver_backup_last_failure_timestamp_seconds",
        lambda at: START + 1800.0 if host.bad and at > START + 1800 else 0.0,
        **of,
    )
    record.gauge("mailserver_backup_last_copy_timestamp_seconds", copied, **of)
    record.gauge("mailserver_backup_last_restore_rehearsal_timestamp_seconds", float(END - 40 * DAY), coarse=True, **of)
    record.gauge("mailserver_backup_last_size_bytes", lambda at: 4.8e6 + newest(at) // DAY % 7 * 1e4, coarse=True, **of)
    record.gauge("mailserver_backup_median_size_bytes", 4.82e6, coarse=True, **of)
    record.gauge("mailserver_backup_readable", 1, coarse=True, **of)
    for part in ("etc.tar.gz", "dns.tar.gz"):
        record.gauge("mailserver_backup_part_present", 1, coarse=True, part=part, **of)
    for result in ("good", "broken", "unfinished", "impossible", "pending"):
        record.gauge("mailserver_backup_check_result", float(result == "good"), coarse=True, result=result, **of)
    pending = lambda at: 3.0 if host.bad and at > START else 0.0
    for kind in ("security", "other", "held"):
        record.gauge("mailserver_updates_pending", pending if kind == "security" else 0, coarse=True, **{"class": kind})
    record.gauge(
        "apt_upgrades_pending", pending, coarse=True, arch="amd64", origin="Debian-Security:12/stable-security"
    )
    record.gauge("apt_upgrades_held", 0, coarse=True, arch="", origin="")
    record.gauge("apt_package_cache_timestamp_seconds", lambda at: at // DAY * DAY, coarse=True)
    waited = lambda at: at - START + 1.6 * DAY if host.bad and at > START else 0.0
    record.gauge("mailserver_security_update_age_seconds", waited, coarse=True)
    record.gauge("node_reboot_required", lambda at: float(host.bad and at > START), coarse=True)
    record.gauge("mailserver_reboot_required_age_seconds", lambda at: waited(at) * 1.8, coarse=True)
    record.gauge("mailserver_kernel_info", 1, coarse=True, installed="6.1.0-30-amd64", running="6.1.0-30-amd64")
    vmail = {"directory": "/var/vmail"}
    for what, value in {
        "exists": 1, "owner_uid": 5000, "owner_gid": 5000, "mode": 750, "mode_correct": 1, "owner_correct": 1,
        "writable": 1, "checked_entries": 81_734, "wrong_owner_entries": 0, "walk_complete": 1,
    }.items():  # fmt: skip
        record.gauge(f"mailserver_vmail_{what}", value, coarse=True, **vmail)
    for unit in UNITS:
        kind = "timer" if unit.endswith(".timer") else "service"
        for state in ("active", "activating", "deactivating", "failed", "inactive"):
            failed = unit == "certbot.timer" and host.bad
            now = lambda at, s=state, f=failed: float(s == ("failed" if f and at > START else "active"))
            of_unit = {"name": unit, "state": state, "type": "" if kind == "timer" else "simple"}
            record.gauge("node_systemd_unit_state", now, coarse=True, **of_unit)
        active = lambda at, u=unit: float(not (host.bad and u == "certbot.timer" and at > START))
        record.gauge("mailserver_systemd_unit_active", active, coarse=True, name=unit)
    record.gauge("node_systemd_system_running", lambda at: float(not (host.bad and at > START)), coarse=True)
    record.gauge(
        "node_systemd_timer_last_trigger_seconds", lambda at: at // DAY * DAY, coarse=True, name="certbot.timer"
    )
    for collector in (
        "cpu",
        "memory",
        "filesystem",
        "containers",
        "queue",
        "logs",
        "ports",
        "dns",
        "backups",
        "updates",
    ):
        failing = host.when(OUTAGE, 0.0, 1.0) if collector == "queue" else 1.0
        record.gauge("mailserver_collector_success", failing, collector=collector)
        record.gauge("mailserver_collector_duration_seconds", 0.002, coarse=True, collector=collector)
        last = lambda at, f=failing: at if not callable(f) or f(at) else OUTAGE.start
        record.gauge("mailserver_collector_last_success_timestamp_seconds", last, coarse=True, collector=collector)
    record.gauge("mailserver_exporter_config_last_reload_successful", 1, coarse=True)
    record.gauge("process_cpu_seconds_total", lambda at: 0.001 * (at - (END - DAYS * DAY)), coarse=True)
    record.gauge("process_resident_memory_bytes", 36.5 * MIB, coarse=True)


def limits(host: Host) -> None:
    """The default limits, as the exporter exports them beside what they limit."""
    plain = Limits()
    keys: dict[str, list[dict[str, str]]] = {
        "filesystem_usage_ratio": [{"mountpoint": mountpoint} for mountpoint in MOUNTS],
        "certificate_remaining_seconds": [{"target": target, "module": module} for target, module in PORTS.items()],
        "roundtrip_duration_seconds": [{"loop": "local"}],
        "roundtrip_failed_ratio": [{"loop": "local"}],
        "bounced_ratio": [{"service": service} for service in ("smtp", "lmtp", "local", "virtual", "pipe")],
        "deferred_ratio": [{"service": service} for service in ("smtp", "lmtp", "local", "virtual", "pipe")],
        "remote_rejections": [{"class": "reputation"}, {"class": "authentication"}],
        "dovecot_errors": [{"class": kind} for kind in dovecot_log.CLASSES],
        "log_silence_seconds": [{"program": "postfix", "source": "container/postfix-mailcow"}],
        **{f"backup_{what}": [{"name": "configs"}] for what in ("age_seconds", "size_ratio", "copy_age_seconds")},
        "backup_rehearsal_age_seconds": [{"name": "configs"}],
        "container_image_age_seconds": [{"name": f"mailcowdockerized-{name}-mailcow-1"} for name in CONTAINERS],
    }
    for name, limit in vars(plain).items():
        assert isinstance(limit, Limit)
        for labels in keys.get(name, [{}]):
            for severity, value in limit.severities():
                host.recorder.gauge(f"mailserver_threshold_{name}", value, coarse=True, severity=severity, **labels)


def alerts(host: Host) -> None:
    """What Prometheus judged: ALERTS, a sample at each time at which an alert fired."""

    def fired(name: str, severity: str, span: Span, /, **labels: str) -> None:
        firing = lambda at: 1.0 if at in span else math.nan
        labels = {"alertname": name, "alertstate": "firing", "severity": severity, **labels}
        host.recorder.gauge("ALERTS", firing, always=True, **labels)

    def both(name: str, warning: Span, critical: Span, /, **labels: str) -> None:
        fired(name, "warning", warning, **labels)
        fired(name, "critical", critical, **labels)

    fired("Watchdog", "none", Span(0, END + 1))
    if host.scenario == "gaps":
        fired("ExporterDown", "critical", Span(DOWN.start + MINUTE, DOWN.end))
    if not host.bad:
        return
    for target in OUT:
        fired("PortDown", "critical", OUTAGE, collector="ports", target=target, module=PORTS[target])
    service = {"project": "mailcowdockerized", "service": "postfix-mailcow"}
    fired("ServiceDown", "critical", OUTAGE, collector="containers", **service)
    fired("QueueUnreadable", "critical", OUTAGE, collector="queue")
    clamd = {"collector": "containers", "name": "mailcowdockerized-clamd-mailcow-1"}
    fired("ContainerOomKilled", "warning", Span(OOM, OOM + 10 * MINUTE), **clamd)
    memory = Span(MEMORY_FULL.start + 2 * MINUTE, MEMORY_FULL.end)
    both("MemoryUsageHigh", memory, memory, collector="memory")
    fired("MemoryPressureHigh", "info", Span(memory.start + 10 * MINUTE, memory.end), collector="system")
    warning, critical = (Span(QUEUE_JAM.start + away * MINUTE, QUEUE_JAM.end - away * MINUTE) for away in (5, 12))
    both("QueueTooLong", warning, critical, collector="queue")
    jam = Span(QUEUE_JAM.start + 8 * MINUTE, QUEUE_JAM.end)
    both("QueueMessageTooOld", jam, jam, collector="queue_messages")
    deferred = Span(QUEUE_JAM.start + 6 * MINUTE, QUEUE_JAM.end + 8 * MINUTE)
    fired("MailDeferralRatioHigh", "warning", deferred, collector="logs", service="smtp")
    full = {"collector": "filesystem", "mountpoint": "/var/vmail"}
    fired("FilesystemWillFill", "warning", Span(START + 7.5 * HOUR, START + 9.5 * HOUR), **full)
    both("FilesystemSpaceLow", Span(START + 9.5 * HOUR, END + 1), Span(START + 20 * HOUR, END + 1), **full)
    attack = Span(ATTACK.start + 15 * MINUTE, ATTACK.end)
    fired("SshAttack", "info", Span(ATTACK.start + 5 * MINUTE, ATTACK.end), collector="logs")
    for name in ("SshAttack", "DovecotLoginFailures", "SaslFailuresSpike"):
        fired(name, "warning", attack, collector="logs")
    listed = {"list": "zen.spamhaus.org", "family": "ipv4"}
    fired("Blocklisted", "warning", LISTED, collector="blocklists", **listed)
    refused = Span(LISTED.start + 25 * MINUTE, END + 1)
    fired("MailRefusedByOthers", "warning", refused, collector="logs", **{"class": "reputation"})
    imap = {"collector": "ports", "target": "127.0.0.1:993", "module": "imap_tls"}
    both("CertificateExpiring", Span(START + 2 * MINUTE, END + 1), Span(START + 2 * MINUTE, END + 1), **imap)
    for name, hours, labels in (
        ("BackupFailed", 0.55, {"collector": "backups", "name": "configs"}),
        ("BackupOld", 2.55, {"collector": "backups", "name": "configs"}),
        ("SystemdUnitFailed", 0.1, {"collector": "systemd", "name": "certbot.timer"}),
        ("RebootRequired", 1.7, {"collector": "updates"}),
        ("SecurityUpdatesWaiting", 9.7, {"collector": "updates"}),
    ):
        fired(name, "warning", Span(START + hours * HOUR, END + 1), **labels)


PARTS: tuple[Callable[[Host], None], ...] = (
    machine, filesystems, containers, mail, security, reachability, care, limits, alerts,
)  # fmt: skip
