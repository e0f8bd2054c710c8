"""The accounts of a host, passwd(5)."""

from __future__ import annotations


def uids(data: bytes) -> dict[str, int]:
    """Return the user ID by name; lines that are no accounts are passed over, and of a name the first counts."""
    found: dict[str, int] = {}
    for line in data.decode(errors="replace").splitlines():
        fields = line.split(":")
        if len(fields) >= 4 and fields[2].isascii() and fields[2].isdigit():
            found.setdefault(fields[0], int(fields[2]))
    return found
