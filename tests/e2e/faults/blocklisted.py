"""A blocklist names the mail host."""

from __future__ import annotations

from tests.e2e.world import World
from tests.support import dns

EXPECTED = [("Blocklisted", "warning")]


def inject(world: World) -> None:
    world.dns.change(dns.BLOCKLIST, {dns.reversed_name(dns.ADDRESS): ["A 127.0.0.4"]})


def recover(world: World) -> None:
    world.dns.change(dns.BLOCKLIST, {dns.reversed_name(dns.ADDRESS): []})
