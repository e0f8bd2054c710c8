"""Probe several ports at the same time, in one thread: does the server greet, and when does its certificate end?

Each probe is a generator that yields the poll(2) events it waits for; ``Prober.run`` wakes it when they come or when
its time is up, so that a silent port delays no other. What is said is in the dialogues (smtp.py, imap.py ...).
"""

from __future__ import annotations

import contextlib
import functools
import math
import select
import socket
import ssl
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mailserver_exporter.sources import SourceError, http_status, imap, pop3, sieve, smtp, tls
from mailserver_exporter.sources.connection import Address, Connection, Work
from mailserver_exporter.sources.dialogue import Dialogue, Do, Note, ProbeError, Reason, Send, printable
from mailserver_exporter.sources.story import Step, Story

TIMEOUT = 5.0
# For a server that has begun to speak: postscreen(8) takes six seconds between its first line and its last.
GRACE = 2.0

MODULES = (
    *("smtp", "smtp_starttls", "smtp_tls", "imap", "imap_starttls", "imap_tls", "pop3", "pop3_starttls", "pop3_tls"),
    *("sieve", "sieve_starttls", "http", "https"),
)
REASONS: tuple[Reason, ...] = ("connect", "timeout", "greeting", "tls", "status", "text")
# In the order in which they come where TLS comes first.
PHASES = ("resolve", "connect", "tls", "greeting")


@dataclass(frozen=True)
class Target:
    """A port and how to speak to it.

    With a ``*_starttls`` module the greeting alone makes the port count as up, unless ``require_tls``; TLS is there to
    read the certificate, and left out when ``ask_tls`` is off. ``text`` must be on the page of a web server.
    ``server_name`` is who we say we want (SNI, Host).
    """

    host: str
    port: int
    module: str
    require_tls: bool = False
    ask_tls: bool = True
    path: str = "/"
    text: str = ""
    server_name: str = ""

    @property
    def label(self) -> str:
        """The target as HOST:PORT."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def name(self) -> str:
        """What the target is expected and forgotten by: HOST:PORT/module."""
        return f"{self.label}/{self.module}"


@dataclass(frozen=True)
class Handshake:
    """What TLS came to: version and cipher as OpenSSL names them, the presented certificates (DER, the server's own
    first) and their earliest notAfter in Unix seconds, None where they cannot be read.
    """

    version: str
    cipher: str
    certificates: tuple[bytes, ...]
    expiry: float | None


@dataclass(frozen=True)
class Result:
    """How a probe ended.

    ``seconds`` is the time until the outcome was known. ``message`` says why a port is down; of one that is up, what
    went wrong after it had greeted. ``phases`` holds the seconds of each of PHASES that was gone through, and of the
    transfer of a page, ``notes`` what the dialogue learned, ``ip_protocol`` is 4 or 6, 0 without a connection.
    """

    target: Target
    up: bool
    seconds: float
    reason: Reason | None = None
    message: str = ""
    handshake: Handshake | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    notes: Mapping[str, float] = field(default_factory=dict)
    ip_protocol: int = 0
    story: tuple[Step, ...] = ()

    @property
    def expiry(self) -> float | None:
        """When the first of the presented certificates expires, Unix seconds."""
        return self.handshake.expiry if self.handshake else None

    def without_story(self) -> Result:
        """Return what is worth keeping: without the steps and the certificates themselves."""
        return replace(self, story=(), handshake=self.handshake and replace(self.handshake, certificates=()))


class Prober:
    """Probes targets; keeps what is expensive to make."""

    def __init__(
        self, timeout: float = TIMEOUT, grace: float = GRACE, *, context: ssl.SSLContext | None = None
    ) -> None:
        self.timeout = timeout
        self.grace = grace
        self._addresses: dict[str, list[Address]] = {}
        self._context = context

    @functools.cached_property
    def tls_context(self) -> ssl.SSLContext:
        """The context that all probes share; by default one that takes every server as it is."""
        return self._context or tls.client_context()

    def run(self, targets: Sequence[Target]) -> list[Result]:
        """Probe all targets at the same time; return after ``timeout`` plus ``grace`` seconds at the latest.

        Only the lookup of a host name can take longer, and it is kept as long as it leads somewhere. Never raises for
        what a server or the network does.
        """
        poll = select.poll()
        waiting: dict[int, _Probe] = {}
        probes = ready = [_Probe(self, target) for target in targets]
        try:
            while True:
                for probe in ready:
                    if events := probe.advance():
                        descriptor = probe.connection.descriptor
                        poll.register(descriptor, events)
                        waiting[descriptor] = probe
                if not waiting:
                    return [probe.result() for probe in probes]
                pause = min(probe.end for probe in waiting.values()) - time.monotonic()
                woken = {descriptor for descriptor, _ in poll.poll(max(0, pause * 1000 + 1))}
                now = time.monotonic()
                woken |= {descriptor for descriptor, probe in waiting.items() if now >= probe.end}
                for descriptor in woken:
                    poll.unregister(descriptor)
                ready = [waiting.pop(descriptor) for descriptor in woken]
        finally:
            for probe in probes:
                probe.connection.close()

    def addresses(self, target: Target) -> list[Address]:
        """Look a host name up, or remember it. Raises ProbeError."""
        found = self._addresses.get(target.label)
        if found is None:
            try:
                answers = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError) as error:
                reason = getattr(error, "strerror", None) or error
                raise ProbeError("connect", f"cannot look up {target.host}: {reason}") from error
            found = self._addresses[target.label] = [(family, address) for family, _, _, _, address in answers]
        return found

    def forget_addresses(self, target: Target) -> None:
        """Look the name up again next time."""
        self._addresses.pop(target.label, None)


class _OutOfTimeError(Exception):
    """The probe's time is up."""


class _Probe:
    """One probe under way: leads a dialogue over a connection and keeps the verdict and the story."""

    def __init__(self, prober: Prober, target: Target) -> None:
        self.target = target
        # Shared, and not a callback to self: a cycle would keep the TLS buffers until the garbage collector comes by.
        self._story = Story()
        self.connection = Connection(self._story)
        self.end = math.inf
        self._prober = prober
        self._spoke = False
        self._up_after: float | None = None
        self._down_after = 0.0
        self._failure: tuple[Reason, str] | None = None
        self._handshake: Handshake | None = None
        self._phases: dict[str, float] = {}
        self._notes: dict[str, float] = {}
        self._work = self._run()

    def advance(self) -> int:
        """Go on as far as possible; return the poll events to wait for, 0 when done."""
        try:
            if time.monotonic() >= self.end:
                return self._work.throw(_OutOfTimeError())
            return next(self._work)
        except StopIteration:
            return 0

    def result(self) -> Result:
        """Return the outcome of a probe that is done."""
        up = self._up_after is not None
        reason, message = self._failure or (None, "")
        return Result(
            target=self.target,
            up=up,
            seconds=self._down_after if self._up_after is None else self._up_after,
            reason=None if up else reason,
            message=message,
            handshake=self._handshake,
            phases=self._phases,
            notes=self._notes,
            ip_protocol={socket.AF_INET: 4, socket.AF_INET6: 6}.get(self.connection.family, 0),
            story=tuple(self._story.steps),
        )

    def _run(self) -> Work:
        self._story.started = time.monotonic()
        self.end = self._story.started + self._prober.timeout
        try:
            with self._phase("resolve"):
                addresses = self._prober.addresses(self.target)
            found = [str(address[0]) for _, address in addresses]
            if found != [self.target.host]:
                self._story.tell(f"{self.target.host} is at {', '.join(found)}")
            with self._phase("connect"):
                yield from self.connection.connect(addresses)
            yield from self._converse(self._dialogue())
        except ProbeError as failure:
            self._fail(failure.reason, str(failure))
        except _OutOfTimeError:
            self._fail("timeout", f"no {self.connection.awaited} within {self.end - self._story.started:g} s")
        except OSError as error:
            reasons: dict[str, Reason] = {"TCP connection": "connect", "TLS handshake": "tls"}
            awaited = self.connection.awaited
            self._fail(reasons.get(awaited, "greeting"), f"{error.strerror or error} while waiting for the {awaited}")
        self.connection.close()

    @contextlib.contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        """Measure how long it takes; a phase that fails has no time."""
        started = time.monotonic()
        yield
        self._phases[name] = time.monotonic() - started

    def _fail(self, reason: Reason, message: str) -> None:
        if self._up_after is not None and self.connection.awaited == "farewell":
            return  # who has said all that counts may hang up on us
        if self.connection.awaited == "TCP connection":
            self._prober.forget_addresses(self.target)
        self._failure = (reason, message)
        self._down_after = self._story.elapsed()
        self._story.tell(f"{reason}: {message}")

    def _dialogue(self) -> Dialogue:
        target = self.target
        ask_tls = target.module.endswith("_starttls") and target.ask_tls
        require_tls = target.module.endswith("_starttls") and target.require_tls
        if target.module.startswith("smtp"):
            own = self.connection.own_address
            # RFC 5321 4.1.3: a client without a name of its own says its address.
            own_name = f"[IPv6:{own}]" if ":" in own else f"[{own}]"
            return smtp.dialogue(own_name, ask_tls=ask_tls, require_tls=require_tls)
        if target.module.startswith("imap"):
            return imap.dialogue(ask_tls=ask_tls, require_tls=require_tls)
        if target.module.startswith("pop3"):
            return pop3.dialogue(ask_tls=ask_tls, require_tls=require_tls)
        if target.module.startswith("sieve"):
            return sieve.dialogue(ask_tls=ask_tls, require_tls=require_tls)
        host = target.server_name or target.label.rpartition(":")[0]
        usual = target.port == (443 if target.module == "https" else 80)
        return http_status.dialogue(host if usual else f"{host}:{target.port}", target.path, target.text)

    def _converse(self, dialogue: Dialogue) -> Work:
        if self.target.module.endswith(("_tls", "https")):
            yield from self._start_tls()
        self.connection.awaited = "greeting"
        answer = b""
        wish: Send | Do | Note = next(dialogue)
        while True:
            if isinstance(wish, Send):
                yield from self._send(wish.data)
            elif isinstance(wish, Note):
                self._notes[wish.name] = float(wish.value)
            elif wish is Do.READ_LINE:
                answer = yield from self._line()
            elif wish is Do.READ_ALL:
                self.connection.awaited = "page"
                with self._phase("transfer"):
                    answer = yield from self.connection.rest()
            elif wish is Do.START_TLS:
                yield from self._start_tls()
            elif wish is Do.COUNT_AS_UP:
                self._up_after = self._story.elapsed()
            else:
                self.connection.awaited = "farewell"
                with self._phase("transfer"):
                    yield from self.connection.drain()
            try:
                wish = dialogue.send(answer)
            except StopIteration:
                return

    def _send(self, data: bytes) -> Work:
        command = printable(data.partition(b"\r\n")[0])
        self._story.tell(f"> {command}", detail=True)
        if command.endswith(("QUIT", "LOGOUT")):
            self.connection.awaited = "farewell"
        elif self._spoke:
            self.connection.awaited = f"answer to {command}"
        yield from self.connection.send(data)

    def _line(self) -> Generator[int, None, bytes]:
        if self._spoke:
            line = yield from self.connection.line()
        else:
            with self._phase("greeting"):
                line = yield from self.connection.line()
        self._story.tell(f"< {printable(line)}", detail=self._spoke)
        if not self._spoke:
            self._spoke = True
            self.end += self._prober.grace
        return line

    def _start_tls(self) -> Work:
        self.connection.awaited = "TLS handshake"
        name = self.target.server_name or self.target.host
        with self._phase("tls"):
            shaken = yield from self.connection.start_tls(self._prober.tls_context, name)
        version, [cipher, *_] = shaken.version() or "", shaken.cipher() or ["no cipher"]
        self._story.tell(f"{version} with {cipher}")
        certificates = tls.presented_certificates(shaken)
        expiry = None
        try:
            expiry = tls.earliest_expiry(certificates)
        except SourceError as error:
            self._story.tell(f"certificate: {error}")
        else:
            when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(expiry))
            number = "1 certificate" if len(certificates) == 1 else f"{len(certificates)} certificates"
            self._story.tell(f"{number} presented, valid until {when}")
        self._handshake = Handshake(version, cipher, tuple(certificates), expiry)
