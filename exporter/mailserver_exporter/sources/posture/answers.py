"""What a lookup answers and what a check concludes from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from mailserver_exporter.sources import SourceError


class LookupFailed(SourceError):  # noqa: N818 - what happened, in the field's word
    """No answer: time-out, SERVFAIL, REFUSED or nonsense. It says nothing of whether the record exists."""


@dataclass(frozen=True)
class Answer:
    """The records of one name and type, in plain values; see resolver.py for each type's.

    ``exists`` says whether the name does, so an empty answer is NODATA or NXDOMAIN. ``alias`` is where a CNAME led,
    ``authenticated`` the resolver's AD flag, and ``bogus`` that the resolver gave the records only when asked not to
    validate them (RFC 4035, CD).
    """

    records: tuple[Any, ...] = ()
    exists: bool = True
    alias: str = ""
    authenticated: bool = False
    bogus: bool = False


# Asks for a name and a type such as "MX"; raises LookupFailed.
Lookup: TypeAlias = Callable[[str, str], Answer]
State = Literal["good", "bad", "absent"]


@dataclass(frozen=True)
class Verdict:
    """What a check found: ``absent`` is what is optional and not offered. ``info`` holds what is exported besides."""

    state: State
    detail: str
    remedy: str = ""
    info: Mapping[str, Any] = field(default_factory=dict)


def good(detail: str, **info: Any) -> Verdict:
    """Return the verdict that all is as it should be."""
    return Verdict("good", detail, info=info)


def bad(detail: str, remedy: str = "", **info: Any) -> Verdict:
    """Return the verdict that something is wrong."""
    return Verdict("bad", detail, remedy, info)


def absent(detail: str, **info: Any) -> Verdict:
    """Return the verdict that there is nothing to judge."""
    return Verdict("absent", detail, info=info)


def shown(text: str, limit: int = 120) -> str:
    """Return foreign text fit for a message: printable, and not too long."""
    text = "".join(character if character.isprintable() else "?" for character in text[: limit + 1])
    return text if len(text) <= limit else text[: limit - 3] + "..."
