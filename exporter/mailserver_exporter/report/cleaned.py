"""Texts as they are shown: of one line, of a bounded length, and without what turns or hides what stands beside it.

The same holds for the messages about alerts, see alertmanager/templates.
"""

from __future__ import annotations

import re
import unicodedata

_SPACES = re.compile(r" {2,}")
# Controls, what is invisible or turns the direction of writing, halves of characters, and ends of line or paragraph.
_JUNK = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
_MOST_MARKS = 2


def cleaned(text: str, most: int) -> str:
    """Return a text in one line of at most ``most`` characters; what was longer ends with an ellipsis.

    Spaces that keep a number and its unit together stay.
    """
    # Of what may be megabytes, no more is looked at than could be shown.
    line = _SPACES.sub(" ", "".join(_shown(text[: most * 4 + 100]))).strip()
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def _shown(text: str) -> list[str]:
    result: list[str] = []
    marks = 0
    for letter in text:
        if letter.isascii():
            result.append(letter if letter.isprintable() else " ")
            marks = 0
            continue
        category = unicodedata.category(letter)
        # Accents upon accents reach into the lines above and below.
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks <= _MOST_MARKS:
            result.append(" " if category in _JUNK else letter)
    return result
