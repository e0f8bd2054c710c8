"""Postfix' one-line summaries of TLS connections (fact: tls_log_summary() in src/tls/tls_misc.c)."""

from __future__ import annotations

import re

from mailserver_exporter.sources.tally import Key, Tally

# A client chooses among what OpenSSL offers, and there is more of that than anybody wants to see.
MAX_KINDS = 100

_TRUST = (b"Anonymous", b"Untrusted", b"Trusted", b"Verified")
_SUMMARY = re.compile(rb"([\w.]{1,20}) with cipher ([\w-]{1,60}) \((\d{1,4})/(\d{1,4}) bits\)")
_known: dict[tuple[str, bytes, bytes], Key] = {}


def count(name: str, trust: bytes, rest: bytes, tally: Tally) -> bool:
    """Count ``TRUST TLS connection established from CLIENT: TLSv1.3 with cipher ...``; say whether it is one.

    The counter ``name`` has the labels trust, protocol, cipher, secret_bits and algorithm_bits.
    """
    # The client's or server's name and address have no blank in them, nor has the name that the client asked for (SNI).
    summary = rest[rest.find(b": ") + 2 :]
    key = _known.get((name, trust, summary))
    if key is None:
        found = _SUMMARY.match(summary)
        if found is None or trust not in _TRUST:
            return False
        key = (name, trust.decode(), *(part.decode("ascii", "replace") for part in found.groups()))
        if key not in tally and len(tally.of(name)) >= MAX_KINDS:
            key = (name, *["other"] * 5)
        if len(_known) > 10 * MAX_KINDS:
            _known.clear()
        _known[name, trust, summary] = key
    tally[key] += 1
    return True
