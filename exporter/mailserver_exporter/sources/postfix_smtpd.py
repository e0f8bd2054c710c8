"""Count what Postfix' smtpd(8) writes to its log (facts: src/smtpd/smtpd.c, smtpd_check.c, smtpd_sasl_glue.c)."""

from __future__ import annotations

import re

from mailserver_exporter.sources import postfix_tls
from mailserver_exporter.sources.tally import Key, Tally

SASL_METHODS = (
    *("NONE", "PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER"),
    *("EXTERNAL", "GSSAPI", "NTLM", "ANONYMOUS", "other"),
)
# Where in the dialog a client was, src/smtpd/smtpd.h.
STAGES = (
    *("CONNECT", "HELO", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "BDAT", "END-OF-MESSAGE", "RSET", "NOOP"),
    *("VRFY", "ETRN", "QUIT", "HELP", "XCLIENT", "XFORWARD", "UNKNOWN", "other"),
)

_CONNECTIONS: dict[bytes, Key] = {
    b"connect": ("postfix_smtpd_connects_total",),
    b"disconnect": ("postfix_smtpd_disconnects_total",),
}
# A client is NAME[ADDRESS] and has no blank in it: Postfix takes only valid names from the DNS.
_CLIENT = re.compile(rb"client=[^ ,]+(?:, sasl_method=([^ ,]+))?")
_REJECTED = re.compile(rb"reject: RCPT from [^ ]+: ([45]\d\d) ")
_LOST = re.compile(rb"(?:lost )?connection after ([A-Z-]+)(?: \(\d+ bytes\))? from ")  # without "lost": it came before
_SASL_FAILED = re.compile(rb"[^ ]+: SASL [^ ]+ authentication failed: ")
_WRONG_NAME = re.compile(rb"hostname [^ ]+ does not resolve to address ")
_UNCOUNTED = frozenset(b"timeout too improper table setting SSL_accept discarding using sasl_exceptions:".split())
_UNCOUNTED_ACTIONS = (
    *(b"reject: ", b"reject_warning: ", b"filter: ", b"warn: ", b"info: ", b"hold: ", b"discard: ", b"redirect: "),
    *(b"prepend: ", b"bcc: ", b"delay: ", b"permit: ", b"milter-", b"proxy-", b"abort: ", b"timeout ", b"too many "),
)


def count(first: bytes, rest: bytes, tally: Tally) -> bool:
    """Count a message by its first word and what follows it; say whether it is one that smtpd is known to write."""
    key = _CONNECTIONS.get(first)
    if key is not None:
        tally[key] += 1
    elif first == b"warning:":
        _count_warning(rest, tally)
    elif client := _CLIENT.match(rest):
        method = client[1].decode("ascii", "replace").upper() if client[1] else "NONE"
        tally["postfix_smtpd_messages_processed_total", method if method in SASL_METHODS else "other"] += 1
    elif first == b"NOQUEUE:" and (rejected := _REJECTED.match(rest)):
        tally["postfix_smtpd_messages_rejected_total", rejected[1].decode()] += 1
    elif rest.startswith(b"milter-reject: "):
        tally["mailserver_postfix_milter_rejects_total",] += 1
    elif rest.startswith(b"TLS connection established from "):
        return postfix_tls.count("postfix_smtpd_tls_connections_total", first, rest, tally)
    elif lost := _LOST.match(rest):
        stage = lost[1].decode()
        tally["postfix_smtpd_connections_lost_total", stage if stage in STAGES else "other"] += 1
    else:
        return first in _UNCOUNTED or rest.startswith(_UNCOUNTED_ACTIONS)
    return True


def _count_warning(rest: bytes, tally: Tally) -> None:
    if _SASL_FAILED.match(rest):
        tally["postfix_smtpd_sasl_authentication_failures_total",] += 1
    elif _WRONG_NAME.match(rest):
        tally["postfix_smtpd_forward_confirmed_reverse_dns_errors_total",] += 1
