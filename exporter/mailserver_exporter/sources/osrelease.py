"""Which operating system this is, os-release(5)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mailserver_exporter.sources import shellconf

# What a backslash protects within double quotes of a shell, which is how the file is to be read.
_ESCAPED = re.compile(r"\\([\\\"$`])")
_VERSION = re.compile(r"\d+(\.\d+)?", re.ASCII)


def parse(data: bytes) -> Mapping[str, str]:
    """Return the fields such as ``PRETTY_NAME``; what is not an assignment is passed over."""
    return {name: _ESCAPED.sub(r"\1", value) for name, value in shellconf.parse(data).items()}


def version(fields: Mapping[str, str]) -> float | None:
    """Return major.minor of ``VERSION_ID`` as a number, or None where there is none, as in Debian sid."""
    match = _VERSION.match(fields.get("VERSION_ID", ""))
    return float(match[0]) if match else None
