"""The MX record of the mail domain is gone."""

from __future__ import annotations

from tests.e2e.world import World
from tests.support import dns

EXPECTED = [("DnsCheckFailed", "critical")]


def inject(world: World) -> None:
    world.dns.change(dns.DOMAIN, {"@": dns.mail_zones()[dns.DOMAIN]["@"][1:]})


def recover(world: World) -> None:
    world.dns.change(dns.DOMAIN, dns.mail_zones()[dns.DOMAIN])
