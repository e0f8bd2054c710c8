"""Find the networks with the most failures in bounded memory, however many there are.

Exact as long as there are no more than _CAPACITY networks. Beyond that the lightest half is forgotten whenever there
are twice as many, as in lossy counting (Manku and Motwani, VLDB 2002): a network that came after that may have had as
many failures before as the heaviest one that was forgotten, so its count is told as a least one.
"""

from __future__ import annotations

import ipaddress
import socket
import zlib
from dataclasses import dataclass, field

from mailserver_exporter.sources.failed_logins import Failure

_CAPACITY = 5000
# Bits that the addresses of a network of IPv6 are told apart by.
_BITS = 4096
_MAPPED = bytes(10) + b"\xff\xff"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass
class Weight:
    """What is known of one network. ``addresses`` has a bit for each address, ``first`` and ``last`` are Unix times.

    ``missed`` is how many failures more there may have been.
    """

    first: float
    last: float
    missed: int
    failures: int = 0
    services: dict[str, int] = field(default_factory=dict)
    addresses: int = 0
    address: bytes = b""

    @property
    def address_count(self) -> int:
        """The number of addresses; of many in a network of IPv6 a few may be missing."""
        return self.addresses.bit_count()


class Heaviest:
    """Failures by network: /24 of IPv4 and /48 of IPv6, which are the smallest that the Internet routes by themselves.

    (A /64 is for IPv6 what an address is for IPv4: who has one is usually given 65536 of them.)
    """

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._capacity = capacity
        self._weights: dict[bytes, Weight] = {}
        self._missed = 0
        self.failures = 0
        self.unplaced = 0

    @property
    def exact(self) -> bool:
        """Whether nothing was forgotten."""
        return not self._missed

    def add(self, failure: Failure, at: float) -> None:
        """Count a failure; one whose address is none is only counted."""
        self.failures += failure.times
        packed = _packed(failure.address)
        if packed is None:
            self.unplaced += failure.times
            return
        if len(packed) == 4:
            network, bit = packed[:3], packed[3]
        else:
            network, bit = packed[:6], zlib.crc32(packed[6:]) % _BITS
        weight = self._weights.get(network)
        if weight is None:
            if len(self._weights) >= 2 * self._capacity:
                self._forget()
            weight = self._weights[network] = Weight(at, at, self._missed)
        weight.failures += failure.times
        weight.services[failure.service] = weight.services.get(failure.service, 0) + failure.times
        weight.addresses |= 1 << bit
        weight.address = failure.address
        if at < weight.first:
            weight.first = at
        elif at > weight.last:
            weight.last = at

    def top(self, count: int) -> list[tuple[Network, Weight]]:
        """Return the heaviest networks, the heaviest first."""
        found = sorted(self._weights.items(), key=lambda each: (-each[1].failures, each[0]))[:count]
        return [(_network(key), weight) for key, weight in found]

    def _forget(self) -> None:
        by_weight = sorted(self._weights.items(), key=lambda each: each[1].failures)
        light = by_weight[: -self._capacity]
        # What is forgotten twice may have been missed before, too.
        self._missed = max(weight.failures + weight.missed for _, weight in light)
        self._weights = dict(by_weight[-self._capacity :])


def network_of(address: str) -> Network | None:
    """Return the network that an address, or a network of addresses, is counted in; None where it is none."""
    packed = _packed(address.partition("/")[0].encode())
    return None if packed is None else _network(packed[:3] if len(packed) == 4 else packed[:6])


def _packed(address: bytes) -> bytes | None:
    try:
        if b":" not in address:
            return socket.inet_pton(socket.AF_INET, address.decode())
        packed = socket.inet_pton(socket.AF_INET6, address.decode())
    except (OSError, ValueError):
        return None
    return packed[12:] if packed.startswith(_MAPPED) else packed


def _network(key: bytes) -> Network:
    if len(key) == 3:
        return ipaddress.IPv4Network((key + bytes(1), 24))
    return ipaddress.IPv6Network((key + bytes(10), 48))
