"""CAA: which authorities may issue certificates for the mail host (RFC 8659 3, 4.2)."""

from __future__ import annotations

from collections.abc import Sequence

from mailserver_exporter.sources.posture.answers import Lookup, Verdict, absent, bad, good, shown

# By a word of the issuer's organization, what the authority calls itself in CAA (from the authorities' own pages).
_AUTHORITIES = {
    "let's encrypt": ("letsencrypt.org",),
    "internet security research group": ("letsencrypt.org",),
    "zerossl": ("sectigo.com", "zerossl.com"),
    "sectigo": ("sectigo.com", "comodoca.com", "comodo.com", "usertrust.com", "trust-provider.com"),
    "google trust services": ("pki.goog",),
    "buypass": ("buypass.com", "buypass.no"),
    "digicert": ("digicert.com", "www.digicert.com", "digicert.ne.jp", "thawte.com", "geotrust.com", "rapidssl.com"),
    "ssl corp": ("ssl.com",),
    "globalsign": ("globalsign.com",),
    "actalis": ("actalis.it",),
    "harica": ("harica.gr",),
    "amazon": ("amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com"),
    "godaddy": ("godaddy.com", "starfieldtech.com"),
    "entrust": ("entrust.net",),
    "certum": ("certum.pl", "certum.eu"),
    "asseco": ("certum.pl", "certum.eu"),
}


def check(host: str, organizations: Sequence[str], lookup: Lookup) -> Verdict:
    """Judge the records that hold for ``host``; ``organizations`` issued its certificate. Raises LookupFailed."""
    labels = host.split(".")
    for start in range(len(labels)):
        at = ".".join(labels[start:])
        if records := lookup(at, "CAA").records:
            return _judge(at, records, organizations)
    return absent(f"no CAA record for {host}: any authority may issue")


def _judge(at: str, records: Sequence[tuple[int, str, str]], organizations: Sequence[str]) -> Verdict:
    unknown = [tag for flags, tag, _ in records if flags & 0x80 and tag.lower() not in ("issue", "issuewild", "iodef")]
    if unknown:
        return bad(f"CAA of {at} has the critical tag {shown(unknown[0], 20)}, which no authority may pass over")
    allowed = [value.partition(";")[0].strip().lower() for _, tag, value in records if tag.lower() == "issue"]
    if not allowed:
        return absent(f"CAA of {at} does not restrict who issues")
    if not any(allowed):
        return bad(f'CAA of {at} forbids every authority (issue ";"): the certificate cannot be renewed')
    names = ", ".join(shown(name, 60) for name in allowed[:5] if name)
    ours = [ids for name in organizations for word, ids in _AUTHORITIES.items() if word in name.lower()]
    if not ours:
        return absent(f"CAA of {at} allows {names}; who issued our certificate is not known by that name")
    if any(name in allowed for authority in ours for name in authority):
        return good(f"CAA of {at} allows {names}")
    issuer = shown(organizations[0], 60)
    return bad(
        f"CAA of {at} allows {names}, but our certificate is from {issuer}", f'add: {at}. CAA 0 issue "{ours[0][0]}"'
    )
