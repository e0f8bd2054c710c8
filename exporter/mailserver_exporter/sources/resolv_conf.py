"""The servers of resolv.conf(5)."""

from __future__ import annotations

import ipaddress
import re

_MAX_SERVERS = 3  # as the C library's MAXNS
PORT = 53


def parse(data: bytes) -> list[tuple[str, int]]:
    """Return address and port of each name server; without any it is this host's own."""
    servers = []
    for line in data.decode("utf-8", "replace").splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            try:
                # A scope, as in fe80::1%eth0, is kept: without it such an address leads nowhere.
                servers.append((str(ipaddress.ip_address(words[1])), PORT))
            except ValueError:
                continue
    return servers[:_MAX_SERVERS] or [("127.0.0.1", PORT)]


def address_and_port(text: str) -> tuple[str, int]:
    """Split ``192.0.2.1``, ``192.0.2.1:5353``, ``2001:db8::1`` or ``[2001:db8::1]:5353``; raises ValueError."""
    match = re.fullmatch(r"\[(?P<six>[^\]]+)\](:(?P<port>\d{1,5}))?|(?P<four>[0-9.]+)(:(?P<port4>\d{1,5}))?", text)
    if match is None:
        return str(ipaddress.ip_address(text)), PORT
    port = int(match["port"] or match["port4"] or PORT)
    if not 0 < port < 65536:
        raise ValueError("no such port")
    return str(ipaddress.ip_address(match["six"] or match["four"])), port
