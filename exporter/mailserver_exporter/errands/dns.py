"""The errand that checks the DNS of the mail domains and the mail host.

Threads are all right here: the process does nothing else, and is gone when they have answered.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from mailserver_exporter.sources.posture import (
    addresses,
    caa,
    der,
    dkim,
    dmarc,
    dnssec,
    https,
    mta_sts,
    mx,
    port25,
    spf,
    tls_rpt,
    tlsa,
)
from mailserver_exporter.sources.posture.answers import LookupFailed, Verdict, absent
from mailserver_exporter.sources.posture.resolver import Resolver

_THREADS = 12

Check = Callable[[], Verdict]


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Check what the request names; answer what each check found, by domain, in the order it was asked for.

    ``request``: ``resolver`` ([address, port] of each), ``host`` (our name), ``addresses`` (ours, where configured),
    ``smtp`` ([address, port] of our port 25, or null), ``domains`` (name, selectors, and tentative where it is one only
    if it has an MX), ``checks`` (those wanted), ``seconds`` in all, ``https_port``.
    """
    return _Posture(request).run()


class _Posture:
    def __init__(self, request: dict[str, Any]) -> None:
        self._request = request
        self._end = time.monotonic() + request["seconds"]
        self._resolver = Resolver([(host, port) for host, port in request["resolver"]], end=self._end)
        self._lookup = self._resolver.lookup
        self._host: str = request["host"]
        self._validating = False

    def run(self) -> dict[str, Any]:
        try:
            self._validating = dnssec.validates(self._lookup)
        except LookupFailed as failure:
            if not self._resolver.answered:
                return self._all_failed(str(failure))
        with ThreadPoolExecutor(_THREADS) as pool:
            domains, ignored = self._mail_domains(pool)
            checks = [(domain["name"], name, check) for domain in domains for name, check in self._of_domain(domain)]
            if domains and self._host:
                checks += [(self._host, name, check) for name, check in self._of_host()]
            results = self._work(pool, checks)
            # Last, because they look at all that was answered.
            names = [domain["name"] for domain in domains]
            if domains and self._host and not any(_is_below(self._host, name) for name in names):
                names.append(self._host)
            results += self._work(pool, [(name, "dnssec", functools.partial(self._dnssec, name)) for name in names])
        return {"results": results, "ignored": ignored, "validating": self._validating}

    def _work(self, pool: ThreadPoolExecutor, checks: list[tuple[str, str, Check]]) -> list[dict[str, Any]]:
        wanted = [(domain, name, check) for domain, name, check in checks if name in self._request["checks"]]
        verdicts = pool.map(_judge, (check for *_, check in wanted))
        return [{"domain": d, "check": name, **verdict} for (d, name, _), verdict in zip(wanted, verdicts, strict=True)]

    def _mail_domains(self, pool: ThreadPoolExecutor) -> tuple[list[dict[str, Any]], list[str]]:
        """Tell the mail domains from what was only taken for one."""
        asked = list(self._request["domains"])
        found = list(zip(asked, pool.map(self._has_mail, asked), strict=True))
        return [domain for domain, yes in found if yes], [domain["name"] for domain, yes in found if not yes]

    def _has_mail(self, domain: dict[str, Any]) -> bool:
        if not domain["tentative"]:
            return True
        try:
            return bool(self._lookup(domain["name"], "MX").records)
        except LookupFailed:
            return False

    def _of_domain(self, domain: dict[str, Any]) -> Iterator[tuple[str, Check]]:
        name, lookup = domain["name"], self._lookup
        yield "mx", lambda: mx.check(name, self._host, lookup)
        rest: dict[str, Check] = {
            "spf": lambda: spf.check(name, self._own_addresses(), self._host or name, lookup),
            "dkim": lambda: dkim.check(name, domain["selectors"], lookup),
            "dmarc": lambda: dmarc.check(name, lookup),
            "mta_sts": lambda: mta_sts.check(name, mx.hosts(name, lookup), lookup, self._fetch_policy),
            "tls_rpt": lambda: tls_rpt.check(name, lookup),
        }
        for check, judge in rest.items():
            yield check, functools.partial(self._if_it_exists, name, judge)

    def _if_it_exists(self, domain: str, judge: Check) -> Verdict:
        """Leave it to the check of the MX to say that a domain does not exist, once."""
        if not self._lookup(domain, "MX").exists:
            return absent(f"not judged: the domain {domain} does not exist", moot=True)
        return judge()

    def _of_host(self) -> Iterator[tuple[str, Check]]:
        host, lookup, configured = self._host, self._lookup, self._request["addresses"]
        yield "a", lambda: addresses.check(host, "A", configured, lookup)
        yield "aaaa", lambda: addresses.check(host, "AAAA", configured, lookup)
        yield "ptr", lambda: addresses.check_reverse(self._own_addresses(), host, lookup)
        yield "tlsa", lambda: tlsa.check(host, self._certificates, self._validating, lookup)
        yield "caa", lambda: caa.check(host, self._issuers(), lookup)

    def _own_addresses(self) -> list[str]:
        return self._request["addresses"] or (addresses.public(self._host, self._lookup) if self._host else [])

    def _dnssec(self, domain: str) -> Verdict:
        seen = [answer for name, answer in self._resolver.answers() if _is_below(name, domain)]
        return dnssec.check(domain, seen, self._validating, self._lookup)

    def _fetch_policy(self, host: str) -> bytes:
        if time.monotonic() + https.SECONDS > self._end:
            raise LookupFailed(f"{host}: no time left")
        return https.fetch_policy(host, self._lookup, port=self._request.get("https_port", 443))

    @functools.cached_property
    def _certificates(self) -> list[bytes] | None:
        if self._request["smtp"] is None:
            return None
        address, port = self._request["smtp"]
        try:
            return port25.certificates(address, port, self._host)
        except OSError:
            return None  # the port has an alert of its own

    def _issuers(self) -> tuple[str, ...]:
        try:
            return der.certificate(self._certificates[0]).issuer_organizations if self._certificates else ()
        except ValueError:
            return ()

    def _all_failed(self, reason: str) -> dict[str, Any]:
        """Answer for a resolver that says nothing at all, without asking it everything."""
        of_domain = [(d["name"], name) for d in self._request["domains"] for name, _ in self._of_domain(d)]
        of_domain += [(d["name"], "dnssec") for d in self._request["domains"]]
        tentative = {domain["name"] for domain in self._request["domains"] if domain["tentative"]}
        asked = [(domain, name) for domain, name in of_domain if domain not in tentative]
        if asked and self._host:
            asked += [(self._host, name) for name, _ in self._of_host()]
        wanted = [(domain, name) for domain, name in asked if name in self._request["checks"]]
        results = [{"domain": domain, "check": name, **_failed(reason)} for domain, name in wanted]
        return {"results": results, "ignored": sorted(tentative), "validating": False, "failure": reason}


def _judge(check: Check) -> dict[str, Any]:
    try:
        return asdict(check())
    except LookupFailed as failure:
        return _failed(str(failure))


def _failed(reason: str) -> dict[str, Any]:
    return {"state": "error", "detail": reason, "remedy": "", "info": {}}


def _is_below(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")
