"""What the collectors of the DNS and of the blocklists ask with: which resolver, which host, which domains."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mailserver_exporter.collectors.base import Context
from mailserver_exporter.sources import SourceError, files, mail_domains, postfix_conf, resolv_conf

_RESOLV_CONF = "/etc/resolv.conf"
_MAIN_CF = "/etc/postfix/main.cf"
_RSPAMD_KEYS = "/var/lib/rspamd/dkim"
_MAX_TABLE_BYTES = 1_000_000


@dataclass(frozen=True)
class MailDomain:
    """A domain with what is known of its DKIM selectors, and where its name was found."""

    name: str
    selectors: tuple[str, ...]
    where: str


def resolvers(context: Context) -> list[tuple[str, int]]:
    """Return address and port of the resolvers to ask: the configured one, else the host's. Raises OSError."""
    configured = context.config.dns.resolver
    if configured:
        return [resolv_conf.address_and_port(configured)]
    return resolv_conf.parse(files.read(context.host.path(_RESOLV_CONF)))


def mail_host(context: Context) -> str:
    """Return the name that the mail host greets with, nothing where it is not known."""
    name = context.config.dns.hostname or context.mailstack.get().hostname
    return name.lower().rstrip(".") if "." in name else ""


def base(context: Context, seconds: float) -> dict[str, Any]:
    """Return what both errands are given."""
    return {
        "resolver": resolvers(context),
        "host": mail_host(context),
        "addresses": list(context.config.dns.addresses),
        "seconds": seconds,
    }


def domains(context: Context) -> list[MailDomain]:
    """Return the configured domains, or those that this host seems to receive mail for."""
    configured = context.config.dns.domains
    if configured:
        return [MailDomain(_plain(each.name), each.dkim_selectors, "dns.domains") for each in configured]

    def read(path: str) -> bytes:
        # What cannot be read is one place less to look at.
        with contextlib.suppress(OSError, SourceError):
            return files.read(context.host.path(path), _MAX_TABLE_BYTES)
        return b""

    keys = mail_domains.keys(_directory(context, _RSPAMD_KEYS, whole=True), read)
    found: dict[str, str] = {}
    for name, where in _found(context, read):
        found.setdefault(name, where)
    for name in keys.by_domain:
        found.setdefault(name, "DKIM keys")
    names = [name for name in found if mail_domains.is_public_name(name)][: mail_domains.MAX_DOMAINS]
    return [MailDomain(name, keys.of(name), found[name]) for name in names]


def _found(context: Context, read: mail_domains.Read) -> Iterator[tuple[str, str]]:
    stack = context.mailstack.get()
    if stack.kind == "native":
        settings = postfix_conf.parse(read(_MAIN_CF))
        yield from ((name, _MAIN_CF) for name in mail_domains.of_postfix(settings, read))
    directory = str(context.config.vmail.directory or stack.vmail_directory)
    if directory:
        names = mail_domains.of_directories(_directory(context, directory))
        yield from ((name, directory) for name in names)
    if stack.hostname:
        yield mail_domains.of_host(stack.hostname), "the mail host's name"


def _directory(context: Context, path: str, *, whole: bool = False) -> list[str]:
    with contextlib.suppress(OSError):
        return mail_domains.list_entries(context.host.path(path), directories=not whole)
    return []


def _plain(name: str) -> str:
    return name.lower().rstrip(".")
