"""DKIM: the public keys that our signatures are verified with (RFC 6376 3.6.1, RFC 8301, RFC 8463)."""

from __future__ import annotations

import base64
import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mailserver_exporter.sources.posture import der, tags
from mailserver_exporter.sources.posture.answers import Lookup, Verdict, absent, bad, good, shown

# What the usual programs and how-tos call a selector; asked for when nobody has named one, and to guess a typing error.
USUAL = ("dkim", "mail", "default", "dkim1", "dkim2", "s1", "s2", "selector1", "selector2", "rsa", "ed25519", "key1")
_MINIMUM_BITS = 1024
_GOOD_BITS = 2048
_ED25519_BYTES = 32


@dataclass(frozen=True)
class Key:
    """One key: ``type`` is rsa or ed25519. ``weak`` is what is allowed but no longer advised (RFC 8301 3.2)."""

    type: str
    bits: int

    @property
    def weak(self) -> bool:
        """Whether it is an RSA key of less than 2048 bits."""
        return self.type == "rsa" and self.bits < _GOOD_BITS


def parse(record: str) -> Key:
    """Return the key of a record; raises ValueError that says why nothing can be verified with it."""
    found = tags.parse(record)
    if "v" in found and (found["v"] != "DKIM1" or next(iter(found)) != "v"):
        raise ValueError("v= must be the first tag, and DKIM1")
    if "p" not in found:
        raise ValueError("has no key (p=)")
    text = "".join(found["p"].split())
    if not text:
        raise ValueError("is revoked (p= is empty)")
    kind = found.get("k", "rsa").lower()
    if kind not in ("rsa", "ed25519"):
        raise ValueError(f"has a key of the unknown type {shown(kind, 20)!r}")
    bits = _bits(kind, text)
    if "y" in [flag.strip() for flag in found.get("t", "").lower().split(":")]:
        raise ValueError("is flagged as a test (t=y): others treat the signatures as if there were none")
    hashes = [name.strip() for name in found.get("h", "sha256").lower().split(":")]
    if "sha256" not in hashes:
        raise ValueError("does not allow sha256 (h=)")
    services = [name.strip() for name in found.get("s", "*").lower().split(":")]
    if not {"*", "email"} & set(services):
        raise ValueError("is not for e-mail (s=)")
    return Key(kind, bits)


def _bits(kind: str, text: str) -> int:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError("has a key that is not base64: cut off, or an escape too many") from None
    if kind == "ed25519":
        if len(data) != _ED25519_BYTES:
            raise ValueError(f"has an ed25519 key of {len(data)} bytes instead of {_ED25519_BYTES}")
        return _ED25519_BYTES * 8
    try:
        bits = der.bits_of_rsa_key(data)
    except ValueError as error:
        raise ValueError(f"has a key that is no RSA key: {error}") from None
    if bits < _MINIMUM_BITS:
        raise ValueError(f"has an RSA key of {bits} bits: less than {_MINIMUM_BITS} is taken by nobody (RFC 8301)")
    return bits


def check(domain: str, selectors: Sequence[str], lookup: Lookup) -> Verdict:
    """Judge each selector's key; without selectors the usual ones are looked for. Raises LookupFailed."""
    if not selectors:
        selectors = _existing(domain, USUAL, lookup)
        if not selectors:
            if not lookup(f"_domainkey.{domain}", "TXT").exists:
                # RFC 8020: where a name does not exist, nothing below it does.
                return bad(f"no DKIM key: _domainkey.{domain} does not exist, nor any selector below it")
            return absent(f"no DKIM selector of {domain} is known: name it in dns.domains")
    problems, remedies, keys = [], [], []
    for selector in selectors:
        name = f"{selector}._domainkey.{domain}"
        records = lookup(name, "TXT").records
        if not records:
            problems.append(f"no DKIM key at {name}")
            remedies.append(_guess(domain, selector, lookup))
        elif len(records) > 1:
            problems.append(f"{name} has {len(records)} TXT records instead of one")
        else:
            try:
                key = parse(records[0])
            except ValueError as error:
                problems.append(f"the DKIM key at {name} {error}")
            else:
                keys.append({"selector": selector, "type": key.type, "bits": key.bits, "weak": key.weak})
    if problems:
        return bad("; ".join(problems), "; ".join(filter(None, remedies)), keys=keys)
    text = ", ".join(f"{key['selector']} {key['type']} {key['bits']}" for key in keys)
    if any(key["weak"] for key in keys):
        text += f" (less than {_GOOD_BITS} bits is weak)"
    return good(text, keys=keys)


def _existing(domain: str, selectors: Iterable[str], lookup: Lookup) -> list[str]:
    return [selector for selector in selectors if lookup(f"{selector}._domainkey.{domain}", "TXT").records]


def _guess(domain: str, selector: str, lookup: Lookup) -> str:
    """Say which selector may have been meant."""
    there = _existing(domain, [usual for usual in USUAL if usual != selector], lookup)
    near = difflib.get_close_matches(selector, there, 1, 0.5) or there[:1]
    if near:
        return f"is {near[0]!r} meant? {near[0]}._domainkey.{domain} exists"
    return f"publish the key there, or correct the selector: dig TXT {selector}._domainkey.{domain}"
