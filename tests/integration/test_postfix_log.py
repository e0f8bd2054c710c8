"""The logs of real servers of four Postfix versions, and what postfix_exporter makes of the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from mailserver_exporter.collectors import log_postfix
from mailserver_exporter.sources import postfix_log, syslog
from mailserver_exporter.sources.tally import Key, Tally
from tests.support.metrics import Exposition
from tests.support.postfix_exporter import PostfixExporter
from tests.support.postfix_releases import RELEASES
from tests.support.postfix_samples import COUNTED, UNCOUNTED
from tests.support.postfix_scene import PostfixScene

TLS13 = ("TLSv1.3", "TLS_AES_256_GCM_SHA384", "256", "256")

# What happens in the scene, whatever the version that logs it.
HAPPENED: Mapping[Key, float] = {
    ("mailserver_postfix_deliveries_total", "lmtp", "sent"): 5,
    ("mailserver_postfix_deliveries_total", "pipe", "sent"): 1,
    ("mailserver_postfix_deliveries_total", "virtual", "sent"): 1,
    ("mailserver_postfix_deliveries_total", "smtp", "sent"): 1,
    ("mailserver_postfix_deliveries_total", "smtp", "bounced"): 3,
    ("mailserver_postfix_deliveries_total", "smtp", "deferred"): 6,
    ("mailserver_postfix_remote_rejections_total", "reputation"): 1,
    ("mailserver_postfix_remote_rejections_total", "authentication"): 1,
    ("mailserver_postfix_remote_rejections_total", "greylisting"): 1,
    ("mailserver_postfix_remote_rejections_total", "recipient"): 1,
    ("mailserver_postfix_remote_rejections_total", "mailbox"): 1,
    ("mailserver_postfix_remote_rejections_total", "other"): 2,
    ("postfix_smtp_messages_processed_total", "sent"): 1,
    ("postfix_smtp_messages_processed_total", "bounced"): 3,
    ("postfix_smtp_messages_processed_total", "deferred"): 6,
    ("postfix_smtp_bounced_messages_by_dsn_total", "5.1.1"): 1,
    ("postfix_smtp_bounced_messages_by_dsn_total", "5.7.1"): 1,
    ("postfix_smtp_bounced_messages_by_dsn_total", "5.7.26"): 1,
    ("postfix_smtp_deferred_messages_by_dsn_total", "4.2.2"): 1,
    ("postfix_smtp_deferred_messages_by_dsn_total", "4.3.0"): 1,
    ("postfix_smtp_deferred_messages_by_dsn_total", "4.4.1"): 2,
    ("postfix_smtp_deferred_messages_by_dsn_total", "4.7.1"): 1,
    ("postfix_smtp_deferred_messages_by_dsn_total", "other"): 1,
    ("postfix_virtual_delivered_total",): 1,
    ("postfix_bounce_non_delivery_notification_total",): 3,
    ("postfix_cleanup_messages_processed_total",): 18,
    ("postfix_cleanup_messages_rejected_total",): 1,
    ("postfix_qmgr_messages_removed_total",): 11,
    ("postfix_smtpd_messages_processed_total", "NONE"): 16,
    ("postfix_smtpd_messages_rejected_total", "554"): 1,
    ("postfix_smtpd_sasl_authentication_failures_total",): 6,
    ("postfix_smtpd_tls_connections_total", "Anonymous", *TLS13): 14,
    ("postfix_smtpd_connections_lost_total", "MAIL"): 1,
    ("postfix_smtpd_connections_lost_total", "DATA"): 1,
    ("postfix_postscreen_connects_total",): 3,
    ("postfix_postscreen_passes_total", "new"): 2,
    ("postfix_postscreen_tests_failed_total", "PREGREET"): 1,
    ("postfix_postscreen_access_list_matches_total", "deny"): 1,
}
# How often the tests' own clients connect and whether smtp opens a connection anew is a matter of timing.
VARIABLE = {
    "mailserver_postfix_log_messages_total",
    "postfix_smtpd_connects_total",
    "postfix_smtpd_disconnects_total",
    "postfix_smtp_tls_connections_total",
}

# What postfix_exporter 0.19 shows and we do not, and why.
THEIRS_ALONE = {
    r"postfix_(up|showq_|exporter_build_info)|go_|process_|promhttp_": "about itself; the queue has a collector",
    r"postfix_unsupported_log_entries_total": "mailserver_log_lines_understood_total tells it",
    r"postfix_smtp_status_deferred|postfix_smtp_deferred_messages_total": (
        "postfix_smtp_messages_processed_total has it; the first is a counter that is not named as one, the second 0"
    ),
    r"postfix_cleanup_messages_not_accepted_total": "never counted by anything",
    r"postfix_qmgr_messages_inserted_receipients": "an older misspelling of postfix_qmgr_messages_inserted_recipients",
    r"postfix_smtp_delivery_delay_seconds": (
        "all four stages in one series, because the label is empty, and with what was deferred, which upstream left out"
    ),
    r"postfix_smtp_deferred_messages_by_dsn_total.dsn=4.999.99": "any remote server could make series without end",
    r"postfix_smtpd_messages_processed_total.sasl_method=(xoauth2|NEW-WAY)": "written as it is registered, or other",
    r"postfix_smtpd_connections_lost_total.after_stage=SOMETHING": "what is not known is other",
}
# What we show and postfix_exporter 0.19 does not.
OURS_ALONE = {
    r"mailserver_": "our own",
    r"postfix_postscreen_": "of postfix_exporter 0.20",
    r"postfix_smtp_delivery_delay_seconds": "see there",
    r"postfix_smtp_deferred_messages_by_dsn_total.dsn=other": "see there",
    r"postfix_smtpd_messages_processed_total.sasl_method=(XOAUTH2|other)": "see there",
    r"postfix_smtpd_connections_lost_total.after_stage=(DATA|END-OF-MESSAGE|other)": (
        "it does not expect a hyphen, the number of bytes, or a queue id there"
    ),
    r"postfix_smtp_messages_processed_total.status=SOFTBOUNCE": "of postfix-out, an instance it does not know",
}
# What both show, and in how many lines that postfix_exporter does not count: when the client had asked for a name.
MORE = {
    "postfix_smtpd_tls_connections_total{algorithm_bits=256,cipher=TLS_AES_256_GCM_SHA384,protocol=TLSv1.3,"
    "secret_bits=256,trust=Anonymous}": 1
}


def read(log: bytes) -> tuple[Tally, list[bytes]]:
    """Return what a log is counted into, and the lines that were not understood."""
    tally = Tally()
    strange = [line for line in syslog.bodies(log.splitlines()) if not postfix_log.read([line], tally)]
    return tally, strange


@pytest.mark.parametrize("release", RELEASES)
def test_counts_what_a_real_postfix_logs(release: str, tmp_path: Path) -> None:
    tally, strange = read(PostfixScene(tmp_path, release).play())

    assert strange == []
    # The start of the tests' server looks whether the port answers.
    tally.pop(("postfix_smtpd_connections_lost_total", "CONNECT"), None)
    tally.pop(("postfix_smtpd_connections_lost_total", "EHLO"), None)
    assert {key: value for key, value in tally.items() if key[0] not in VARIABLE} == HAPPENED
    assert tally["postfix_smtpd_connects_total",] == tally["postfix_smtpd_disconnects_total",] > 0
    assert sum(tally.of("postfix_smtp_tls_connections_total").values()) > 0


def series(found: Exposition, alone: Iterable[str]) -> dict[str, float]:
    """Return the values by name and labels; what is 0 may as well not be there."""
    left_out = re.compile("|".join(alone))
    shown = {
        f"{s.name}{{{','.join(f'{name}={value}' for name, value in sorted(s.labels.items()))}}}": s.value
        for s in found.samples
        if s.value and not s.name.endswith("_created")
    }
    return {name: value for name, value in shown.items() if not left_out.match(name)}


def test_counts_what_postfix_exporter_counts(tmp_path: Path) -> None:
    # Without the forgeries, which it falls for, and with what takes too long to bring about.
    honest = [line for line in PostfixScene(tmp_path).play().splitlines(keepends=True) if b"forged" not in line]
    samples = [b"Nov 22 03:00:00 mail " + line + b"\n" for line in (*COUNTED, *UNCOUNTED)]
    log = b"".join([*honest, *samples])

    with PostfixExporter(tmp_path) as peer:
        theirs = series(peer.feed(log), THEIRS_ALONE)
    tally, strange = read(log)
    ours = series(Exposition.of(log_postfix.families(tally)), OURS_ALONE)

    assert strange == []
    for name, more in MORE.items():
        theirs[name] += more
    names = {*ours, *theirs}
    assert {n: (ours.get(n), theirs.get(n)) for n in names if ours.get(n) != pytest.approx(theirs.get(n))} == {}
