"""A, AAAA and PTR of the mail host: its name leads to it, and each address back to the name (RFC 8601 2.7.3, iprev)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from mailserver_exporter.sources.posture.answers import Lookup, LookupFailed, Verdict, absent, bad, good

# What cannot be reached from outside: RFC 1122, 1918, 3927, 4193, 4291, 6598.
_INTERNAL = [
    ipaddress.ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.168.0.0/16", "224.0.0.0/3", "::/127", "fc00::/7", "fe80::/10", "ff00::/8"),
    )
]
_FAMILIES = {"A": 4, "AAAA": 6}
_MAX_NAMES = 20


def is_public(address: str) -> bool:
    """Say whether others could reach an address."""
    return not any(ipaddress.ip_address(address) in network for network in _INTERNAL)


def public(host: str, lookup: Lookup) -> list[str]:
    """Return the public addresses of a host name; raises LookupFailed."""
    found = [*lookup(host, "A").records, *lookup(host, "AAAA").records]
    return [address for address in found if is_public(address)]


def check(host: str, kind: str, configured: Sequence[str], lookup: Lookup) -> Verdict:
    """Judge the records of ``kind`` A or AAAA. Where our addresses are configured they must be the same."""
    answer = lookup(host, kind)
    wanted = {
        ipaddress.ip_address(each) for each in configured if ipaddress.ip_address(each).version == _FAMILIES[kind]
    }
    if answer.alias:
        return bad(f"{host} is a CNAME, which the name of an MX must not be")
    if not answer.records:
        if kind == "AAAA" and not wanted:
            return absent(f"{host} has no IPv6 address")
        what = "has no address" if answer.exists else "does not exist (NXDOMAIN)"
        name = f"{host} {what}" if kind == "A" else f"{host} has no IPv6 address, but dns.addresses names one"
        return bad(name, f"{host}. {kind} ADDRESS")
    internal = [address for address in answer.records if not is_public(address)]
    if internal:
        return bad(f"{host} leads to {', '.join(internal)}, which nobody outside can reach")
    if wanted and wanted != set(map(ipaddress.ip_address, answer.records)):
        return bad(f"{host} leads to {', '.join(answer.records)} instead of {', '.join(map(str, sorted(wanted)))}")
    return good(", ".join(answer.records))


def check_reverse(addresses: Iterable[str], helo: str, lookup: Lookup) -> Verdict:
    """Judge the PTR records: each address has one, which leads back to it and is the name that we greet with."""
    problems, seen = [], []
    failure: LookupFailed | None = None
    for address in addresses:
        seen.append(address)
        try:
            problem = _reverse_problem(address, helo, lookup)
        except LookupFailed as error:
            # What another address shows for certain is told all the same.
            failure = error
        else:
            problems += [problem] if problem else []
    if problems:
        return bad("; ".join(problems), f"set it where the address comes from (the hosting provider): {helo}")
    if failure is not None:
        raise failure
    return good(f"{', '.join(seen)} lead to {helo} and back") if seen else absent("no public address to look up")


def _reverse_problem(address: str, helo: str, lookup: Lookup) -> str:
    reverse = ipaddress.ip_address(address).reverse_pointer
    names = lookup(reverse, "PTR").records[:_MAX_NAMES]
    if not names:
        return f"{address} has no PTR record"
    kind = "AAAA" if ":" in address else "A"
    wanted = ipaddress.ip_address(address)
    confirmed = [n for n in names if wanted in map(ipaddress.ip_address, lookup(n, kind).records)]
    if not confirmed:
        return f"the PTR record of {address} is {names[0]}, which does not lead back to it"
    if helo not in confirmed:
        return f"the PTR record of {address} is {confirmed[0]}, but we greet as {helo}"
    return ""
