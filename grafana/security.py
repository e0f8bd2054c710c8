"""Who tries to get in, who is kept out, and what others see of the certificates and the DNS."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from board import Panels, board
from panels import (
    GOOD,
    INSTANCE,
    LISTED,
    YES_IS_BAD,
    YES_IS_GOOD,
    Column,
    bars,
    figures,
    limit,
    lines,
    listing,
    matrix,
    number,
    per_minute,
)

_PORT = {"target": "port", "module": "probe"}


def security() -> Dashboard:
    """Return the dashboard."""
    return board(
        "security",
        "Mail server security",
        "Attacks and bans, certificates, DNS and blocklists. Dashed lines are the limits of config.yml.",
        {
            "SSH": _ssh(),
            "Logins of users": _users(),
            "Bans": _bans(),
            "Certificates and TLS": _certificates(),
            "DNS and blocklists": _dns(),
        },
        span="24h",
    )


def _ssh() -> Panels:
    yield number(
        "Guessed passwords",
        f"sum(increase(mailserver_sshd_logins_after_failures_total{{{INSTANCE}}}[1d]))",
        "Logins by password within 24 hours from an address of which ten or more passwords had been refused.",
        bad_from=1,
    )
    yield number(
        "Unknown users",
        f"sum(increase(mailserver_sshd_invalid_users_total{{{INSTANCE}}}[1d]))",
        "Connections within 24 hours that named a user who does not exist.",
    )
    yield number(
        "Logins by key",
        f'sum(increase(mailserver_sshd_logins_total{{method="publickey", {INSTANCE}}}[1d]))',
        "Logins by SSH with a key within 24 hours.",
    )
    yield number(
        "Logins by other means",
        f'sum(increase(mailserver_sshd_logins_total{{method!="publickey", {INSTANCE}}}[1d]))',
        "Logins by SSH with a password or otherwise within 24 hours.",
    )
    yield number(
        "Banned now",
        f"sum(f2b_jail_banned_current{{{INSTANCE}}})",
        "Addresses that fail2ban bans at the moment, in all jails.",
    )
    yield number(
        "Known offenders",
        f"sum(mailserver_fail2ban_known_offenders{{{INSTANCE}}})",
        "Addresses that were banned more than once, in all jails.",
    )
    yield lines(
        "Attacks by SSH",
        [(f"instance:mailserver_sshd_failures:increase15m{{{INSTANCE}}}", "{{instance}}")],
        "Failed logins within 15 minutes. An alert tells only of more than four times the usual.",
        limits=limit("sshd_failures"),
        width=8,
    )
    yield lines(
        "Failures by reason",
        [
            (per_minute("mailserver_sshd_failed_passwords_total", "instance"), "password"),
            (per_minute("mailserver_sshd_failures_total", "reason"), "{{reason}}"),
        ],
        "What sshd refused, and connections that ended before a login.",
        unit="suffix: /min",
        width=8,
    )
    yield lines(
        "Logins by method",
        [(f"sum by (method) (increase(mailserver_sshd_logins_total{{{INSTANCE}}}[10m]))", "{{method}}")],
        "Logins within 10 minutes.",
        width=8,
    )


def _users() -> Panels:
    failures = {
        "SMTP": ("instance:postfix_smtpd_sasl_authentication_failures:increase15m", "sasl_failures"),
        "IMAP and POP3": ("instance:mailserver_dovecot_login_failures:increase15m", "dovecot_login_failures"),
        "SOGo": ("instance:mailserver_sogo_login_failures:increase15m", "sogo_login_failures"),
        "mailcow UI": ("instance:mailserver_mailcow_ui_login_failures:increase15m", "mailcow_ui_login_failures"),
    }
    for title, (series, name) in failures.items():
        yield lines(
            f"Refused by {title}",
            [(f"{series}{{{INSTANCE}}}", "{{instance}}")],
            "Refused logins within 15 minutes. An alert tells only of more than four times the usual.",
            limits=limit(name),
            width=6,
        )


def _bans() -> Panels:
    yield lines(
        "Banned now, by level",
        [(f"sum by (level) (mailserver_fail2ban_bans_current{{{INSTANCE}}})", "ban {{level}}")],
        "Addresses that fail2ban bans for the first, second, third time and so on: later bans last longer.",
        stacked=True,
        width=8,
    )
    yield lines(
        "Failures that fail2ban counted",
        [(f"increase(f2b_jail_failed_total{{{INSTANCE}}}[5m])", "{{jail}}")],
        "Within five minutes.",
        width=8,
    )
    yield lines(
        "Netfilter",
        [
            (f"sum(increase(mailserver_mailcow_netfilter_warnings_total{{{INSTANCE}}}[5m]))", "warnings"),
            (f"sum(increase(mailserver_mailcow_netfilter_bans_total{{{INSTANCE}}}[5m]))", "bans"),
            (f"sum(increase(mailserver_mailcow_netfilter_unbans_total{{{INSTANCE}}}[5m]))", "bans that ended"),
            (f"sum(increase(mailserver_mailcow_netfilter_starts_total{{{INSTANCE}}}[5m]))", "starts"),
        ],
        "What mailcow's own guard did within five minutes; each start forgets all bans.",
        width=8,
    )
    longest = f"max by (jail) (mailserver_fail2ban_longest_remaining_ban_seconds{{{INSTANCE}}})"
    yield figures(
        "Jails",
        [
            Column("there", f"min by (jail) (mailserver_fail2ban_jail_present{{{INSTANCE}}})", words=YES_IS_GOOD),
            Column("banned", f"max by (jail) (f2b_jail_banned_current{{{INSTANCE}}})"),
            Column("bans in 24 hours", f"max by (jail) (mailserver_fail2ban_bans_24h{{{INSTANCE}}})"),
            Column("known offenders", f"max by (jail) (mailserver_fail2ban_known_offenders{{{INSTANCE}}})"),
            Column("longest ban lasts", longest, unit="dtdurations"),
        ],
        {"jail": "jail"},
        "From fail2ban and its database, so a restart of fail2ban loses none.",
    )


def _certificates() -> Panels:
    def worst(series: str, word: str = "min", where: str = "") -> str:
        return f"{word} by (target, module) ({series}{{{where}{INSTANCE}}})"

    ends = worst("instance_target_module:probe_ssl_cert_remaining_seconds:min")
    yield figures(
        "Certificates",
        [
            Column("ends in", ends, unit="dtdurations"),
            Column("trusted", worst("mailserver_certificate_chain_valid"), words=YES_IS_GOOD),
            Column("for our name", worst("mailserver_certificate_name_matches"), words=YES_IS_GOOD),
            Column("the one on disk", worst("mailserver_certificate_matches_file"), words=YES_IS_GOOD),
            Column("self-signed", worst("mailserver_certificate_self_signed", "max"), words=YES_IS_BAD),
            Column("key bits", worst("mailserver_certificate_key_bits")),
            Column("TLS 1.1 or older", worst("mailserver_probe_legacy_tls_offered", "max"), words=YES_IS_BAD),
        ],
        _PORT,
        "The certificate that each port shows.",
    )
    yield lines(
        "Certificates end in",
        [(ends, "{{target}} {{module}}")],
        "The time that the certificate of each port has left.",
        unit="s",
        limits=limit("certificate_remaining_seconds"),
        width=8,
    )
    version, cipher = f"probe_tls_version_info{{{INSTANCE}}}", f"probe_tls_cipher_info{{{INSTANCE}}}"
    yield listing(
        "Agreed upon",
        f"max by (target, version, cipher) ({version} * on (instance, target, module) group_left (cipher) {cipher})",
        {"target": "port", "version": "TLS", "cipher": "cipher"},
        "The version of TLS and the cipher that our probe and each port chose.",
        width=8,
        height=8,
    )
    in_clear = worst("mailserver_probe_auth_offered", "max", 'tls="no", ')
    yield figures(
        "Passwords without TLS",
        [Column("invited to", in_clear, words=YES_IS_BAD)],
        _PORT,
        "Whether a port offers AUTH before TLS has begun.",
        width=8,
    )


def _dns() -> Panels:
    check, error = f"mailserver_dns_check{{{INSTANCE}}}", f"mailserver_dns_check_error{{{INSTANCE}}}"
    yield matrix(
        "DNS checks",
        f"min by (domain, check) ({check} or -{error} < 0)",
        "domain",
        "check",
        "What others find in the DNS of the mail domains and the mail host; empty where nothing is offered.",
        words=GOOD,
    )
    listed, error = f"mailserver_blocklist_listed{{{INSTANCE}}}", f"mailserver_blocklist_error{{{INSTANCE}}}"
    yield matrix(
        "Blocklists",
        f"max by (list, family) ({listed} or -{error} < 0)",
        "list",
        "family",
        "Whether a blocklist names one of our addresses.",
        words=LISTED,
        width=8,
    )
    yield listing(
        "Policies",
        [
            f"mailserver_dns_dmarc_info{{{INSTANCE}}}",
            f"mailserver_dns_spf_info{{{INSTANCE}}}",
            f"mailserver_dns_mta_sts_info{{{INSTANCE}}}",
        ],
        {"domain": "domain", "policy": "DMARC policy", "all": "SPF ends in", "mode": "MTA-STS mode"},
        "What the mail domains ask others to do with mail that is not theirs, and with TLS that cannot be trusted.",
        width=8,
        height=8,
    )
    yield bars(
        "SPF lookups",
        f"sort_desc(max by (domain) (mailserver_dns_spf_lookups{{{INSTANCE}}}))",
        "{{domain}}",
        "DNS lookups that the SPF record of each domain needs; with more than 10 it is void.",
        unit="short",
        width=8,
    )
