"""Which domains a mail server seems to receive mail for, and the DKIM selectors it signs with.

There is no one place to ask: Postfix' domains are in main.cf, in tables and in databases, mailcow's in MySQL and Redis.
Read here is what can be read without a password; the DNS then tells which of them are mail domains.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

_DOMAIN = re.compile(r"(?=.{4,253}$)((?!-)[a-z0-9_-]{1,63}(?<!-)\.)+(?!-)(?=.*[a-z])[a-z0-9-]{2,63}(?<!-)")
# Names for one's own network (RFC 2606, 6762, 7686, 8375, and what people use).
_PRIVATE = (".local", ".localdomain", ".localhost", ".internal", ".lan", ".home", ".arpa", ".invalid", ".onion")
_POSTFIX_LISTS = ("mydomain", "mydestination", "virtual_mailbox_domains", "virtual_alias_domains", "relay_domains")
_POSTFIX_TABLES = ("hash", "btree", "texthash", "cdb", "lmdb", "dbm")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|\((\w+)\)|(\w+))")
_KEY_FILE = re.compile(r"(?P<domain>.+)\.(?P<selector>[A-Za-z0-9_-]+)\.key")
_RSPAMD_SETTING = re.compile(r'^\s*(selector|selector_map)\s*=\s*"?([^";\s]+)', re.MULTILINE)
MAX_DOMAINS = 500
_MAX_DEPTH = 3
_MAX_VALUE = 100_000

# Reads a file of the host, b"" where that cannot be done.
Read = Callable[[str], bytes]


@dataclass(frozen=True)
class Keys:
    """DKIM selectors by domain, and those that hold for every other domain."""

    by_domain: dict[str, tuple[str, ...]]
    usual: tuple[str, ...] = ()

    def of(self, domain: str) -> tuple[str, ...]:
        """Return the selectors of a domain, none where they are not known."""
        return self.by_domain.get(domain, self.usual)


def is_public_name(name: str) -> bool:
    """Say whether a name could be a mail domain of the world outside."""
    return bool(_DOMAIN.fullmatch(name)) and not name.endswith(_PRIVATE)


def of_host(hostname: str) -> str:
    """Return the domain that a host's name most probably is in: ``mail.example.org`` is of ``example.org``."""
    name = hostname.lower().rstrip(".")
    return name.partition(".")[2] if name.count(".") > 1 else name


def of_directories(names: Iterable[str]) -> Iterator[str]:
    """Yield those directories of a mail store (DOMAIN/USER) that are named as a domain."""
    return (name.lower() for name in names if is_public_name(name.lower()))


def list_entries(path: str, *, directories: bool) -> list[str]:
    """Return the names in ``path``, of ``directories`` or of all; raises OSError."""
    with os.scandir(path) as entries:
        first = itertools.islice(entries, 20 * MAX_DOMAINS)
        return [entry.name for entry in first if not directories or entry.is_dir(follow_symlinks=False)]


def of_postfix(settings: dict[str, str], read: Read) -> Iterator[str]:
    """Yield the domains of main.cf and of the tables it names that are text files beside their index, postconf(5)."""
    host = settings.get("myhostname", "").lower()
    known = {**settings, "mydomain": settings.get("mydomain", of_host(host))}
    for setting in _POSTFIX_LISTS:
        value = known.get(setting, "")
        for _ in range(_MAX_DEPTH):
            value = _VARIABLE.sub(lambda match: known.get(match[1] or match[2] or match[3], ""), value)[:_MAX_VALUE]
        for word in re.split(r"[\s,]+", value):
            kind, _, path = word.rpartition(":")
            if path.startswith("/") and kind in ("", *_POSTFIX_TABLES):
                yield from _first_words(read(path))
            elif is_public_name(word.lower()) and word.lower() not in (host, f"localhost.{known['mydomain']}"):
                yield word.lower()


def _first_words(data: bytes) -> Iterator[str]:
    for line in data.decode("utf-8", "replace").splitlines():
        words = line.split()
        if words and not line[0].isspace() and is_public_name(words[0].lower()):
            yield words[0].lower()


def keys(rspamd_files: Iterable[str], read: Read) -> Keys:
    """Return the selectors of Rspamd's dkim_signing (keys are DOMAIN.SELECTOR.key) and of opendkim.conf(5)."""
    found: dict[str, list[str]] = {}
    usual = []
    for file in rspamd_files:
        if match := _KEY_FILE.fullmatch(file):
            found.setdefault(match["domain"].lower(), []).append(match["selector"])
    for name, value in _RSPAMD_SETTING.findall(
        read("/etc/rspamd/local.d/dkim_signing.conf").decode("utf-8", "replace")
    ):
        if name == "selector":
            usual.append(value)
        else:
            for domain, selector in _pairs(read(value)):
                found.setdefault(domain.lower(), []).append(selector)
    opendkim = dict(_pairs(read("/etc/opendkim.conf")))
    if "Domain" in opendkim and "Selector" in opendkim:
        for domain in opendkim["Domain"].split(","):
            found.setdefault(domain.lower(), []).append(opendkim["Selector"])
    table = opendkim.get("KeyTable", "").rpartition(":")[2]
    for _, entry in _pairs(read(table)) if table.startswith("/") else ():
        domain, _, rest = entry.partition(":")
        if selector := rest.partition(":")[0]:
            found.setdefault(domain.lower(), []).append(selector)
    return Keys({domain: tuple(dict.fromkeys(names)) for domain, names in found.items()}, tuple(dict.fromkeys(usual)))


def _pairs(data: bytes) -> Iterator[tuple[str, str]]:
    for line in data.decode("utf-8", "replace").splitlines():
        words = line.split()
        if len(words) > 1 and not words[0].startswith("#"):
            yield words[0], words[1]
