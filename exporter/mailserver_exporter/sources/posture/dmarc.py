"""DMARC: what others shall do with mail that is not ours, and where they report it (RFC 7489 6.3, 6.6.3, 7.1)."""

from __future__ import annotations

import re

from mailserver_exporter.sources.posture import tags
from mailserver_exporter.sources.posture.answers import Lookup, Verdict, bad, good, shown

POLICIES = ("none", "quarantine", "reject")
# A report address may carry a size limit behind a "!".
_ADDRESS = re.compile(r"mailto:[^@\s!]+@([^@\s!]+?)\.?(![0-9]+[kmgt]?)?", re.IGNORECASE)
_MAX_PLACES = 10


def check(domain: str, lookup: Lookup) -> Verdict:
    """Judge ``_dmarc.DOMAIN``, or where there is none that of the closest parent that has one; raises LookupFailed."""
    labels = domain.split(".")
    for start in range(max(1, len(labels) - 1)):
        at = ".".join(labels[start:])
        records = tags.with_version(lookup(f"_dmarc.{at}", "TXT").records, "DMARC1")
        if records:
            return _judge(at, records, lookup, inherited=start > 0)
    return bad(f"no DMARC record at _dmarc.{domain}", f'_dmarc.{domain} TXT "v=DMARC1; p=none; rua=mailto:..."')


def _judge(at: str, records: list[str], lookup: Lookup, *, inherited: bool) -> Verdict:
    name = f"_dmarc.{at}"
    if len(records) > 1:
        return bad(f"{name} has {len(records)} DMARC records, so none of them counts", "leave one")
    try:
        found = tags.parse(records[0])
    except ValueError as error:
        return bad(f"the DMARC record {name} is broken: {error}")
    policy = found.get("p", "").lower()
    if policy not in POLICIES:
        return bad(f"the DMARC record {name} has no policy: p= must be none, quarantine or reject")
    subdomains = found.get("sp", policy).lower()
    if subdomains not in POLICIES:
        return bad(f"the DMARC record {name}: sp= must be none, quarantine or reject", policy=policy)
    applied = subdomains if inherited else policy
    if problem := _strange_tags(found):
        return bad(f"the DMARC record {name}: {problem}", policy=applied)
    places = [place.strip() for place in found.get("rua", "").split(",") if place.strip()]
    for place in places[:_MAX_PLACES]:
        match = _ADDRESS.fullmatch(place)
        if not match:
            return bad(f"the DMARC record {name}: rua={shown(place, 60)!r} is not mailto:ADDRESS", policy=applied)
        if problem := _unauthorised(at, match[1].lower(), lookup):
            return bad(problem, policy=applied)
    text = f"p={applied}" + (f", inherited from {at}" if inherited else "")
    if applied == "none":
        text += ": others are asked to do nothing"
    return good(text + ("" if places else "; without rua= nobody reports"), policy=applied)


def _strange_tags(found: dict[str, str]) -> str:
    for tag in ("adkim", "aspf"):
        if found.get(tag, "r").lower() not in ("r", "s"):
            return f"{tag}= must be r or s"
    percent = found.get("pct", "100")
    if not (percent.isascii() and percent.isdigit() and int(percent[:4]) <= 100):
        return "pct= must be a number from 0 to 100"
    return ""


def _unauthorised(domain: str, receiver: str, lookup: Lookup) -> str:
    """Say why reports would not be sent to another domain, RFC 7489 7.1; a relative needs no permission."""
    if receiver == domain or receiver.endswith(f".{domain}") or domain.endswith(f".{receiver}"):
        return ""
    name = f"{domain}._report._dmarc.{receiver}"
    if tags.with_version(lookup(name, "TXT").records, "DMARC1"):
        return ""
    return f"{shown(receiver, 80)} has not agreed to take the DMARC reports of {domain}: {shown(name, 150)} is missing"
