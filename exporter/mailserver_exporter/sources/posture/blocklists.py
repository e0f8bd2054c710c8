"""Blocklists in the DNS: how an address is asked for, and what an answer means (RFC 5782)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mailserver_exporter.sources.posture.answers import Answer, Lookup, LookupFailed, shown

# RFC 5782 5: a list that works lists the first and never the second.
_TEST_POINTS = {"ipv4": ("127.0.0.2", "127.0.0.1"), "ipv6": ("::ffff:7f00:2", "::ffff:7f00:1")}
_VALUES = ipaddress.ip_network("127.0.0.0/8")
# What lists answer instead of a listing; the last ones are Spamhaus' own.
_REFUSALS = ipaddress.ip_network("127.255.255.0/24")
_REFUSED = {
    "127.0.0.1": "refuses to answer (127.0.0.1): too many questions, or a public resolver",
    "127.255.255.252": "says that its name is mistyped (127.255.255.252)",
    "127.255.255.254": "refuses a public or open resolver (127.255.255.254): ask with a resolver of your own",
    "127.255.255.255": "refuses too many questions (127.255.255.255)",
}


@dataclass(frozen=True)
class Listing:
    """What a list says of our addresses of one family; ``absent`` where it has none of that family."""

    state: Literal["listed", "clear", "error", "absent"]
    detail: str


def name(address: str, zone: str) -> str:
    """Return the name to ask for: octets or nibbles in reverse, in front of the list's own (RFC 5782 2.1, 2.4)."""
    reverse = ipaddress.ip_address(address).reverse_pointer
    return f"{reverse.removesuffix('.in-addr.arpa').removesuffix('.ip6.arpa')}.{zone}"


def refusal(answer: Answer) -> str:
    """Say why an answer is none, empty when it is one."""
    for record in answer.records:
        value = ipaddress.ip_address(record)
        if value in _REFUSALS or record in _REFUSED:
            return _REFUSED.get(record, f"refuses to answer ({record})")
        if value not in _VALUES:
            return f"answers {record}, which is no answer of a blocklist: is the list closed, or does the resolver lie?"
    return ""


def check(zone: str, family: str, addresses: Sequence[str], lookup: Lookup) -> Listing:
    """Test the list, then ask for our addresses. Never raises: a lookup that fails is an error."""
    try:
        return _check(zone, family, addresses, lookup)
    except LookupFailed as failure:
        return Listing("error", str(failure))


def _check(zone: str, family: str, addresses: Sequence[str], lookup: Lookup) -> Listing:
    listed, clear = (lookup(name(point, zone), "A") for point in _TEST_POINTS[family])
    for answer in (listed, clear):
        if reason := refusal(answer):
            return Listing("error", f"{zone} {reason}")
    if clear.records:
        return Listing("error", f"{zone} lists the address that no list may: it lists everything, or is closed")
    if not listed.records:
        if family == "ipv6":
            return Listing("absent", f"{zone} has no list of IPv6 addresses")
        return Listing("error", f"{zone} does not list the test address 127.0.0.2: mistyped, or closed")
    found = []
    for address in addresses:
        answer = lookup(name(address, zone), "A")
        if reason := refusal(answer):
            return Listing("error", f"{zone} {reason}")
        if answer.records:
            found.append(f"{address} ({', '.join(answer.records[:3])}{_why(address, zone, lookup)})")
    if found:
        return Listing("listed", f"{zone} lists {'; '.join(found)}")
    return Listing("clear", f"{zone} does not list {', '.join(addresses)}")


def _why(address: str, zone: str, lookup: Lookup) -> str:
    """Return the list's own words, which mostly lead to the page where one gets off it."""
    try:
        texts = lookup(name(address, zone), "TXT").records
    except LookupFailed:
        return ""
    return f": {shown(texts[0], 150)}" if texts else ""
