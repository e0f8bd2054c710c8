"""Tag lists, ``v=DKIM1; k=rsa; p=...``: RFC 6376 3.2, and close to it DMARC, MTA-STS and TLS-RPT."""

from __future__ import annotations

import re
from collections.abc import Iterable

_TAG = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def parse(text: str) -> dict[str, str]:
    """Return the tags in order, names in lower case; raises ValueError, in words, when it is not a tag list."""
    tags: dict[str, str] = {}
    for part in text.split(";"):
        if not part.strip():
            continue
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not _TAG.fullmatch(name):
            raise ValueError(f"{part.strip()[:40]!r} is not a tag=value")
        if name.lower() in tags:
            raise ValueError(f"the tag {name} is given twice")
        tags[name.lower()] = value
    return tags


def with_version(records: Iterable[str], version: str) -> list[str]:
    """Return the records that begin with ``v=VERSION``; others at the same name are none of ours."""
    pattern = re.compile(rf"v\s*=\s*{version}\s*(;|$)")
    return [record for record in records if pattern.match(record.lstrip())]
