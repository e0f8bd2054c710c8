"""MX: where others deliver our mail (RFC 5321 5.1, RFC 7505, RFC 2181 10.3)."""

from __future__ import annotations

import ipaddress

from mailserver_exporter.sources.posture.answers import Lookup, Verdict, bad, good, shown

_MAX_HOSTS = 20


def hosts(domain: str, lookup: Lookup) -> list[str]:
    """Return the hosts that take the domain's mail, the preferred first; raises LookupFailed."""
    return [host for _, host in sorted(lookup(domain, "MX").records)][:_MAX_HOSTS]


def check(domain: str, own: str, lookup: Lookup) -> Verdict:
    """Judge the MX records; ``own`` is our host's name. Raises LookupFailed."""
    answer = lookup(domain, "MX")
    if not answer.exists:
        return bad(f"the domain {domain} does not exist (NXDOMAIN)", "is it mistyped in dns.domains, or expired?")
    found = hosts(domain, lookup)
    if not found:
        return bad(f"{domain} has no MX record: others have to guess where its mail goes", f"{domain} MX 10 {own}.")
    if "" in found:
        return bad(f"{domain} says that it takes no mail (null MX, RFC 7505)")
    problems = [problem for host in found if (problem := _problem(host, lookup))]
    if problems:
        return bad(f"MX of {domain}: " + "; ".join(problems))
    ours = any(host == own for host in found)
    return good(", ".join(found[:5]) + ("" if ours else f", none of them {own}"))


def _problem(host: str, lookup: Lookup) -> str:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return f"{host} is an address, not a name"
    name = shown(host, 80)
    addresses = [lookup(host, "A"), lookup(host, "AAAA")]
    if any(answer.alias for answer in addresses):
        return f"{name} is a CNAME, which an MX must not be"
    if not addresses[0].exists:
        return f"{name} does not exist"
    if not any(answer.records for answer in addresses):
        return f"{name} has no address"
    return ""
