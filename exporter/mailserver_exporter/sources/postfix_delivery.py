"""Count Postfix' deliveries (fact: log_adhoc() in src/global/log_adhoc.c; smtp(8)'s own lines in src/smtp/*.c)."""

from __future__ import annotations

import re

from mailserver_exporter.sources import postfix_tls
from mailserver_exporter.sources.tally import Key, Tally

SERVICES = ("smtp", "lmtp", "local", "virtual", "pipe", "error", "discard", "qmgr", "cleanup")
STATUSES = ("sent", "deferred", "bounced", "SOFTBOUNCE", "deliverable", "undeliverable", "other")
DELAY_STAGES = ("before_queue_manager", "queue_manager", "connection_setup", "transmission")
DELAY_BUCKETS = {
    "0.001": 0.001,
    "0.01": 0.01,
    "0.1": 0.1,
    **{str(seconds): float(seconds) for seconds in (1, 10, 60, 3600, 86400, 172800)},
}
# What remote servers refuse our mail for.
REFUSALS = ("reputation", "authentication", "greylisting", "recipient", "mailbox", "content", "other")
# More pipes than anybody has in master.cf.
MAX_PIPES = 50

# Since Postfix 3.5 an address is logged as in a header (info_log_addr_form): what is strange in it stands in quotes.
ADDRESS = rb'<[^>"\[]*(?:(?:"(?:[^"\\]|\\.)*"|\[[^\]]*\])[^>"\[]*)*>'
_DELAY = rb"(\d{1,12}(?:\.\d{1,6})?)"
_DELIVERY = re.compile(
    rb"to=" + ADDRESS + rb", (?:orig_to=" + ADDRESS + rb", )?relay=([^,]+), (?:conn_use=\d+, )?"
    rb"delay=[\d.]+, delays=" + b"/".join([_DELAY] * 4) + rb", (?:tls=[^ ]+, )?"  # tls: Postfix 3.11
    rb"dsn=(\d\.\d{1,3}\.\d{1,3}), status=(\w+) \("
)
_DELAY_KEYS: dict[str, list[Key]] = {
    service: [(f"postfix_{service}_delivery_delay_seconds", stage) for stage in DELAY_STAGES]
    for service in ("smtp", "lmtp")
}
_STATUSES = {status.encode(): status for status in STATUSES}
_TIMED_OUT = re.compile(rb"to [^ ]+: Connection timed out$")
_UNCOUNTED = frozenset(b"connect SSL_connect certificate table using Host".split())
_UNCOUNTED_ACTIONS = (b"host ", b"lost connection ", b"conversation ", b"enabling ", b"Cannot ", b"breaking ", b"TLS ")
_REFUSED = re.compile(rb"host [^ ]+ (?:said|refused to talk to me): ")
_GREYLISTED = re.compile(rb"gr[ae]y-?list", re.IGNORECASE)
_UNAUTHENTICATED = re.compile(rb"\b(?:spf|dkim|dmarc)\b", re.IGNORECASE)
_BLOCKED = re.compile(
    rb"reputation|blocked|bl(?:ock|ack) ?list|deny ?list|banned|dnsbl|\brbl\b|spamhaus|spamcop|barracuda|unsolicited",
    re.IGNORECASE,
)
# The highest registered detail of each subject (IANA, SMTP Enhanced Status Codes): a remote server may send any number.
_HIGHEST_DETAIL = (0, 10, 4, 6, 7, 6, 10, 30)


def count(service: str, rest: bytes, tally: Tally) -> bool:
    """Count the delivery to one recipient by what follows its queue id; say whether it is one."""
    found = _DELIVERY.match(rest)
    if found is None:
        return False
    relay, *delays, code, status_word = found.groups()
    status = _STATUSES.get(status_word, "other")
    tally["mailserver_postfix_deliveries_total", service, status] += 1
    if service == "smtp":
        tally["postfix_smtp_messages_processed_total", status] += 1
        if status in ("deferred", "bounced"):
            tally[f"postfix_smtp_{status}_messages_by_dsn_total", status_code(code)] += 1
            reply = rest[found.end() :]
            if refused := _REFUSED.match(reply):
                tally["mailserver_postfix_remote_rejections_total", refusal(code, reply[refused.end() :])] += 1
    elif service == "virtual" and status == "sent":
        tally["postfix_virtual_delivered_total",] += 1
    keys = _pipe_keys(relay, tally) if service == "pipe" else _DELAY_KEYS.get(service)
    # As postfix_exporter: a message that is deferred again and again would count its growing age each time.
    if keys is not None and (status != "deferred" or service == "pipe"):
        for key, delay in zip(keys, delays, strict=True):
            tally.histogram(key, DELAY_BUCKETS).add(float(delay))
    return True


def _pipe_keys(relay: bytes, tally: Tally) -> list[Key]:
    name = "postfix_pipe_delivery_delay_seconds"
    keys: list[Key] = [(name, relay.decode("utf-8", "replace"), stage) for stage in DELAY_STAGES]
    if keys[0] not in tally.histograms and sum(key[0] == name for key in tally.histograms) >= MAX_PIPES * len(keys):
        return [(name, "other", stage) for stage in DELAY_STAGES]
    return keys


def count_smtp(first: bytes, rest: bytes, tally: Tally) -> bool:
    """Count a message of smtp(8) by its first word and what follows it; say whether it is one that smtp writes."""
    if rest.startswith(b"to=<"):
        return count("smtp", rest, tally)
    if rest.startswith(b"TLS connection established to "):
        return postfix_tls.count("postfix_smtp_tls_connections_total", first, rest, tally)
    if first == b"connect" and _TIMED_OUT.match(rest):
        tally["postfix_smtp_connection_timed_out_total",] += 1
    return first in _UNCOUNTED or rest.startswith(_UNCOUNTED_ACTIONS)


def status_code(code: bytes) -> str:
    """Return an enhanced status code (RFC 3463) as a label: itself when it is a registered one."""
    kind, subject, detail = map(int, code.split(b"."))
    known = kind in (2, 4, 5) and subject < len(_HIGHEST_DETAIL) and detail <= _HIGHEST_DETAIL[subject]
    return f"{kind}.{subject}.{detail}" if known else "other"


def refusal(code: bytes, reply: bytes) -> str:
    """Say what a remote server refused a message for, by its enhanced status code and the words of its reply."""
    subject = code.split(b".")[1]
    if _GREYLISTED.search(reply):
        return "greylisting"
    if subject in (b"1", b"2"):
        return "recipient" if subject == b"1" else "mailbox"
    if _UNAUTHENTICATED.search(reply) or code[2:] in (b"7.20", b"7.21", b"7.22", b"7.23", b"7.24", b"7.25", b"7.26"):
        return "authentication"
    if subject == b"7" or _BLOCKED.search(reply):
        return "reputation"
    return "content" if subject == b"6" else "other"
