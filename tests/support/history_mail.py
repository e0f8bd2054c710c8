"""What the mail server of tests/support/history.py did: mail, logins, attackers, ports, round trips and the DNS."""

# ruff: noqa: E731 - a value over time is an expression; a name tells what it is

from __future__ import annotations

import math
from collections.abc import Callable

from mailserver_exporter.sources import dovecot_log, postfix_delivery, postfix_queue, probe, sshd_log
from tests.support.history_host import (
    ATTACK,
    DISK_FULL,
    DOMAIN,
    INSTANCE,
    JAILS,
    LISTED,
    OUT,
    OUTAGE,
    PORTS,
    QUEUE_JAM,
    START,
    Host,
    busy,
    wavering,
)
from tests.support.history_series import DAY, END, HOUR, NEVER, Recorder


def mail(host: Host) -> None:
    """What Postfix and Dovecot logged, and the queue."""
    record = host.recorder
    slow = {"sent": 1.0, "deferred": 0.03, "bounced": 0.012}
    for service, rate in {"smtp": 0.02, "lmtp": 0.03, "local": 0.0001, "virtual": 0.0, "pipe": 0.0}.items():
        for status, share in slow.items():

            def rate_of(at: float, rate: float = rate, share: float = share, jams: bool = service == "smtp") -> float:
                jam = host.when(QUEUE_JAM, 1.0)(at) if jams else 0.0
                return rate * busy(at) * (share if not jam else {1.0: 0.1, 0.03: 2.5, 0.012: 0.02}[share])

            counters = {"service": service, "status": status}
            record.counter("mailserver_postfix_deliveries_total", rate_of, **counters)
            if service == "smtp":
                record.counter("postfix_smtp_messages_processed_total", rate_of, status=status)
    record.counter("postfix_smtp_deferred_messages_by_dsn_total", lambda at: 0.0006 * busy(at))
    record.counter("postfix_smtp_bounced_messages_by_dsn_total", lambda at: 0.00024 * busy(at))
    for what, rate in {
        "postfix_smtpd_connects_total": 0.08,
        "postfix_smtpd_disconnects_total": 0.08,
        "postfix_smtp_tls_connections_total": 0.018,
        "postfix_smtpd_tls_connections_total": 0.06,
        "postfix_cleanup_messages_processed_total": 0.045,
        "postfix_cleanup_messages_rejected_total": 0.0003,
        "postfix_qmgr_messages_removed_total": 0.044,
        "postfix_qmgr_messages_expired_total": 0.00001,
        "postfix_bounce_non_delivery_notification_total": 0.0002,
        "mailserver_postfix_milter_rejects_total": 0.004,
        "postfix_postscreen_connects_total": 0.1,
    }.items():
        record.counter(what, lambda at, rate=rate: rate * (0.3 + busy(at)))
    for method, rate in {"": 0.03, "PLAIN": 0.01, "LOGIN": 0.003}.items():
        record.counter("postfix_smtpd_messages_processed_total", lambda at, r=rate: r * busy(at), sasl_method=method)
    for code, rate in {"450": 0.002, "550": 0.004, "554": 0.012}.items():
        record.counter("postfix_smtpd_messages_rejected_total", lambda at, r=rate: r * (0.5 + busy(at)), code=code)
        record.counter("postfix_postscreen_messages_rejected_total", rate if code == "550" else 0, code=code)
    record.counter("postfix_smtpd_sasl_authentication_failures_total", host.when(ATTACK, 0.4, 0.006))
    for refusal in postfix_delivery.REFUSALS:
        rates = {"reputation": host.when(LISTED, 0.004), "greylisting": lambda at: 0.0003 * busy(at)}
        record.counter("mailserver_postfix_remote_rejections_total", rates.get(refusal, 0.0), **{"class": refusal})
    for level, rate in {"warning": 0.004, "error": 0.0, "fatal": 0.0, "panic": 0.0}.items():
        errors = host.when(OUTAGE, 0.02) if level == "fatal" else rate
        record.counter("mailserver_postfix_log_messages_total", errors, level=level)
    depth = {"active": lambda at: float(int(2.4 * busy(at) * wavering("active", 0.9)(at))), "deferred": _deferred(host)}
    for queue in postfix_queue.STATES:
        record.gauge("postfix_showq_queue_depth", depth.get(queue, 0.0), queue=queue)
        size = depth.get(queue, lambda at: 0.0)
        record.gauge("mailserver_queue_bytes", lambda at, size=size: size(at) * 40_000, coarse=True, queue=queue)
        age = lambda at, size=size: (
            0.0 if not size(at) else host.when(QUEUE_JAM, at - QUEUE_JAM.start + 14_000, 900.0)(at)
        )
        record.gauge("mailserver_queue_oldest_message_age_seconds", age, queue=queue)
    record.gauge("mailserver_queue_listing_complete", 1, coarse=True)
    for protocol in dovecot_log.PROTOCOLS:
        rate = {"imap": 0.06, "submission": 0.01, "pop3": 0.002, "managesieve": 0.0005}.get(protocol, 0.0)
        record.counter("mailserver_dovecot_logins_total", lambda at, r=rate: r * busy(at), protocol=protocol)
    for reason in dovecot_log.REASONS:
        rate = {"auth_failed": host.when(ATTACK, 0.5, 0.004), "no_auth_attempts": lambda at: 0.003}.get(reason, 0.0)
        record.counter("mailserver_dovecot_login_failures_total", rate, reason=reason)
    for kind in dovecot_log.CLASSES:
        rate = host.when(DISK_FULL, 0.002) if kind == "storage_quota" else 0.0
        record.counter("mailserver_dovecot_errors_total", rate, **{"class": kind})
    for level, rate in {"debug": 0.0, "info": 0.2, "warning": 0.0001, "error": 0.0, "fatal": 0.0, "panic": 0.0}.items():
        record.counter("mailserver_dovecot_messages_total", rate, coarse=True, level=level)
    record.counter("mailserver_sogo_login_failures_total", 0.0003)
    record.counter("mailserver_mailcow_ui_login_failures_total", 0.0001)
    for what in ("starts", "bans", "unbans", "warnings"):
        record.counter(f"mailserver_mailcow_netfilter_{what}_total", 0.0 if what == "starts" else 0.0005, coarse=True)
    for program in ("postfix", "dovecot", "sogo", "nginx"):
        source = f"container/{program}-mailcow"
        _log(record, program, source)
    _log(record, "sshd", "journal")


def _deferred(host: Host) -> Callable[[float], float]:
    waver = wavering("deferred", 1.0)

    def depth(at: float) -> float:
        if host.bad and at in QUEUE_JAM:
            share = (at - QUEUE_JAM.start) / (QUEUE_JAM.end - QUEUE_JAM.start)
            return float(int(180 * math.sin(math.pi * share)))
        return float(int(3 * busy(at) * waver(at)))

    return depth


def _log(record: Recorder, program: str, source: str) -> None:
    record.gauge("mailserver_log_source_up", 1, coarse=True, source=source)
    record.counter("mailserver_log_lines_dropped_total", 0, coarse=True, source=source)
    record.counter("mailserver_log_lines_total", lambda at: 0.3 * busy(at), coarse=True, program=program, source=source)
    read = lambda at: 0.3 * busy(at)
    record.counter("mailserver_log_lines_understood_total", read, coarse=True, program=program, source=source)
    last = lambda at: at - 20
    record.gauge("mailserver_log_last_line_timestamp_seconds", last, program=program, source=source)


def security(host: Host) -> None:
    """SSH, fail2ban and the blocklists."""
    record = host.recorder
    attack = host.when(ATTACK, 0.8, 0.012)
    record.counter("mailserver_sshd_failed_passwords_total", attack)
    record.counter("mailserver_sshd_invalid_users_total", lambda at: attack(at) * 0.7)
    record.counter("mailserver_sshd_logins_after_failures_total", 0.0)
    for method in sshd_log.METHODS:
        record.counter("mailserver_sshd_logins_total", 0.00005 if method == "publickey" else 0.0, method=method)
    for reason in sshd_log.REASONS:
        rate = {"abandoned": 0.004, "disconnected": 0.01, "negotiation": 0.0008}.get(reason, 0.0)
        record.counter("mailserver_sshd_failures_total", rate, reason=reason)
    record.gauge("f2b_up", 1, coarse=True)
    record.gauge("f2b_version", 1, coarse=True, exporter="0.6.0", fail2ban="1.0.2")
    record.gauge("f2b_jail_count", len(JAILS), coarse=True)
    for jail, share in JAILS.items():
        more = host.when(ATTACK, 60.0 * share, 0.0)
        banned = lambda at, s=share, more=more: float(int(10 * s * (1 + 0.3 * busy(at)) + more(at)))
        record.gauge("f2b_jail_banned_current", banned, jail=jail)
        record.counter("f2b_jail_banned_total", lambda at, s=share: 0.0006 * s + attack(at) * 0.03 * s, jail=jail)
        record.counter("f2b_jail_failed_total", lambda at, s=share: attack(at) * s, jail=jail)
        record.gauge("f2b_jail_failed_current", lambda at, s=share: float(int(5 * s)), coarse=True, jail=jail)
        record.gauge("f2b_config_jail_ban_time", 3600, coarse=True, jail=jail)
        record.gauge("f2b_config_jail_find_time", 600, coarse=True, jail=jail)
        record.gauge("f2b_config_jail_max_retries", 5, coarse=True, jail=jail)
        day = lambda at, s=share: float(int(40 * s + (150 * s if host.bad and at >= ATTACK.end else 0)))
        record.gauge("mailserver_fail2ban_bans_24h", day, coarse=True, jail=jail)
        for level, part in {"1": 0.7, "2": 0.2, "3": 0.1, "4+": 0.0}.items():
            of = lambda at, p=part, banned=banned: float(int(banned(at) * p))
            record.gauge("mailserver_fail2ban_bans_current", of, coarse=True, jail=jail, level=level)
        record.gauge("mailserver_fail2ban_jail_present", 1, coarse=True, jail=jail)
        record.gauge("mailserver_fail2ban_known_offenders", float(int(30 * share)), coarse=True, jail=jail)
        record.gauge("mailserver_fail2ban_longest_remaining_ban_seconds", 3000, coarse=True, jail=jail)
    for name in ("zen.spamhaus.org", "bl.spamcop.net"):
        of = {"list": name, "family": "ipv4"}
        listed = host.when(LISTED, 1.0) if name.startswith("zen") else 0.0
        record.gauge("mailserver_blocklist_listed", listed, coarse=True, **of)
        record.gauge("mailserver_blocklist_error", 0, coarse=True, **of)
    record.gauge("mailserver_blocklist_last_check_timestamp_seconds", lambda at: at // HOUR * HOUR, coarse=True)


def reachability(host: Host) -> None:
    """Ports, certificates, the round trip and the DNS."""
    record = host.recorder
    for target, module in PORTS.items():
        of = {"target": target, "module": module}
        down = OUTAGE if target in OUT else NEVER
        up = host.when(down, 0, 1)
        record.gauge("probe_success", up, **of)
        record.gauge("probe_duration_seconds", lambda at, t=target: round(0.03 * wavering(t, 0.3)(at), 4), **of)
        for reason in probe.REASONS:
            failed = host.when(down, 1.0) if reason == "connect" else 0.0
            record.gauge("mailserver_probe_failure", failed, coarse=reason != "connect", reason=reason, **of)
        left = 5 if target == "127.0.0.1:993" else 62
        expires = lambda at, left=left: END + (left if host.bad and at > START else 62.0) * DAY
        expiry = lambda at, up=up, expires=expires: expires(at) if up(at) else math.nan
        record.gauge("probe_ssl_earliest_cert_expiry", expiry, **of)
        record.gauge("probe_tls_version_info", 1, coarse=True, version="TLS 1.3", **of)
        for what in ("chain_valid", "name_matches", "matches_file"):
            record.gauge(f"mailserver_certificate_{what}", 1, coarse=True, **of)
        record.gauge("mailserver_certificate_self_signed", 0, coarse=True, **of)
        record.gauge("mailserver_certificate_key_bits", 2048, coarse=True, key_type="rsa", **of)
        record.gauge("mailserver_certificate_not_before_timestamp_seconds", float(END - 28 * DAY), coarse=True, **of)
        record.gauge("mailserver_probe_legacy_tls_offered", 0, coarse=True, **of)
        if module.endswith("_starttls"):
            record.gauge("mailserver_probe_starttls_success", 1, coarse=True, **of)
    loop = {"loop": "local"}
    well = host.when(OUTAGE, 0.0, 1.0)
    record.gauge("mailserver_roundtrip_success", well, **loop)
    record.gauge(
        "mailserver_roundtrip_duration_seconds", lambda at: well(at) * round(0.5 * wavering("loop", 0.3)(at), 3), **loop
    )
    record.counter("mailserver_roundtrip_attempts_total", 1 / 60, **loop)
    record.counter("mailserver_roundtrip_failures_total", host.when(OUTAGE, 1 / 60), **loop)
    record.gauge("mailserver_roundtrip_in_junk", 0, coarse=True, **loop)
    record.gauge(
        "mailserver_roundtrip_last_success_timestamp_seconds", lambda at: OUTAGE.start if not well(at) else at, **loop
    )
    for stage in ("smtp_connect", "smtp_auth", "smtp_data", "delivery", "imap_connect", "imap_auth"):
        failed = host.when(OUTAGE, 1.0) if stage == "smtp_connect" else 0.0
        record.gauge("mailserver_roundtrip_failure", failed, coarse=True, stage=stage, **loop)
    for check in ("mx", "spf", "dkim", "dmarc"):
        record.gauge("mailserver_dns_check", 1, coarse=True, check=check, domain=DOMAIN)
        record.gauge("mailserver_dns_check_error", 0, coarse=True, check=check, domain=DOMAIN)
    for check in ("a", "ptr"):
        good = host.when(LISTED, 0.0, 1.0) if check == "ptr" else 1.0
        record.gauge("mailserver_dns_check", good, coarse=True, check=check, domain=INSTANCE)
        record.gauge("mailserver_dns_check_error", 0, coarse=True, check=check, domain=INSTANCE)
    record.gauge("mailserver_dns_dkim_key_bits", 2048, coarse=True, domain=DOMAIN, selector="dkim", type="rsa")
    record.gauge("mailserver_dns_dmarc_info", 1, coarse=True, domain=DOMAIN, policy="reject")
    record.gauge("mailserver_dns_spf_info", 1, coarse=True, domain=DOMAIN, all="-all")
    record.gauge("mailserver_dns_spf_lookups", 4, coarse=True, domain=DOMAIN)
    record.gauge("mailserver_dns_last_check_timestamp_seconds", lambda at: at // HOUR * HOUR, coarse=True)
