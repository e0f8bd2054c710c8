"""Secrets: read from their files, and never repeated, whatever others make of them."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection
from pathlib import Path

from mailserver_exporter.sources import SourceError, files

_HIDDEN = "(password)"
# As much of a secret as would help anybody.
_PART = re.compile(r"[\w+/]{6,}", re.ASCII)
_MAX_BYTES = 4096


def read(file: Path, what: str = "password") -> str:
    """Return the one line of a file that holds a secret; raises SourceError. ``what`` it is goes into the remedy."""
    remedy = f"write the {what} into {file}, mode 0600"
    try:
        text = files.read(str(file), _MAX_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else "") or "is not text"
        raise SourceError(f"{file}: {reason}", remedy=remedy) from error
    if not text:
        raise SourceError(f"{file} is empty", remedy=remedy)
    if not text.isprintable():
        raise SourceError(f"{file} holds more than one line", remedy=remedy)
    return text


def travelling(username: str, password: str) -> list[str]:
    """Return the password and the forms in which it travels: AUTH PLAIN (RFC 4616) and LOGIN."""
    return [password, *(base64.b64encode(form.encode()).decode() for form in (f"\0{username}\0{password}", password))]


def hide(text: str, hidden: Collection[str]) -> str:
    """Return what a server said, without a secret that it repeated, whole or in part."""
    for secret in hidden:
        text = text.replace(secret, _HIDDEN)
    return _PART.sub(lambda token: _HIDDEN if any(token[0] in secret for secret in hidden) else token[0], text)
