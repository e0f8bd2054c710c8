"""The letters in a chart: Lato, which has German, in the sizes and words that fit."""

from __future__ import annotations

import bisect
import importlib.util
import unicodedata
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

_LONGEST = 200
_FOREIGN = "?"
_NOWHERE = "\U000fffff"
"""A character for private use that no font has: what it looks like is what a missing letter looks like."""


@lru_cache
def font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return the letters of a height; raises FileNotFoundError where the package font-lato is missing."""
    # Its code is not run: it only puts the paths of its files together.
    package = importlib.util.find_spec("font_lato")
    if package is None or package.origin is None:
        raise FileNotFoundError("the Python package font-lato is missing from this installation")
    file = Path(package.origin).parent / "files" / f"Lato-{'Bold' if bold else 'Regular'}.ttf"
    # The other engine reorders by libraries of the host: not the same picture everywhere.
    return ImageFont.truetype(str(file), size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=1024)
def _known(letter: str) -> bool:
    sample = font(16)
    return letter.isprintable() and bytes(sample.getmask(letter)) != bytes(sample.getmask(_NOWHERE))


def readable(text: str) -> str:
    """Return the text on one line; what the font has no letter for, marks of direction included, is a question mark."""
    line = " ".join(unicodedata.normalize("NFC", text[:_LONGEST]).split())
    return "".join(letter if letter == " " or _known(letter) else _FOREIGN for letter in line)


def fitted(text: str, letters: ImageFont.FreeTypeFont, width: float) -> str:
    """Return as much of a readable text as is this wide, with an ellipsis where some is left out."""
    line = readable(text)
    if len(text) <= _LONGEST and letters.getlength(line) <= width:
        return line
    most = bisect.bisect_right(range(len(line)), width, key=lambda length: letters.getlength(line[:length] + "…"))
    return line[: max(most - 1, 0)].rstrip() + "…"
