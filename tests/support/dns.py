"""Real DNS servers: NSD with zones made for the test, signed or not, and Unbound, which validates them.

Debian's packages ``nsd`` and ``unbound``. All zones hang below a root of our own, so nothing is asked outside.
"""

from __future__ import annotations

import ipaddress
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dns.dnssec
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.rdtypes.dnskeybase
import dns.rrset
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.processes import Program, free_port, wait_for

DOMAIN = "example.org"
BLOCKLIST = "bl.example.net"
# RFC 5737, RFC 3849: addresses that nobody has.
ADDRESS, ADDRESS6 = "192.0.2.25", "2001:db8::25"

# Names relative to the zone, each with its records as a zone file has them: {"@": ["MX 10 mail"], ...}.
Records = Mapping[str, Sequence[str]]

_NSD = """\
server:
    ip-address: 127.0.0.1@{port}
    server-count: 1
    username: ""
    chroot: ""
    zonesdir: "{folder}"
    zonelistfile: "{folder}/zone.list"
    database: ""
    pidfile: "{folder}/nsd.pid"
    xfrdfile: "{folder}/xfrd.state"
    xfrdir: "{folder}"
    refuse-any: no
    rrl-ratelimit: 0
remote-control:
    control-enable: no
"""
_UNBOUND = """\
server:
    interface: 127.0.0.1@{port}
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: "{folder}/unbound.pid"
    use-syslog: no
    num-threads: 1
    do-not-query-localhost: no
    do-ip6: no
    cache-max-ttl: 0
    cache-max-negative-ttl: 0
    aggressive-nsec: no
    val-bogus-ttl: 0
    infra-host-ttl: 0
    infra-keep-probing: yes
    trust-anchor-file: "{folder}/anchor"
    module-config: "validator iterator"
    access-control: 127.0.0.0/8 allow
    local-zone: "127.in-addr.arpa." nodefault
    local-zone: "2.0.192.in-addr.arpa." nodefault
    local-zone: "100.51.198.in-addr.arpa." nodefault
    local-zone: "8.b.d.0.1.0.0.2.ip6.arpa." nodefault
remote-control:
    control-enable: no
stub-zone:
    name: "."
    stub-addr: 127.0.0.1@{authority}
"""


def mail_zones() -> dict[str, dict[str, list[str]]]:
    """Return the zones of a mail domain with which all is well, and of a blocklist that knows nobody."""
    pointers = [ipaddress.ip_address(address).reverse_pointer for address in (ADDRESS, ADDRESS6)]
    return {
        DOMAIN: {
            "@": ["MX 10 mail", f'TXT "v=spf1 ip4:{ADDRESS} ip6:{ADDRESS6} -all"'],
            "mail": [f"A {ADDRESS}", f"AAAA {ADDRESS6}"],
            "dkim._domainkey": ['TXT "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="'],
            "_dmarc": ['TXT "v=DMARC1; p=reject; rua=mailto:dmarc@example.org"'],
        },
        "arpa": {pointer.removesuffix(".arpa"): ["PTR mail.example.org."] for pointer in pointers},
        BLOCKLIST: {reversed_name(point): ["A 127.0.0.2"] for point in ("127.0.0.2", "::ffff:7f00:2")},
    }


def reversed_name(address: str) -> str:
    """Return the octets or nibbles of an address in reverse, as blocklists are asked."""
    return ipaddress.ip_address(address).reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")


class Signer:
    """A key for one zone (ECDSA P-256, RFC 6605)."""

    def __init__(self, zone: str) -> None:
        self.name = dns.name.from_text(zone)
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.key = dns.dnssec.make_dnskey(
            self.private.public_key(),
            dns.dnssec.Algorithm.ECDSAP256SHA256,
            flags=257,  # a key signing key
        )

    def delegation(self) -> str:
        """Return the DS record that the parent publishes."""
        return f"DS {dns.dnssec.make_ds(self.name, self.key, 'SHA256').to_text()}"

    def sign(self, zone: dns.zone.Zone, *, expired: bool = False) -> None:
        """Sign all of a zone; ``expired`` signatures ended yesterday."""
        now = datetime.now(timezone.utc)
        ends = now - timedelta(days=1) if expired else now + timedelta(days=7)
        dns.dnssec.sign_zone(
            zone,
            keys=[(self.private, self.key)],
            add_dnskey=True,
            inception=now - timedelta(days=10),
            expiration=ends,
            policy=None,
        )


class Authority:
    """An NSD on 127.0.0.1 at ``port`` that serves ``zones``; ``signed`` zones are, those of ``expired`` badly.

    Zones must be direct children of the root, or have their parent among the zones; names are without the final dot.
    The root is made here: it delegates to all zones, and is signed as soon as one of them is.
    """

    def __init__(
        self, zones: Mapping[str, Records], *, signed: Sequence[str] = (), expired: Sequence[str] = ()
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="nsd-"))
        self.port = free_port_of_both_kinds()
        self.zones = {name: dict(records) for name, records in zones.items()}
        self.expired = set(expired)
        self._signers = {name: Signer(f"{name}.") for name in signed}
        self.root = Signer(".")
        configuration = _NSD.format(port=self.port, folder=self.folder)
        for name in ("", *self.zones):
            configuration += f'zone:\n    name: "{name}."\n    zonefile: "{_file(name)}"\n'
        (self.folder / "nsd.conf").write_text(configuration)
        self._serial = 0
        self.write()
        self._program = Program(
            ["/usr/sbin/nsd", "-d", "-c", self.folder / "nsd.conf"],
            self.folder / "nsd.log",
            ready=lambda: answers(self.port),
        )

    def write(self) -> None:
        """Write all zones."""
        self._serial += 1
        tops: dict[str, list[str]] = {"@": []}
        for name in self.zones:
            tops[name] = [f"NS ns.{name}."]
            tops[f"ns.{name}"] = ["A 127.0.0.1"]
            if name in self._signers:
                tops[name].append(self._signers[name].delegation())
        self._write("", tops, self.root if self._signers else None)
        for name, records in self.zones.items():
            own = {**records, "ns": ["A 127.0.0.1"]}
            own["@"] = [*records.get("@", ()), "NS ns"]
            self._write(name, own, self._signers.get(name))

    def _write(self, name: str, records: Records, signer: Signer | None) -> None:
        text = f"$ORIGIN {name}.\n$TTL 60\n@ SOA ns hostmaster {self._serial} 600 60 6000 60\n"
        if not name:
            text += "@ NS ns.\nns A 127.0.0.1\n"
        text += "".join(f"{at} {record}\n" for at, found in records.items() for record in found)
        zone = dns.zone.from_text(text, origin=f"{name}.", relativize=False, check_origin=False)
        if signer is not None:
            signer.sign(zone, expired=name in self.expired)
        zone.to_file(str(self.folder / _file(name)), relativize=False)

    def change(self, zone: str, records: Records) -> None:
        """Replace the records of some names of a zone (an empty list removes the name), and serve it."""
        self.zones[zone].update(records)
        self.zones[zone] = {name: found for name, found in self.zones[zone].items() if found}
        self.reload()

    @contextmanager
    def changed(self, zone: str, records: Records) -> Iterator[None]:
        """As ``change``, for the time of a ``with`` block."""
        before = dict(self.zones[zone])
        self.change(zone, records)
        try:
            yield
        finally:
            self.zones[zone] = before
            self.reload()

    def reload(self) -> None:
        """Write all zones, and return once they are served."""
        self.write()
        self._program.send(signal.SIGHUP)
        for name in ("", *self.zones):
            wait_for(f"NSD serves the new zone {name!r}", lambda name=name: _serial(name, self.port) == self._serial)

    @property
    def anchor(self) -> str:
        """The trust anchor of the root."""
        return f". {self.root.delegation()}"

    def start(self) -> Authority:
        """Start it; also after ``stop``."""
        self._program.start()
        return self

    def stop(self) -> None:
        """End it; its files stay."""
        self._program.stop()

    def __enter__(self) -> Authority:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self._program.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Resolver:
    """An Unbound on 127.0.0.1 at ``port`` that knows only what ``authority`` does, and keeps nothing."""

    def __init__(self, authority: Authority) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="unbound-"))
        self.port = free_port_of_both_kinds()
        (self.folder / "anchor").write_text(authority.anchor + "\n")
        (self.folder / "unbound.conf").write_text(
            _UNBOUND.format(port=self.port, folder=self.folder, authority=authority.port)
        )
        self._program = Program(
            ["/usr/sbin/unbound", "-d", "-p", "-c", self.folder / "unbound.conf"],
            self.folder / "unbound.log",
            ready=lambda: answers(self.port),
        )

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, such as SIGSTOP."""
        self._program.send(number)

    def __enter__(self) -> Resolver:
        self._program.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._program.send(signal.SIGCONT)
        self._program.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def free_port_of_both_kinds() -> int:
    """Return a port on 127.0.0.1 that is free for UDP and for TCP."""
    while True:
        port = free_port()
        with socket.socket(type=socket.SOCK_DGRAM) as udp, suppress(OSError):
            udp.bind(("127.0.0.1", port))
            return port


def answers(port: int) -> bool:
    """Say whether a DNS server answers for the root."""
    return _serial("", port) is not None


def _serial(zone: str, port: int) -> int | None:
    """Return the serial of a zone's SOA record, None where there is none."""
    query = dns.message.make_query(f"{zone}.", "SOA")
    try:
        answer = dns.query.udp(query, "127.0.0.1", 1, port)
    except (dns.exception.Timeout, OSError):
        return None
    for rrset in answer.answer:
        if rrset.rdtype == dns.rdatatype.SOA:
            serial: int = rrset[0].serial
            return serial
    return None


def _file(zone: str) -> str:
    return f"{zone or 'root'}.zone"
