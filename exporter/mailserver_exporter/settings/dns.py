"""What the world outside sees of the mail server: its DNS records, and the blocklists it may be on."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Annotated, Literal

from mailserver_exporter.schema import Text
from mailserver_exporter.settings.types import HostName, Section
from mailserver_exporter.sources import resolv_conf

Domain = Annotated[str, Text(r"(?=.{1,253}$)[^\s.:/@]{1,63}(\.[^\s.:/@]{1,63})+", "a domain such as example.org")]
Selector = Annotated[str, Text(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", "a DKIM selector such as dkim")]
Severity = Literal["critical", "warning", "info", "none"]


@dataclass(frozen=True, kw_only=True)
class DnsDomain:
    """A mail domain; without selectors the usual ones are looked for."""

    name: Domain
    dkim_selectors: tuple[Selector, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DnsSeverity:
    """How bad it is when a check finds something wrong; ``none`` leaves the check out."""

    mx: Severity = "critical"
    a: Severity = "critical"
    aaaa: Severity = "warning"
    ptr: Severity = "critical"
    spf: Severity = "warning"
    dkim: Severity = "warning"
    dmarc: Severity = "warning"
    mta_sts: Severity = "warning"
    tls_rpt: Severity = "info"
    tlsa: Severity = "critical"
    dnssec: Severity = "critical"
    caa: Severity = "warning"

    def watched(self) -> dict[str, str]:
        """Return the severity of each check that is not left out."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: severity for name, severity in named.items() if severity != "none"}


@dataclass(frozen=True, kw_only=True)
class DnsSection(Section):
    """``domains``, where given, is the whole list; ``hostname`` and ``addresses`` are those that mail leaves from."""

    resolver: str | None = None
    hostname: HostName | None = None
    addresses: tuple[str, ...] = ()
    domains: tuple[DnsDomain, ...] = ()
    severity: DnsSeverity = DnsSeverity()

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield (key, message) for what is no address."""
        for address in self.addresses:
            try:
                ipaddress.ip_address(address)
            except ValueError:
                yield "addresses", f"must be IP addresses, not {address!r}"
        if self.resolver is not None:
            try:
                resolv_conf.address_and_port(self.resolver)
            except ValueError:
                yield "resolver", f"must be an IP address, with :PORT behind it if it is not 53, not {self.resolver!r}"


@dataclass(frozen=True, kw_only=True)
class BlocklistsSection(Section):
    """The lists that are asked. All of these are free for a mail server's own few questions.

    Spamhaus (not for commercial use beyond small) and Spamcop refuse public resolvers; Barracuda wants the resolver's
    address registered and is left out, as are lists that ask money for getting off them.
    """

    lists: tuple[Domain, ...] = (
        "zen.spamhaus.org",
        "bl.spamcop.net",
        "psbl.surriel.com",
        "bl.mailspike.net",
        "dnsbl.dronebl.org",
    )
