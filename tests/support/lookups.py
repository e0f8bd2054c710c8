"""A DNS of a few records, for what is a function of its lookups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mailserver_exporter.sources.posture.answers import Answer, Lookup, LookupFailed

FAILS = "the lookup fails"


def lookups(records: Mapping[str, Mapping[str, Sequence[Any] | str]], *, authenticated: bool = False) -> Lookup:
    """Answer from ``{name: {type: values}}``; FAILS instead of values raises, and what is not there does not exist."""

    def lookup(name: str, kind: str) -> Answer:
        found = records.get(name.lower())
        if found is None:
            return Answer(exists=any(other.endswith(f".{name}") for other in records), authenticated=authenticated)
        values = found.get(kind, ())
        if values == FAILS:
            raise LookupFailed(f"{name} {kind}: no answer from 192.0.2.53 port 53")
        alias = str(found.get("CNAME", ""))
        if alias:
            return Answer(lookup(alias, kind).records, alias=alias, authenticated=authenticated)
        return Answer(tuple(values), authenticated=authenticated)

    return lookup
