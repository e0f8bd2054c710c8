"""Mail on its way: what the logs, the queue and the messages that go around tell of it."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from board import Panels, board
from panels import INSTANCE, YES_IS_BAD, Column, bars, figures, limit, lines, listing, per_minute, states

_PER_MINUTE = "suffix: /min"
_LOOP = {0: ("lost", "red"), 1: ("arrived", "green")}


def mail() -> Dashboard:
    """Return the dashboard."""
    return board(
        "mail",
        "Mail flow",
        "How mail comes in, is delivered, waits and is refused. Dashed lines are the limits of config.yml.",
        {
            "Deliveries": _deliveries(),
            "Coming in": _coming_in(),
            "Logins and mailboxes": _mailboxes(),
            "Round trips": _round_trips(),
            "Queue and ports": _queue(),
        },
    )


def _deliveries() -> Panels:
    yield lines(
        "Deliveries by outcome",
        [(per_minute("mailserver_postfix_deliveries_total", "status"), "{{status}}")],
        "Attempts to deliver to one recipient, by how they ended; what is deferred is tried again.",
        unit=_PER_MINUTE,
        stacked=True,
    )
    yield lines(
        "Deliveries by service",
        [(per_minute("mailserver_postfix_deliveries_total", "service"), "{{service}}")],
        "By the delivery agent: smtp goes out, lmtp, virtual, local and pipe go to mailboxes of this host.",
        unit=_PER_MINUTE,
        stacked=True,
    )
    yield lines(
        "Bounced",
        [(f"instance_service:mailserver_postfix_bounced:ratio_increase1h{{{INSTANCE}}}", "{{service}}")],
        "The share of the deliveries of an hour that were returned to the sender; from 20 deliveries on.",
        unit="percentunit",
        limits=limit("bounced_ratio"),
        maximum=1,
        width=8,
    )
    yield lines(
        "Deferred",
        [(f"instance_service:mailserver_postfix_deferred:ratio_increase15m{{{INSTANCE}}}", "{{service}}")],
        "The share of the attempts of 15 minutes that have to be repeated; from 20 attempts on.",
        unit="percentunit",
        limits=limit("deferred_ratio"),
        maximum=1,
        width=8,
    )
    yield lines(
        "Refused by others",
        [(f"sum by (class) (increase(mailserver_postfix_remote_rejections_total{{{INSTANCE}}}[30m]))", "{{class}}")],
        "Deliveries that remote servers refused within half an hour, by what for. The limits are those of what we can "
        "mend: our reputation, and proof that mail is ours.",
        limits=limit("remote_rejections"),
        width=8,
    )
    for service, title in (("smtp", "to other servers"), ("lmtp", "to mailboxes by LMTP")):
        buckets = f"postfix_{service}_delivery_delay_seconds_bucket{{{INSTANCE}}}"
        yield lines(
            f"Stages of deliveries {title}",
            [(f"histogram_quantile(0.95, sum by (le, stage) (increase({buckets}[10m])))", "{{stage}}")],
            "95 of 100 deliveries within 10 minutes took no longer than this in each stage; before_queue_manager is "
            "the time in which it was received.",
            unit="s",
        )
    deferred = "postfix_smtp_deferred_messages_by_dsn_total"
    bounced = "postfix_smtp_bounced_messages_by_dsn_total"
    for title, counter in (("Deferred by status code", deferred), ("Bounced by status code", bounced)):
        yield bars(
            title,
            f"sort_desc(topk(10, sum by (dsn) ({counter}{{{INSTANCE}}})))",
            "{{dsn}}",
            "Deliveries by SMTP since counting began, by the enhanced status code of RFC 3463.",
            unit="short",
            width=8,
        )
    yield lines(
        "Queue manager",
        [
            (per_minute("postfix_qmgr_messages_removed_total", "instance"), "done"),
            (per_minute("postfix_qmgr_messages_expired_total", "instance"), "given up"),
            (per_minute("postfix_bounce_non_delivery_notification_total", "instance"), "senders told"),
        ],
        "Messages that left the queue, those of them that were too old, and senders who were told of a failure.",
        unit=_PER_MINUTE,
        width=8,
    )


def _coming_in() -> Panels:
    yield lines(
        "Connections",
        [
            (per_minute("postfix_smtpd_connects_total", "instance"), "smtpd"),
            (per_minute("postfix_smtpd_connections_lost_total", "instance"), "dropped by the client"),
            (per_minute("postfix_postscreen_connects_total", "instance"), "postscreen"),
        ],
        "Connections of other servers and of users.",
        unit=_PER_MINUTE,
        width=8,
    )
    yield lines(
        "Messages taken",
        [(per_minute("postfix_smtpd_messages_processed_total", "sasl_method"), "login: {{sasl_method}}")],
        "Messages by the way in which their sender logged in; without a login they come from other servers.",
        unit=_PER_MINUTE,
        stacked=True,
        width=8,
    )
    yield lines(
        "Refused by us",
        [
            (per_minute("postfix_smtpd_messages_rejected_total", "code"), "smtpd {{code}}"),
            (per_minute("postfix_postscreen_messages_rejected_total", "instance"), "postscreen"),
            (per_minute("postfix_cleanup_messages_rejected_total", "instance"), "cleanup"),
            (per_minute("mailserver_postfix_milter_rejects_total", "instance"), "milter"),
        ],
        "Recipients and messages that Postfix, or a milter such as Rspamd, did not take.",
        unit=_PER_MINUTE,
        width=8,
    )


def _mailboxes() -> Panels:
    yield lines(
        "Logins",
        [(per_minute("mailserver_dovecot_logins_total", "protocol"), "{{protocol}}")],
        "Logins at Dovecot that succeeded.",
        unit=_PER_MINUTE,
        stacked=True,
        width=8,
    )
    yield lines(
        "Connections without a login",
        [(per_minute("mailserver_dovecot_login_failures_total", "reason"), "{{reason}}")],
        "Connections to Dovecot that ended without a login; each refused password is an auth_failed.",
        unit=_PER_MINUTE,
        stacked=True,
        width=8,
    )
    yield lines(
        "SMTP logins failed",
        [(f"instance:postfix_smtpd_sasl_authentication_failures:increase15m{{{INSTANCE}}}", "{{instance}}")],
        "Logins that Postfix refused within 15 minutes. An alert tells only of more than four times the usual.",
        limits=limit("sasl_failures"),
        width=8,
    )
    yield lines(
        "Dovecot's errors",
        [(f"sum by (class) (increase(mailserver_dovecot_errors_total{{{INSTANCE}}}[15m]))", "{{class}}")],
        "Messages of the level error and worse within 15 minutes, by what they are about.",
        limits=limit("dovecot_errors"),
    )
    yield lines(
        "Warnings and errors in the logs",
        [
            (per_minute("mailserver_dovecot_messages_total", "level", 'level!="info", '), "Dovecot {{level}}"),
            (per_minute("mailserver_postfix_log_messages_total", "level"), "Postfix {{level}}"),
        ],
        "What Dovecot and Postfix themselves call worth a warning.",
        unit=_PER_MINUTE,
    )


def _round_trips() -> Panels:
    yield states(
        "Messages that go around",
        f"min by (loop) (mailserver_roundtrip_success{{{INSTANCE}}})",
        "{{loop}}",
        "Whether the probe message arrived: local from us to us, out and in with the mailbox elsewhere.",
        words=_LOOP,
        width=8,
    )
    yield lines(
        "Time of a message to ourselves",
        [(f'mailserver_roundtrip_duration_seconds{{loop="local", {INSTANCE}}}', "{{loop}}")],
        "From login to arrival; 0 where it was lost.",
        unit="s",
        limits=limit("roundtrip_duration_seconds"),
        width=8,
    )
    yield lines(
        "Its stages",
        [(f'max by (stage) (mailserver_roundtrip_stage_duration_seconds{{loop="local", {INSTANCE}}})', "{{stage}}")],
        "Where the time goes: connecting, logging in, handing over, delivery, IMAP.",
        unit="s",
        stacked=True,
        width=8,
    )
    yield figures(
        "Last of each loop",
        [
            Column("arrived", f"max by (loop) (mailserver_roundtrip_success{{{INSTANCE}}})", words=_LOOP),
            Column(
                "arrived last",
                f"time() - max by (loop) (mailserver_roundtrip_last_success_timestamp_seconds{{{INSTANCE}}} > 0)",
                unit="dtdurations",
            ),
            Column("as junk", f"max by (loop) (mailserver_roundtrip_in_junk{{{INSTANCE}}})", words=YES_IS_BAD),
            Column("sent", f"sum by (loop) (mailserver_roundtrip_attempts_total{{{INSTANCE}}})"),
            Column("lost", f"sum by (loop) (mailserver_roundtrip_failures_total{{{INSTANCE}}})"),
        ],
        {"loop": "loop"},
        "The newest message of each loop, and how many were sent and lost since the exporter started.",
        width=14,
    )
    yield listing(
        "What the receiver thinks of it",
        f"max by (loop, method, result) (mailserver_roundtrip_authentication{{{INSTANCE}}}) == 1",
        {"loop": "loop", "method": "method", "result": "result"},
        "SPF, DKIM and DMARC of the newest message, as Authentication-Results of the receiving server says.",
        width=10,
        height=8,
    )


def _queue() -> Panels:
    yield lines(
        "Mail queue",
        [(f"postfix_showq_queue_depth{{{INSTANCE}}}", "{{queue}}")],
        "Messages in each of Postfix' queues.",
        limits=limit("queue_messages"),
        width=8,
    )
    yield lines(
        "Oldest message",
        [(f"mailserver_queue_oldest_message_age_seconds{{{INSTANCE}}}", "{{queue}}")],
        "The age of the oldest message in each queue.",
        unit="s",
        limits=limit("queue_oldest_message_age_seconds"),
        width=8,
    )
    yield lines(
        "Phases of a greeting",
        [(f"max by (phase) (mailserver_probe_phase_duration_seconds{{{INSTANCE}}})", "{{phase}}")],
        "The slowest port in each phase of a probe.",
        unit="s",
        width=8,
    )
