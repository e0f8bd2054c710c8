"""The SPF record of the mail domain needs eleven lookups."""

from __future__ import annotations

from tests.e2e.world import World
from tests.support import dns

EXPECTED = [("DnsCheckFailed", "warning")]


def inject(world: World) -> None:
    terms = " ".join(["a:mail.example.org"] * 11)
    world.dns.change(dns.DOMAIN, {"@": ["MX 10 mail", f'TXT "v=spf1 {terms} -all"']})


def recover(world: World) -> None:
    world.dns.change(dns.DOMAIN, dns.mail_zones()[dns.DOMAIN])
