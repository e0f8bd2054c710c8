"""The syntax of an SPF record (RFC 7208 4.5, 4.6.1, 5, 6, 12) and its macros (7)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from mailserver_exporter.sources.posture.answers import shown

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_VERSION = re.compile(r"v=spf1( |$)", re.IGNORECASE)
_TERM = re.compile(r"([+?~-]?)([a-z][a-z0-9_.-]*)([:=/]?)(.*)", re.IGNORECASE | re.DOTALL)
_MACRO = re.compile(r"%\{([slodiphcrtv])([0-9]*)(r?)([.+,/_=-]*)\}|%([%_-])", re.IGNORECASE)
_LITERAL = re.compile(r"[!-$&-~]*")
_TOP_LABEL = re.compile(r"(?=.*[a-z-])[a-z0-9]([a-z0-9-]*[a-z0-9])?", re.IGNORECASE)
_PREFIXES = re.compile(r"(.*?)(?:/(0|[1-9][0-9]?))?(?://(0|[1-9][0-9]{0,2}))?", re.DOTALL)
_NEEDS_DOMAIN, _MAY_HAVE_DOMAIN = {"include", "exists"}, {"a", "mx", "ptr"}
MECHANISMS = {"all", "ip4", "ip6", *_NEEDS_DOMAIN, *_MAY_HAVE_DOMAIN}
_MAX_NAME = 253


class SpfError(ValueError):
    """What RFC 7208 calls permerror: the record cannot be used by anybody."""


@dataclass(frozen=True)
class Mechanism:
    """One mechanism. ``domain`` is a domain-spec with its macros, empty for the record's own domain."""

    qualifier: str
    name: str
    domain: str = ""
    prefix4: int = 32
    prefix6: int = 128
    network: Network | None = None


@dataclass(frozen=True)
class Record:
    """A parsed record; ``all`` is its last word with the qualifier, such as ``-all``, empty without."""

    mechanisms: tuple[Mechanism, ...]
    redirect: str = ""

    @property
    def all(self) -> str:
        """How the record ends for whom nothing else matches."""
        return next((f"{m.qualifier}all" for m in self.mechanisms if m.name == "all"), "")


def select(texts: tuple[str, ...]) -> list[str]:
    """Return those of a name's TXT records that are SPF."""
    return [text for text in texts if _VERSION.match(text)]


def parse(text: str) -> Record:
    """Parse a record; raises SpfError."""
    mechanisms: list[Mechanism] = []
    modifiers: dict[str, str] = {}
    for term in text[len("v=spf1") :].split(" "):
        if not term:
            continue
        match = _TERM.fullmatch(term)
        if not match:
            raise SpfError(f"{shown(term, 60)!r} is no term of SPF")
        qualifier, name, mark, rest = match[1], match[2].lower(), match[3], match[4]
        if mark == "=" and not qualifier:
            if name in modifiers and name in ("redirect", "exp"):
                raise SpfError(f"{name}= is given twice")
            if name in ("redirect", "exp"):
                _check_domain(rest, term)
            elif not _is_macro_string(rest):
                raise SpfError(f"{shown(term, 60)!r} has a broken macro")
            modifiers[name] = rest
        else:
            mechanisms.append(_mechanism(qualifier or "+", name, mark, rest, term))
    return Record(tuple(mechanisms), modifiers.get("redirect", ""))


def _mechanism(qualifier: str, name: str, mark: str, rest: str, term: str) -> Mechanism:
    what = shown(term, 60)
    if name not in MECHANISMS:
        raise SpfError(f"{what!r} is no mechanism of SPF")
    if name == "all":
        if mark:
            raise SpfError(f"{what!r}: all takes nothing")
        return Mechanism(qualifier, name)
    if name in ("ip4", "ip6"):
        return Mechanism(qualifier, name, network=_network(name, mark, rest, what))
    prefix4, prefix6 = 32, 128
    if name in ("a", "mx"):
        match = _PREFIXES.fullmatch(mark + rest)
        assert match  # noqa: S101 - every part of it may be empty
        domain, prefix4, prefix6 = match[1], int(match[2] or 32), int(match[3] or 128)
        if prefix4 > 32 or prefix6 > 128:
            raise SpfError(f"{what!r} has a prefix that is too long")
        mark, rest = domain[:1], domain[1:]
    if mark not in ("", ":") or (mark == ":" and not rest) or (not mark and name in _NEEDS_DOMAIN):
        raise SpfError(f"{what!r} needs a domain" if name in _NEEDS_DOMAIN or mark == ":" else f"{what!r} is broken")
    if rest:
        _check_domain(rest, term)
    return Mechanism(qualifier, name, rest, prefix4, prefix6)


def _network(name: str, mark: str, rest: str, what: str) -> Network:
    kind = ipaddress.IPv4Network if name == "ip4" else ipaddress.IPv6Network
    if mark != ":" or not re.fullmatch(r"[0-9a-fA-F:.]+(/(0|[1-9][0-9]{0,2}))?", rest):
        raise SpfError(f"{what!r} has no {name.replace('ip', 'IPv')} address")
    try:
        return kind(rest, strict=False)
    except ValueError:
        raise SpfError(f"{what!r} has no {name.replace('ip', 'IPv')} address") from None


def _is_macro_string(text: str) -> bool:
    return bool(_LITERAL.fullmatch(_MACRO.sub("", text)))


def _check_domain(spec: str, term: str) -> None:
    """A domain-spec ends with a macro or with a top label behind a dot, RFC 7208 7.1."""
    if not _is_macro_string(spec):
        raise SpfError(f"{shown(term, 60)!r} has a broken macro or a character that is not allowed")
    if spec.endswith("}") and _MACRO.search(spec):
        return
    head, dot, top = spec.removesuffix(".").rpartition(".")
    if not (head and dot and _TOP_LABEL.fullmatch(top)):
        raise SpfError(f"{shown(term, 60)!r} has no domain name")


def expand(spec: str, *, domain: str, address: Address, sender: str, helo: str) -> str:
    """Expand the macros of a domain-spec, RFC 7208 7.3; of a name that is too long the left labels are taken off."""
    local, _, of = sender.rpartition("@")
    dotted = str(address) if address.version == 4 else ".".join(f"{int(address):032x}")
    values = {
        "s": sender,
        "l": local,
        "o": of,
        "d": domain,
        "i": dotted,
        "p": "unknown",
        "h": helo,
        "v": "in-addr" if address.version == 4 else "ip6",
    }

    def one(match: re.Match[str]) -> str:
        if match[5]:
            return {"%": "%", "_": " ", "-": "%20"}[match[5]]
        value = values.get(match[1].lower())
        if value is None:
            raise SpfError(f"the macro {match[0]} is for explanations only")
        parts = re.split("[" + re.escape(match[4] or ".") + "]", value)
        if match[3]:
            parts.reverse()
        if match[2]:
            if int(match[2][:3]) == 0:
                raise SpfError(f"the macro {match[0]} takes nothing")
            parts = parts[-int(match[2][:3]) :]
        return ".".join(parts)

    name = _MACRO.sub(one, spec).removesuffix(".")
    while len(name) > _MAX_NAME and "." in name:
        name = name.partition(".")[2]
    return name.lower()
