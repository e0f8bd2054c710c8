"""DNSSEC: what is signed must verify, for otherwise nobody with a validating resolver finds us (RFC 4035)."""

from __future__ import annotations

from collections.abc import Iterable

from mailserver_exporter.sources.posture.answers import Answer, Lookup, Verdict, absent, bad, good


def validates(lookup: Lookup) -> bool:
    """Say whether the resolver validates: the root, which is signed, must come authenticated. Raises LookupFailed."""
    return lookup(".", "SOA").authenticated


def check(domain: str, seen: Iterable[Answer], validating: bool, lookup: Lookup) -> Verdict:
    """Judge a domain by its own records and by all answers ``seen`` below it; raises LookupFailed."""
    own = lookup(domain, "SOA")
    if own.bogus or any(answer.bogus for answer in seen):
        return bad(
            f"DNSSEC of {domain} is broken: validating resolvers refuse its records",
            f"look for an expired signature or a DS record of an old key: delv {domain} SOA",
        )
    if own.authenticated:
        return good("signed, and the signatures verify")
    signed = bool(lookup(domain, "DS").records)
    if not validating:
        return absent("the resolver does not validate" + (f", {domain} is signed" if signed else ""))
    if signed:
        return bad(f"{domain} has a DS record, but its answers do not come authenticated")
    return absent(f"{domain} is not signed")
