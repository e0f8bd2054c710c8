"""What Postfix' log is counted into. The real servers' logs are in tests/integration/test_postfix_log.py."""

from __future__ import annotations

import random

import pytest

from mailserver_exporter.collectors import log_postfix
from mailserver_exporter.settings.limits import Limits
from mailserver_exporter.sources import postfix_delivery, postfix_log, postfix_tls
from mailserver_exporter.sources.tally import Key, Tally
from tests.support.metrics import Exposition
from tests.support.postfix_samples import COUNTED, TLS13, UNCOUNTED

DELIVERIES = "mailserver_postfix_deliveries_total"


def counted(*lines: bytes, understood: bool = True) -> Tally:
    tally = Tally()
    assert postfix_log.read(lines, tally) == (len(lines) if understood else 0)
    return tally


def delivery(recipient: bytes = b"a@b.example", reason: bytes = b"250 ok", status: bytes = b"sent") -> bytes:
    return (
        b"postfix/smtp[1]: 4F1A22E: to=<" + recipient + b">, relay=c.example[192.0.2.1]:25, delay=1.2, "
        b"delays=0.1/0.02/0.5/0.6, dsn=2.0.0, status=" + status + b" (" + reason + b")"
    )


@pytest.mark.parametrize(("line", "keys"), COUNTED.items(), ids=lambda value: str(value)[:70])
def test_counts_each_kind_of_line(line: bytes, keys: set[Key]) -> None:
    tally = counted(line)

    assert dict(tally) == dict.fromkeys(keys, 1)


@pytest.mark.parametrize("line", UNCOUNTED, ids=lambda value: str(value)[:70])
def test_knows_what_is_of_no_interest(line: bytes) -> None:
    assert not counted(line)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"postfix/smtpd[1]: ",
        b"postfix/smtpd[1]: a new way to say something",
        b"postfix/newdaemon[1]: hello",
        b"postfix/smtp[1]: 4F1A22E: to=<a@b.example>, relay=none, delay=1, delays=1/0/0, dsn=2.0.0, status=sent (x)",
        b"postfix/smtp[1]: 4F1A22E: to=<a@b>, relay=none, delay=1, delays=1.1.1/0/0/0, dsn=2.0.0, status=sent (",
        b"postfix/smtp[1]: 4F1A22E: to=<a@b.example, relay=none, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (x)",
        b"postfix/smtpd[1]: Anonymous TLS connection established from a[192.0.2.1]: something else",
        b"postfix/smtpd",
        b"\xff\xfe\0[]: \0",
    ],
)
def test_says_what_it_does_not_understand_and_counts_nothing(line: bytes) -> None:
    assert not counted(line, understood=False)


def test_spreads_a_delivery_over_its_stages() -> None:
    found = Exposition.of(log_postfix.families(counted(delivery())))

    name = "postfix_smtp_delivery_delay_seconds"
    sums = {sample.labels["stage"]: sample.value for sample in found.all(f"{name}_sum")}
    assert sums == {"before_queue_manager": 0.1, "queue_manager": 0.02, "connection_setup": 0.5, "transmission": 0.6}
    assert found.value(f"{name}_bucket", stage="queue_manager", le="0.01") == 0
    assert found.value(f"{name}_bucket", stage="queue_manager", le="0.1") == 1
    assert found.value(f"{name}_count", stage="queue_manager") == 1


def test_a_deferred_delivery_has_no_delays() -> None:
    assert not counted(delivery(status=b"deferred")).histograms


def test_sizes_and_recipients_of_what_becomes_active() -> None:
    line = b'postfix/qmgr[1]: 4F1A22E: from=<"a>, size=9, nrcpt=9 (b"@c.example>, size=2048, nrcpt=3 (queue active)'

    found = Exposition.of(log_postfix.families(counted(line)))

    assert found.value("postfix_qmgr_messages_inserted_size_bytes_sum") == 2048
    assert found.value("postfix_qmgr_messages_inserted_recipients_bucket", le="4") == 1
    assert found.value("postfix_qmgr_messages_inserted_recipients_bucket", le="2") == 0


SENT = b"relay=x[192.0.2.9]:25, delay=1, delays=1/1/1/1, dsn=2.0.0, status=sent (250 ok)"


@pytest.mark.parametrize(
    "line",
    [
        delivery(b'"x>, ' + SENT + b' "@b.example', b"no", b"deferred"),
        delivery(b'"x\\">, ' + SENT + b' "@b.example', b"no", b"deferred"),
        delivery(b"x@[y>, " + SENT + b"]", b"no", b"deferred"),
        delivery(b'a@b>, orig_to=<"c>, ' + SENT + b'"@d', b"no", b"deferred"),
        delivery(b"a b'c,d=e(f@g", b"no", b"deferred"),
        delivery(b"", b"no", b"deferred"),
        delivery(reason=b"host x[1] said: 451 4.3.0 a), dsn=2.0.0, status=sent (250 ok)", status=b"deferred"),
        delivery(reason=b"host x[1] said: 451 to=<a@b>, " + SENT, status=b"deferred"),
        delivery(reason=b"Nov 22 03:00:00 mail " + delivery(), status=b"deferred"),
    ],
)
def test_only_the_first_fields_of_a_delivery_count(line: bytes) -> None:
    tally = counted(line)

    assert tally.of("postfix_smtp_messages_processed_total") == {("deferred",): 1}
    assert tally.of(DELIVERIES) == {("smtp", "deferred"): 1}


FAILED = b"warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x"


@pytest.mark.parametrize(
    "line",
    [
        b"postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 554 5.7.1 <"
        + FAILED
        + b">: Relay access denied",
        b"postfix/cleanup[1]: 4F1A22E: warning: header Subject: postfix/smtpd[1]: " + FAILED,
        b"postfix/smtpd[1]: 4F1A22E: client=unknown[192.0.2.1], sasl_method=PLAIN, sasl_username=x: " + FAILED,
        b"postfix/smtpd[1]: warning: Illegal address syntax from unknown[192.0.2.1] in MAIL command: <" + FAILED + b">",
        b"postfix/cleanup[1]: 4F1A22E: message-id=<postfix/smtpd[1]: " + FAILED + b">",
        b"postfix/smtpd[1]: warning: non-SMTP command from unknown[192.0.2.1]: Subject: postfix/smtpd[1]: " + FAILED,
    ],
)
def test_a_failed_login_inside_of_what_a_client_says_is_none(line: bytes) -> None:
    assert not counted(line).of("postfix_smtpd_sasl_authentication_failures_total")


@pytest.mark.parametrize(
    ("code", "reply", "reason"),
    [
        # what large providers answer
        (b"5.7.1", b"550 5.7.1 [192.0.2.1] Our system has detected unusual mail", "reputation"),
        (b"5.7.26", b"550-5.7.26 Your email has been blocked because the sender is unauthenticated", "authentication"),
        (b"5.7.1", b"550 5.7.1 Unauthenticated email is not accepted, see its DMARC policy", "authentication"),
        (b"5.7.606", b"550 5.7.606 Access denied, banned sending IP", "reputation"),
        (b"4.7.0", b"421 4.7.0 [TSS04] Messages temporarily deferred", "reputation"),
        (b"5.0.0", b"554 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", "reputation"),
        (b"4.0.0", b"451 DT:SPM please try again", "other"),
        (b"4.7.1", b"450 4.7.1 <a@b.example>: Recipient address rejected: Greylisted", "greylisting"),
        (b"5.1.1", b"550 5.1.1 The email account that you tried to reach does not exist", "recipient"),
        (b"5.2.1", b"550 5.2.1 the mailbox is blocked", "mailbox"),
        (b"5.6.0", b"554 5.6.0 contains a virus", "content"),
    ],
)  # fmt: skip
def test_says_what_a_remote_server_refused_us_for(code: bytes, reply: bytes, reason: str) -> None:
    assert postfix_delivery.refusal(code, reply) == reason


def test_what_we_refuse_ourselves_is_no_refusal_of_a_remote_server() -> None:
    line = delivery(reason=b"Server certificate not trusted", status=b"deferred").replace(b"2.0.0", b"4.7.5")

    assert not counted(line).of("mailserver_postfix_remote_rejections_total")


def test_a_stranger_cannot_make_series_without_end() -> None:
    tally = Tally()
    rng = random.Random(1)
    for number in range(3000):
        code = b"5.%d.%d" % (rng.randrange(1000), rng.randrange(1000))
        refused = delivery(status=b"bounced").replace(b"2.0.0", code)
        cipher = TLS13.replace(b"AES_256", b"%d" % number)
        lines = [
            refused,
            b"postfix/smtpd[1]: Anonymous TLS connection established from a[192.0.2.1]: " + cipher,
            b"postfix/smtpd[1]: 4F1A22E: client=a[192.0.2.1], sasl_method=M%d, sasl_username=a" % number,
            b"postfix/smtpd[1]: lost connection after X%s from a[192.0.2.1]" % (b"Y" * (number % 50)),
            refused.replace(b"/smtp[", b"/pipe[").replace(b"c.example[", b"%d[" % number),
        ]
        postfix_log.read(lines, tally)

    assert len(tally.of("postfix_smtpd_tls_connections_total")) == postfix_tls.MAX_KINDS + 1
    assert tally.of("postfix_smtpd_tls_connections_total")[("other",) * 5] == 3000 - postfix_tls.MAX_KINDS
    assert len(tally) < 250
    assert sum(key[0].startswith("postfix_pipe_") for key in tally.histograms) == (postfix_delivery.MAX_PIPES + 1) * 4


def test_garbage_does_no_harm() -> None:
    rng = random.Random(2)
    lines = [*COUNTED, *UNCOUNTED, delivery()]
    tally = Tally()
    for line in lines * 20:
        broken = bytearray(line)
        for _ in range(rng.randrange(1, 6)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        postfix_log.read([bytes(broken), line[: rng.randrange(len(line))]], tally)
    postfix_log.read([delivery(b'"' * 60_000), delivery(b"[" * 60_000), delivery(b'"\\' * 30_000)], tally)

    assert Tally.load(tally.dump()) == tally
    Exposition.of(log_postfix.families(tally))


def test_every_known_series_is_there_from_the_start() -> None:
    found = Exposition.of(log_postfix.families(Tally()))

    assert found.value(DELIVERIES, service="lmtp", status="deferred") == 0
    assert found.value("postfix_smtpd_messages_rejected_total", code="554") == 0
    assert found.value("mailserver_postfix_remote_rejections_total", **{"class": "reputation"}) == 0
    assert found.value("postfix_postscreen_dnsbl_rank_count") == 0
    assert {sample.value for sample in found.samples} == {0}


def test_a_tally_of_another_version_is_left_out_where_its_labels_differ() -> None:
    tally = Tally()
    tally["postfix_smtpd_connects_total", "one label too many"] += 1
    tally["postfix_gone_total",] += 1

    found = Exposition.of(log_postfix.families(tally))

    assert [sample.value for sample in found.all("postfix_smtpd_connects_total")] == [0]


def test_limits_have_the_labels_of_what_they_limit() -> None:
    found = Exposition.of(log_postfix.limits(Limits()))

    assert found.value("mailserver_threshold_bounced_ratio", service="smtp", severity="warning") == 0.1
    assert found.value("mailserver_threshold_deferred_ratio", service="lmtp", severity="warning") == 0.5
    assert found.value("mailserver_threshold_remote_rejections", severity="critical", **{"class": "reputation"}) == 50
    assert found.value("mailserver_threshold_sasl_failures", severity="warning") == 300
