"""Which ports are mail's on this host, for all collectors that look at them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from mailserver_exporter.collectors.base import Context, Detection
from mailserver_exporter.mailstack import Stack
from mailserver_exporter.settings.mail import PortTarget
from mailserver_exporter.sources import listening
from mailserver_exporter.sources.probe import MODULES, Target

# Each port, what mailcow.conf calls it, and how to speak to it.
PORTS = (
    (25, "SMTP_PORT", "smtp_starttls"),
    (465, "SMTPS_PORT", "smtp_tls"),
    (587, "SUBMISSION_PORT", "smtp_starttls"),
    (143, "IMAP_PORT", "imap_starttls"),
    (993, "IMAPS_PORT", "imap_tls"),
    (110, "POP_PORT", "pop3_starttls"),
    (995, "POPS_PORT", "pop3_tls"),
    (4190, "SIEVE_PORT", "sieve_starttls"),
    (8443, "HTTPS_PORT", "https"),
)
LOOPBACK, IPV6_LOOPBACK = "127.0.0.1", "::1"
_NAME = re.compile(r"\[?(?P<host>[^\[\]/]+)\]?:(?P<port>\d{1,5})/(?P<module>\w+)")


class Watched(NamedTuple):
    """Targets by name, and the names of those that are expected whether or not they were ever up."""

    targets: dict[str, Target]
    named: set[str]


class MailPorts:
    """The mail ports of one host: those of the configuration, or of the mail stack, or those once seen."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._section = context.config.ports

    def detect(self) -> Detection:
        """Found: targets or a host in the configuration, a mail stack, a port seen before, or one that listens now."""
        section = self._section
        if section.targets or section.webmail_port or section.host != LOOPBACK:
            return Detection(True, "named in the configuration")
        stack = self._context.mailstack.get()
        if stack.kind != "none":
            return Detection(True, f"the ports of {stack.kind}")
        if seen := self._context.expectations.expect("port", ()):
            return Detection(True, f"{len(seen)} ports seen before")
        proc = self._context.host.proc
        found = listening.ports((proc("self/net/tcp"), proc("self/net/tcp6"))) & {port for port, _, _ in PORTS}
        if found:
            return Detection(True, "listening: " + ", ".join(map(str, sorted(found))))
        return Detection(False, "nothing listens on " + ", ".join(str(port) for port, _, _ in PORTS))

    def watched(self) -> Watched:
        """Return what to look at now."""
        if self._section.targets:
            targets = _by_name(map(_configured, self._section.targets))
            return Watched(targets, set(targets))
        stack = self._context.mailstack.get()
        usual = [self._usual(stack, *port) for port in PORTS]
        targets = _by_name(usual)
        if listening.has_ipv6(self._context.host.proc("self/net/if_inet6")):
            targets |= _by_name(replace(target, host=IPV6_LOOPBACK) for target in usual if target.host == LOOPBACK)
        if stack.kind == "mailcow":
            return Watched(targets, {target.name for target in usual})
        for name in self._context.expectations.expect("port", ()):
            if name not in targets and (target := _remembered(name)):
                targets[name] = target
        return Watched(targets, {usual[-1].name} if self._section.webmail_port else set())

    def expected(self) -> Iterator[Target]:
        """Yield the targets that must be up: those named, and those that once were."""
        watched = self.watched()
        expected = watched.named | self._context.expectations.expect("port", ())
        yield from (target for name, target in watched.targets.items() if name in expected)

    def _usual(self, stack: Stack, port: int, name: str, module: str) -> Target:
        section = self._section
        host = stack.hosts.get(name, section.host) if section.host == LOOPBACK else section.host
        port = stack.ports.get(name, port)
        if module == "https" and section.webmail_port:
            port = section.webmail_port
        return Target(host, port, module, server_name=stack.hostname)


def _by_name(targets: Iterable[Target]) -> dict[str, Target]:
    return {target.name: target for target in targets}


def _configured(target: PortTarget) -> Target:
    if target.protocol in ("http", "https"):
        module = "https" if target.protocol == "https" or target.tls == "implicit" else "http"
    else:
        module = target.protocol + {"none": "", "starttls": "_starttls", "implicit": "_tls"}[target.tls]
    starttls = target.tls == "starttls"
    return Target(target.host, target.port, module, require_tls=starttls, path=target.path, text=target.text or "")


def _remembered(name: str) -> Target | None:
    """Return the target that an expectation's name stands for, None when it is no such name."""
    match = _NAME.fullmatch(name)
    if match is None or match["module"] not in MODULES or not 0 < int(match["port"]) < 65536:
        return None
    return Target(match["host"], int(match["port"]), match["module"])
