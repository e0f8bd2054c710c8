"""Count what Postfix' postscreen(8) writes to its log (facts: src/postscreen/*.c)."""

from __future__ import annotations

import re

from mailserver_exporter.sources.tally import Key, Tally

BUSY = ("too many connections", "all screening ports busy", "all server ports busy", "other")
TESTS = (
    *("PREGREET", "NON_SMTP_COMMAND", "COMMAND_PIPELINING", "COMMAND_TIME_LIMIT", "COMMAND_COUNT_LIMIT"),
    *("COMMAND_LENGTH_LIMIT", "BARE_NEWLINE"),
)
RANK_BUCKETS = {str(rank): float(rank) for rank in (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15)}

_PLAIN: dict[bytes, Key] = {
    b"CONNECT": ("postfix_postscreen_connects_total",),
    b"HANGUP": ("postfix_postscreen_hangups_total",),
    # The first of each pair is Postfix 3.6 and newer, unless respectful_logging is off.
    b"ALLOWLISTED": ("postfix_postscreen_access_list_matches_total", "allow"),
    b"WHITELISTED": ("postfix_postscreen_access_list_matches_total", "allow"),
    b"DENYLISTED": ("postfix_postscreen_access_list_matches_total", "deny"),
    b"BLACKLISTED": ("postfix_postscreen_access_list_matches_total", "deny"),
}
_PASSED = {b"NEW": "new", b"OLD": "old"}
_RANK = re.compile(rb"rank (\d{1,6}) for ")
_BUSY = re.compile(rb"(?:reject: )?(?:CONNECT|connect) from [^ ]+: (.+)")
_REJECTED = re.compile(rb"reject: RCPT from [^ ]+: ([45]\d\d) ")
_TEST = re.compile(rb"(PREGREET|NON-SMTP COMMAND|COMMAND (?:PIPELINING|(?:TIME|COUNT|LENGTH) LIMIT)|BARE NEWLINE) ")
_UNCOUNTED = frozenset(b"DISCONNECT ALLOWLIST WHITELIST skip DATA BDAT table using entering cache".split())


def count(first: bytes, rest: bytes, tally: Tally) -> bool:
    """Count a message by its first word and what follows it; say whether it is one that postscreen writes."""
    key = _PLAIN.get(first)
    if key is not None:
        tally[key] += 1
    elif first == b"PASS" and rest[:3] in _PASSED:
        tally["postfix_postscreen_passes_total", _PASSED[rest[:3]]] += 1
    elif first == b"DNSBL" and (rank := _RANK.match(rest)):
        tally.histogram(("postfix_postscreen_dnsbl_rank",), RANK_BUCKETS).add(int(rank[1]))
    elif first in (b"NOQUEUE:", b"reject:"):
        return _count_reject(rest, tally)
    elif test := _TEST.match(first + b" " + rest):
        tally["postfix_postscreen_tests_failed_total", re.sub("[- ]", "_", test[1].decode())] += 1
    else:
        return first in _UNCOUNTED
    return True


def _count_reject(rest: bytes, tally: Tally) -> bool:
    if rejected := _REJECTED.match(rest):
        tally["postfix_postscreen_messages_rejected_total", rejected[1].decode()] += 1
    elif busy := _BUSY.match(rest):
        reason = busy[1].decode("ascii", "replace")
        tally["postfix_postscreen_connects_rejected_total", reason if reason in BUSY else "other"] += 1
    return True
