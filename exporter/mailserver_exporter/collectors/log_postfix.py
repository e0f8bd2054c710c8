"""Metrics of what Postfix writes to its log; the collector of logs asks for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors.base import thresholds
from mailserver_exporter.settings.limits import Limits
from mailserver_exporter.sources import postfix_delivery, postfix_log, postfix_postscreen, postfix_smtpd
from mailserver_exporter.sources.histogram import Histogram
from mailserver_exporter.sources.postfix_delivery import DELAY_BUCKETS, DELAY_STAGES
from mailserver_exporter.sources.tally import Key, Tally

_RESULTS = ("sent", "deferred", "bounced")
# What delivers; those that only tell of a failure (error, qmgr, cleanup) come when they have something to tell.
_SERVICES = ("smtp", "lmtp", "local", "virtual", "pipe")
_CODES = (
    "421",
    "450",
    "451",
    "452",
    "454",
    "501",
    "502",
    "503",
    "504",
    "521",
    "530",
    "535",
    "550",
    "552",
    "553",
    "554",
)
# For these a remote server refuses us rather than one message, and the limits hold.
_OUR_FAULT = ("reputation", "authentication")


@dataclass(frozen=True)
class _Counter:
    """One family: ``known`` has the values of its labels that are there from the start, each label's by itself."""

    name: str
    help: str
    known: Mapping[str, Sequence[str]] = field(default_factory=dict)


_TLS_LABELS = dict.fromkeys(("trust", "protocol", "cipher", "secret_bits", "algorithm_bits"), ())

_COUNTERS = (
    _Counter(
        "mailserver_postfix_deliveries_total",
        "Deliveries to one recipient each, tried by a delivery agent, by how they ended.",
        {"service": _SERVICES, "status": _RESULTS},
    ),
    _Counter(
        "mailserver_postfix_remote_rejections_total",
        "Deliveries that a remote server refused, also for now only, by what it seems to have refused them for.",
        {"class": postfix_delivery.REFUSALS},
    ),
    _Counter("mailserver_postfix_milter_rejects_total", "Commands and messages that a milter such as Rspamd rejected."),
    _Counter(
        "mailserver_postfix_log_messages_total",
        "Log messages that Postfix marked as at least a warning.",
        {"level": postfix_log.LEVELS},
    ),
    _Counter(
        "postfix_smtp_messages_processed_total", "Deliveries by SMTP to one recipient each.", {"status": _RESULTS}
    ),
    _Counter("postfix_smtp_deferred_messages_by_dsn_total", "Deliveries by SMTP that were deferred.", {"dsn": ()}),
    _Counter("postfix_smtp_bounced_messages_by_dsn_total", "Deliveries by SMTP that bounced.", {"dsn": ()}),
    _Counter("postfix_smtp_connection_timed_out_total", "Outgoing connections that timed out."),
    _Counter("postfix_smtp_tls_connections_total", "Outgoing TLS connections.", _TLS_LABELS),
    _Counter("postfix_virtual_delivered_total", "Messages delivered to a mailbox by virtual(8)."),
    _Counter("postfix_smtpd_connects_total", "Incoming connections."),
    _Counter("postfix_smtpd_disconnects_total", "Incoming connections that ended."),
    _Counter(
        "postfix_smtpd_connections_lost_total",
        "Incoming connections that the client dropped.",
        {"after_stage": postfix_smtpd.STAGES},
    ),
    _Counter(
        "postfix_smtpd_messages_processed_total",
        "Messages begun, by how their sender logged in.",
        {"sasl_method": postfix_smtpd.SASL_METHODS},
    ),
    _Counter("postfix_smtpd_messages_rejected_total", "Recipients rejected before a message began.", {"code": _CODES}),
    _Counter("postfix_smtpd_sasl_authentication_failures_total", "Logins that failed."),
    _Counter("postfix_smtpd_tls_connections_total", "Incoming TLS connections.", _TLS_LABELS),
    _Counter(
        "postfix_smtpd_forward_confirmed_reverse_dns_errors_total",
        "Incoming connections whose host name does not resolve to their address.",
    ),
    _Counter("postfix_cleanup_messages_processed_total", "Messages that cleanup(8) took."),
    _Counter("postfix_cleanup_messages_rejected_total", "Messages that cleanup(8) rejected."),
    _Counter("postfix_qmgr_messages_removed_total", "Messages that left the queue."),
    _Counter("postfix_qmgr_messages_expired_total", "Messages returned because they were too long in the queue."),
    _Counter("postfix_bounce_non_delivery_notification_total", "Senders told that a message was not delivered."),
    _Counter("postfix_postscreen_connects_total", "Connections that postscreen(8) took."),
    _Counter(
        "postfix_postscreen_connects_rejected_total",
        "Connections that postscreen(8) had no room for.",
        {"reason": postfix_postscreen.BUSY},
    ),
    _Counter("postfix_postscreen_passes_total", "Clients that postscreen(8) let pass.", {"type": ("new", "old")}),
    _Counter("postfix_postscreen_messages_rejected_total", "Recipients that postscreen(8) rejected.", {"code": _CODES}),
    _Counter(
        "postfix_postscreen_tests_failed_total",
        "Clients that failed a test of postscreen(8).",
        {"test": postfix_postscreen.TESTS},
    ),
    _Counter("postfix_postscreen_hangups_total", "Clients that hung up on postscreen(8)."),
    _Counter(
        "postfix_postscreen_access_list_matches_total",
        "Clients that postscreen(8) found in its access list.",
        {"action": ("allow", "deny")},
    ),
)


@dataclass(frozen=True)
class _Distribution(_Counter):
    buckets: Mapping[str, float] = field(default_factory=lambda: DELAY_BUCKETS)


_HISTOGRAMS = (
    _Distribution("postfix_smtp_delivery_delay_seconds", "Time of each stage of a delivery.", {"stage": DELAY_STAGES}),
    _Distribution("postfix_lmtp_delivery_delay_seconds", "Time of each stage of a delivery.", {"stage": DELAY_STAGES}),
    _Distribution(
        "postfix_pipe_delivery_delay_seconds",
        "Time of each stage of a delivery by the service of this name in master.cf.",
        {"relay": (), "stage": DELAY_STAGES},
    ),
    _Distribution(
        "postfix_qmgr_messages_inserted_recipients",
        "Recipients of each message that became active.",
        buckets=postfix_log.RECIPIENT_BUCKETS,
    ),
    _Distribution(
        "postfix_qmgr_messages_inserted_size_bytes",
        "Size of each message that became active.",
        buckets=postfix_log.SIZE_BUCKETS,
    ),
    _Distribution(
        "postfix_postscreen_dnsbl_rank",
        "Score that clients had in block lists.",
        buckets=postfix_postscreen.RANK_BUCKETS,
    ),
)


def families(tally: Tally) -> Iterator[Metric]:
    """Yield the metrics of a tally that postfix_log.read() counted, as `grep postfix/ /var/log/mail.log` tells them.

    # HELP postfix_smtp_messages_processed_total Deliveries by SMTP to one recipient each.
    # TYPE postfix_smtp_messages_processed_total counter
    postfix_smtp_messages_processed_total{status="sent"} 412
    postfix_smtp_deferred_messages_by_dsn_total{dsn="4.4.1"} 3
    postfix_smtp_delivery_delay_seconds_bucket{le="0.1",stage="transmission"} 12
    postfix_smtpd_messages_rejected_total{code="554"} 96
    postfix_smtpd_sasl_authentication_failures_total 17
    mailserver_postfix_deliveries_total{service="lmtp",status="sent"} 873
    mailserver_postfix_remote_rejections_total{class="reputation"} 0
    """
    counted: dict[tuple[str, int], dict[Key, float]] = defaultdict(dict)
    for key, value in tally.items():
        counted[key[0], len(key) - 1][key[1:]] = value
    for counter in _COUNTERS:
        family = CounterMetricFamily(counter.name, counter.help, labels=list(counter.known))
        known: dict[Key, float] = dict.fromkeys(product(*counter.known.values()), 0.0)
        # By the number of labels, too: an older version may have counted with others.
        for values, count in {**known, **counted[counter.name, len(counter.known)]}.items():
            family.add_metric(values, count)
        yield family
    for each in _HISTOGRAMS:
        histogram = HistogramMetricFamily(each.name, each.help, labels=list(each.known))
        found = {
            key[1:]: value
            for key, value in tally.histograms.items()
            if key[0] == each.name and len(key) - 1 == len(each.known)
        }
        for values in dict.fromkeys([*product(*each.known.values()), *found]):
            distribution = found.get(values) or Histogram(each.buckets)
            histogram.add_metric(values, distribution.cumulative(), distribution.sum)
        yield histogram


def limits(configured: Limits) -> Iterator[Metric]:
    """Yield the limits of what is counted.

    # HELP mailserver_threshold_bounced_ratio Limit of bounced deliveries per finished one, over an hour.
    # TYPE mailserver_threshold_bounced_ratio gauge
    mailserver_threshold_bounced_ratio{service="smtp",severity="warning"} 0.1
    mailserver_threshold_deferred_ratio{service="smtp",severity="warning"} 0.5
    mailserver_threshold_sasl_failures{severity="warning"} 300
    mailserver_threshold_remote_rejections{class="reputation",severity="warning"} 5
    """
    yield thresholds(
        "bounced_ratio",
        "Limit of bounced deliveries per finished one, over an hour.",
        [({"service": service}, configured.bounced_ratio) for service in _SERVICES],
    )
    yield thresholds(
        "deferred_ratio",
        "Limit of deferred deliveries per tried one, over a quarter of an hour.",
        [({"service": service}, configured.deferred_ratio) for service in _SERVICES],
    )
    yield thresholds(
        "sasl_failures", "Limit of failed SMTP logins in a quarter of an hour.", [({}, configured.sasl_failures)]
    )
    yield thresholds(
        "remote_rejections",
        "Limit of deliveries that remote servers refused us, over half an hour.",
        [({"class": each}, configured.remote_rejections) for each in _OUR_FAULT],
    )
