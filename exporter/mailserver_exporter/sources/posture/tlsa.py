"""TLSA: the certificate that others must see on port 25 (DANE for SMTP, RFC 7672; record: RFC 6698 2)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from mailserver_exporter.sources.posture import der
from mailserver_exporter.sources.posture.answers import Lookup, Verdict, absent, bad, good

TRUST_ANCHOR, END_ENTITY = 2, 3
_HASHES = {1: hashlib.sha256, 2: hashlib.sha512}


def matches(record: tuple[int, int, int, bytes], certificates: Sequence[bytes]) -> bool:
    """Say whether a record is about what is presented (DER, the server's own first); raises ValueError."""
    usage, selector, matching, data = record
    if usage not in (TRUST_ANCHOR, END_ENTITY):
        return False
    for certificate in certificates if usage == TRUST_ANCHOR else certificates[:1]:
        content = certificate if selector == 0 else der.certificate(certificate).key
        if selector in (0, 1) and (content if matching == 0 else _digest(matching, content)) == data:
            return True
    return False


def _digest(matching: int, content: bytes) -> bytes | None:
    kind = _HASHES.get(matching)
    return kind(content).digest() if kind else None


def check(host: str, certificates: Sequence[bytes] | None, validating: bool, lookup: Lookup) -> Verdict:
    """Judge ``_25._tcp.HOST`` against the certificates of port 25, None without an answer. Raises LookupFailed."""
    name = f"_25._tcp.{host}"
    answer = lookup(name, "TLSA")
    if not answer.records:
        return absent(f"no TLSA record at {name}")
    if answer.bogus:
        return absent("not judged while DNSSEC is broken")
    if validating and not answer.authenticated:
        return bad(f"{name} is not signed by DNSSEC, so nobody heeds the TLSA record", "sign the zone, or remove it")
    if all(usage not in (TRUST_ANCHOR, END_ENTITY) for usage, *_ in answer.records):
        return bad(f"{name} has only TLSA usages that SMTP does not know (RFC 7672 3.1.3)", "use 3 1 1")
    if certificates is None:
        return absent("not judged: port 25 shows no certificate")
    try:
        fits = any(matches(record, certificates) for record in answer.records)
        own = der.certificate(certificates[0]).key
    except (ValueError, IndexError) as error:
        return bad(f"the certificate of port 25 cannot be read: {error}")
    if not fits:
        digest = hashlib.sha256(own).hexdigest()
        return bad(f"no TLSA record of {name} matches the certificate of port 25", f"{name}. TLSA 3 1 1 {digest}")
    note = "" if validating else ", as far as a resolver that does not validate can tell"
    return good(f"{len(answer.records)} records, one matches{note}")
