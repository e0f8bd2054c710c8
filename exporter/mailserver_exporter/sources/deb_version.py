"""Which of two Debian versions is the newer one, deb-version(7)."""

from __future__ import annotations

import re

Key = tuple[object, ...]

_PARTS = re.compile(r"([^0-9]*)([0-9]*)")


def key(version: str) -> Key:
    """Return what versions are sorted by: the key of a newer version is the greater one."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return (int(epoch) if epoch.isdecimal() else 0, _part(upstream), _part(revision))


def _part(text: str) -> Key:
    # Without digits is 0, and the end comes before everything but the tilde.
    found: list[object] = []
    for letters, digits in _PARTS.findall(text) or [("", "")]:
        if letters or digits or not found:
            found += [(*map(_order, letters), 0), int(digits or 0)]
    return (*found, (0,))


def _order(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256
