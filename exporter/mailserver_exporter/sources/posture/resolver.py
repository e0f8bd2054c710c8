"""Ask a resolver by way of dnspython: UDP, TCP where that was cut off, several servers, all in bounded time.

Only an errand imports this: dnspython costs 14 MiB.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype

from mailserver_exporter.sources.posture.answers import Answer, LookupFailed, shown

# RFC 9715: larger than this and UDP is fragmented.
_PAYLOAD = 1232
_MAX_RECORDS = 100
_GOOD_CODES = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)


def _host(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower().removesuffix(".")


def _text(data: Any) -> str:
    return b"".join(data.strings).decode("utf-8", "replace")


# How each type's records are given.
_VALUES: dict[str, Callable[[Any], Any]] = {
    "A": lambda data: data.address,
    "AAAA": lambda data: data.address,
    "MX": lambda data: (data.preference, _host(data.exchange)),
    "PTR": lambda data: _host(data.target),
    "TXT": _text,
    "TLSA": lambda data: (data.usage, data.selector, data.mtype, data.cert),
    "CAA": lambda data: (data.flags, data.tag.decode("ascii", "replace"), data.value.decode("utf-8", "replace")),
    "DS": lambda data: data.key_tag,
    "SOA": lambda data: data.serial,
}


class Resolver:
    """Asks ``servers`` in turn. Answers are kept for the life of the object, failures, too. Safe for many threads."""

    def __init__(self, servers: Sequence[tuple[str, int]], *, seconds: float = 3.0, tries: int = 2, end: float) -> None:
        """Give each question ``seconds`` on each server, ``tries`` times, and all of them up to ``end`` (monotonic)."""
        self._servers = [(str(ipaddress.ip_address(host)), port) for host, port in servers]
        self._seconds = seconds
        self._tries = tries
        self._end = end
        self._answering: tuple[str, int] | None = None
        self._known: dict[tuple[str, str], Answer | LookupFailed] = {}
        self._lock = threading.Lock()

    @property
    def answered(self) -> bool:
        """Whether any server ever said anything."""
        return self._answering is not None

    def lookup(self, name: str, kind: str) -> Answer:
        """Return the records of a name; raises LookupFailed."""
        key = (name.lower().rstrip("."), kind)
        with self._lock:
            known = self._known.get(key)
        if known is None:
            try:
                known = self._ask(*key)
            except LookupFailed as error:
                known = error
            with self._lock:
                self._known[key] = known
        if isinstance(known, LookupFailed):
            raise LookupFailed(str(known))
        return known

    def answers(self) -> list[tuple[str, Answer]]:
        """Return all answers so far, each with the name that was asked for."""
        with self._lock:
            return [(name, answer) for (name, _), answer in self._known.items() if isinstance(answer, Answer)]

    def _ask(self, name: str, kind: str) -> Answer:
        try:
            question = dns.name.from_text(f"{name}.")
        except (dns.exception.DNSException, UnicodeError):
            return Answer(exists=False)  # no such name can exist
        what = f"{shown(name)} {kind}"
        answer, code = self._exchange(question, kind, 0, what)
        bogus = False
        if code == dns.rcode.SERVFAIL:
            checked = answer
            answer, code = self._exchange(question, kind, dns.flags.CD, what)
            bogus = code in _GOOD_CODES
            if not bogus:
                raise LookupFailed(f"{what}: {dns.rcode.to_text(checked.rcode())}")
        if code not in _GOOD_CODES:
            raise LookupFailed(f"{what}: {dns.rcode.to_text(code)}")
        return _read(answer, kind, bogus, what)

    def _exchange(
        self, name: dns.name.Name, kind: str, flags: int, what: str
    ) -> tuple[dns.message.Message, dns.rcode.Rcode]:
        """Return the first server's answer that is one, else the last refusal; raises LookupFailed without any."""
        refusal: tuple[dns.message.Message, dns.rcode.Rcode] | None = None
        reason = ""
        for attempt in range(self._tries):
            # The one that answered last comes first, or each question would wait for one that is down.
            for server in sorted(self._servers, key=lambda server: server != self._answering):
                host, port = server
                left = self._end - time.monotonic()
                if left <= 0:
                    raise LookupFailed(f"{what}: no time left")
                try:
                    answer = _send(name, kind, flags, (host, port), min(self._seconds * (attempt + 1), left))
                except dns.exception.Timeout:
                    reason = f"no answer from {host} port {port}"
                except (dns.exception.DNSException, OSError, EOFError, ValueError) as error:
                    reason = f"{host} port {port}: {_why(error)}"
                else:
                    self._answering = server
                    if answer.rcode() in _GOOD_CODES:
                        return answer, answer.rcode()
                    refusal = answer, answer.rcode()
            if refusal is not None:
                return refusal
        raise LookupFailed(f"{what}: {reason}")


def _send(name: dns.name.Name, kind: str, flags: int, server: tuple[str, int], seconds: float) -> dns.message.Message:
    query = dns.message.make_query(name, kind, use_edns=0, payload=_PAYLOAD, want_dnssec=True)
    query.flags |= dns.flags.RD | dns.flags.AD | flags
    answer, _ = dns.query.udp_with_fallback(
        query, server[0], seconds, server[1], ignore_unexpected=True, ignore_errors=True
    )
    return answer


def _read(answer: dns.message.Message, kind: str, bogus: bool, what: str) -> Answer:
    authenticated = bool(answer.flags & dns.flags.AD) and not bogus
    exists = answer.rcode() != dns.rcode.NXDOMAIN
    alias = ""
    values: list[Any] = []
    try:
        if not isinstance(answer, dns.message.QueryMessage):
            raise LookupFailed(f"{what}: the answer is no answer")
        chain = answer.resolve_chaining()
        alias = _host(chain.canonical_name) if chain.cnames else ""
        if chain.answer is not None and chain.answer.rdtype == dns.rdatatype.from_text(kind):
            values = [_VALUES[kind](data) for data in list(chain.answer)[:_MAX_RECORDS]]
    except (dns.exception.DNSException, ValueError, AttributeError) as error:
        raise LookupFailed(f"{what}: an answer that makes no sense ({_why(error)})") from error
    return Answer(tuple(values), exists, alias, authenticated, bogus)


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return shown(str(error) or type(error).__name__, 100)
