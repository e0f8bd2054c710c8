"""SPF: whether the record can be used, what it costs, and whether it lets us send (RFC 7208 4.6.4, 5)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from mailserver_exporter.sources.posture import spf_record
from mailserver_exporter.sources.posture.answers import Answer, Lookup, LookupFailed, Verdict, bad, good, shown
from mailserver_exporter.sources.posture.spf_record import Address, Mechanism, SpfError

MAX_LOOKUPS = 10
MAX_VOID_LOOKUPS = 2
_MAX_NAMES = 10
# Counting goes on beyond the limit, so that the admin hears by how much; a loop of includes ends here.
_STOP_AT = 50
_RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
# Whom nobody permits by accident: for counting where our own address is not known (RFC 5737).
_NOBODY = "192.0.2.255"


class Evaluation:
    """check_host() of RFC 7208 for one address, which goes on after a match in order to count every lookup."""

    def __init__(self, lookup: Lookup, address: Address, sender: str, helo: str) -> None:
        self.lookups = 0
        self.void_lookups = 0
        self.all = ""
        self._lookup = lookup
        self._address = address
        self._sender = sender
        self._helo = helo

    def run(self, domain: str, record: str, *, top: bool = True) -> str:
        """Return pass, fail, softfail, neutral; raises SpfError and LookupFailed."""
        parsed = spf_record.parse(record)
        if top and (parsed.all or not parsed.redirect):
            self.all = parsed.all
        result = ""
        for mechanism in parsed.mechanisms:
            matched = self._matches(mechanism, domain)
            if matched and not result:
                result = _RESULTS[mechanism.qualifier]
            if mechanism.name == "all":
                break  # what follows is never looked at, redirect included (5.1)
        else:
            if parsed.redirect:
                self._count()
                target = self._name(parsed.redirect, domain)
                redirected = self.run(target, self._record_of(target, "redirect"), top=top)
                result = result or redirected
        return result or "neutral"

    def _matches(self, mechanism: Mechanism, domain: str) -> bool:
        if mechanism.name == "all":
            return True
        if mechanism.network is not None:
            return self._address in mechanism.network
        self._count()
        name = self._name(mechanism.domain, domain)
        if mechanism.name == "include":
            return self.run(name, self._record_of(name, "include"), top=False) == "pass"
        if mechanism.name == "exists":
            return bool(self._ask(name, "A").records)
        if mechanism.name == "a":
            return self._is_among(self._ask(name, self._kind), mechanism)
        if mechanism.name == "mx":
            hosts = [host for _, host in self._ask(name, "MX").records]
            if len(hosts) > _MAX_NAMES:
                raise SpfError(f"mx of {shown(name)} leads to more than {_MAX_NAMES} hosts")
            # Every host is asked, as for an address that none of them has.
            answers = [self._ask(host, self._kind) for host in hosts if host]
            return any(self._is_among(answer, mechanism) for answer in answers)
        return self._is_named(name)

    def _is_among(self, answer: Answer, mechanism: Mechanism) -> bool:
        prefix = mechanism.prefix4 if self._address.version == 4 else mechanism.prefix6
        networks = (ipaddress.ip_network(f"{each}/{prefix}", strict=False) for each in answer.records)
        return any(self._address in network for network in networks)

    def _is_named(self, name: str) -> bool:
        """Evaluate ptr (5.5), where a lookup that fails is no match and no failure of the whole."""
        try:
            hosts = self._ask(self._address.reverse_pointer, "PTR").records[:_MAX_NAMES]
        except LookupFailed:
            return False
        for host in hosts:
            if host != name and not host.endswith(f".{name}"):
                continue
            try:
                found = self._lookup(host, self._kind).records
            except LookupFailed:
                continue
            if self._address in map(ipaddress.ip_address, found):
                return True
        return False

    @property
    def _kind(self) -> str:
        return "A" if self._address.version == 4 else "AAAA"

    def _name(self, spec: str, domain: str) -> str:
        if not spec:
            return domain
        return spf_record.expand(spec, domain=domain, address=self._address, sender=self._sender, helo=self._helo)

    def _record_of(self, domain: str, how: str) -> str:
        found = spf_record.select(self._ask(domain, "TXT").records)
        if len(found) != 1:
            number = "no SPF record" if not found else f"{len(found)} SPF records"
            raise SpfError(f"{how} of {shown(domain)}, which has {number}")
        return found[0]

    def _count(self) -> None:
        self.lookups += 1
        if self.lookups >= _STOP_AT:
            raise SpfError(
                f"needs {_STOP_AT} or more lookups, {MAX_LOOKUPS} are allowed: does an include lead in a circle?"
            )

    def _ask(self, name: str, kind: str) -> Answer:
        answer = self._lookup(name, kind)
        self.void_lookups += not answer.records
        return answer


def check(domain: str, addresses: Sequence[str], helo: str, lookup: Lookup) -> Verdict:
    """Judge a domain's record; ``addresses`` are those that we send from. Raises LookupFailed."""
    records = spf_record.select(lookup(domain, "TXT").records)
    if not records:
        return bad(f"{domain} has no SPF record", f'{domain}. TXT "v=spf1 mx -all"')
    if len(records) > 1:
        return bad(f"{domain} has {len(records)} SPF records, so none of them can be used", "merge them into one")
    lookups = voids = 0
    ending = ""
    refused = []
    try:
        for address in addresses or (_NOBODY,):
            evaluation = Evaluation(lookup, ipaddress.ip_address(address), f"postmaster@{domain}", helo)
            result = evaluation.run(domain, records[0])
            lookups, voids = max(lookups, evaluation.lookups), max(voids, evaluation.void_lookups)
            ending = evaluation.all
            if addresses and result != "pass":
                refused.append(f"{address} ({result})")
    except SpfError as error:
        return bad(f"the SPF record of {domain} is broken: {error}")
    info: dict[str, Any] = {"all": ending, "lookups": lookups, "void_lookups": voids}
    if lookups > MAX_LOOKUPS:
        problem = (
            f"the SPF record of {domain} needs {lookups} lookups, {MAX_LOOKUPS} are allowed: others take it for broken"
        )
        return bad(problem, "name networks (ip4:, ip6:) instead of the deepest include", **info)
    if voids > MAX_VOID_LOOKUPS:
        return bad(
            f"the SPF record of {domain} asks for {voids} names that do not exist, {MAX_VOID_LOOKUPS} are allowed",
            **info,
        )
    if refused:
        return bad(
            f"the SPF record of {domain} does not permit our address {', '.join(refused)}",
            "add mx or ip4:ADDRESS",
            **info,
        )
    if ending not in ("-all", "~all"):
        how = f"ends in {ending}" if ending else "does not end in -all or ~all"
        return bad(
            f"the SPF record of {domain} {how}: anybody may send in its name", "end it with -all or ~all", **info
        )
    return good(f"{ending}, {lookups} of {MAX_LOOKUPS} lookups", **info)
