"""Postfix' main.cf, postconf(5): ``name = value``, continued on lines that begin with white space."""

from __future__ import annotations


def parse(data: bytes) -> dict[str, str]:
    """Return the settings as written, nothing expanded; the last one of a name holds."""
    values: dict[str, str] = {}
    name = ""
    for line in data.decode("utf-8", "replace").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0].isspace():
            if name:
                values[name] = f"{values[name]} {line.strip()}".strip()
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if equals and name:
            values[name] = value
        else:
            name = ""
    return values
