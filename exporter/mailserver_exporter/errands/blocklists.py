"""The errand that asks the blocklists for our addresses."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from mailserver_exporter.sources.posture import addresses, blocklists
from mailserver_exporter.sources.posture.resolver import Resolver

_THREADS = 12


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Answer what each list says, by family; raises LookupFailed when our own addresses cannot be looked up.

    ``request``: ``resolver`` ([address, port] of each), ``host`` (our name), ``addresses`` (ours, where configured),
    ``lists``, ``seconds`` in all.
    """
    end = time.monotonic() + request["seconds"]
    resolver = Resolver([(host, port) for host, port in request["resolver"]], end=end)
    own = request["addresses"] or addresses.public(request["host"], resolver.lookup)
    families = {
        "ipv4": [address for address in own if ":" not in address],
        "ipv6": [address for address in own if ":" in address],
    }
    asked = [(zone, family) for zone in request["lists"] for family in families if families[family]]
    with ThreadPoolExecutor(_THREADS) as pool:
        found = pool.map(lambda each: blocklists.check(each[0], each[1], families[each[1]], resolver.lookup), asked)
        pairs = zip(asked, found, strict=True)
        listings = [{"list": zone, "family": family, **asdict(listing)} for (zone, family), listing in pairs]
    return {"listings": listings, "addresses": own}
