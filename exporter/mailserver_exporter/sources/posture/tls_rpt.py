"""TLS-RPT: where others report that TLS to us failed (RFC 8460 3)."""

from __future__ import annotations

from mailserver_exporter.sources.posture import tags
from mailserver_exporter.sources.posture.answers import Lookup, Verdict, absent, bad, good


def check(domain: str, lookup: Lookup) -> Verdict:
    """Judge ``_smtp._tls.DOMAIN``; raises LookupFailed."""
    name = f"_smtp._tls.{domain}"
    records = tags.with_version(lookup(name, "TXT").records, "TLSRPTv1")
    if not records:
        return absent(f"no TLS-RPT record at {name}")
    if len(records) > 1:
        return bad(f"{name} has {len(records)} TLS-RPT records, so none of them counts", "leave one")
    try:
        found = tags.parse(records[0])
    except ValueError as error:
        return bad(f"the TLS-RPT record of {name} is broken: {error}")
    places = [place.strip() for place in found.get("rua", "").split(",") if place.strip()]
    wrong = [place for place in places if not place.lower().startswith(("mailto:", "https://"))]
    if not places or wrong:
        return bad(f"the TLS-RPT record of {name} needs rua=mailto:... or rua=https://...")
    return good(f"reports go to {len(places)} place{'s' if len(places) > 1 else ''}")
