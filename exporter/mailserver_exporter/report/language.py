"""The reader's language: texts, numbers, amounts and times.

A text is written in English where it is used; ``german.py`` holds the German ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, tzinfo

from mailserver_exporter.report.german import GERMAN

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_SPACE = "\N{NO-BREAK SPACE}"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# What is more than 3000 years is no length of time, nor a date.
_ENDLESS = 1e11
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NONE = "–"  # noqa: RUF001 - where there is no number


def marked(english: str) -> str:
    """Return a text as it is, and mark it for translation: for one that is said later, from a table or a constant."""
    return english


class Language:
    """``say(text, name=value)`` gives the text in the language, with its values filled in.

    What is filled in never counts as a text with names of its own.
    """

    def __init__(self, name: str, zone: tzinfo) -> None:
        self.name = name
        self.zone = zone
        self._texts: Mapping[str, str] = GERMAN if name == "de" else {}
        self._point, self._thousands = (",", ".") if name == "de" else (".", ",")

    def __call__(self, english: str, **values: object) -> str:
        """Return the text; raises KeyError where a value is missing."""
        return self._texts.get(english, english).format(**values)

    def count(self, number: float, one: str, many: str, **values: object) -> str:
        """Return the text for this many things, which both texts may name as ``{number}``."""
        return self(one if number == 1 else many, number=self.number(number), **values)

    def number(self, value: float | None, digits: int = 0) -> str:
        """Return a number with this many decimals."""
        if value is None or not math.isfinite(value):
            return NONE
        text = f"{value:,.{digits}f}" if abs(value) < 1e15 else f"{value:.2e}"
        return text.translate(str.maketrans(",.", self._thousands + self._point))

    def percent(self, ratio: float | None, digits: int = 0) -> str:
        """Return a ratio of 0 to 1 as percent; what is not all of it is never rounded up to 100 %."""
        if ratio is None or not math.isfinite(ratio):
            return NONE
        value = ratio * 100
        if round(value, digits) >= 100 > value:
            value = 100 - 10.0**-digits
        space = _SPACE if self.name == "de" else ""
        return f"{self.number(value, digits)}{space}%"

    def bytes(self, value: float | None) -> str:
        """Return an amount in the binary unit that suits it."""
        if value is None or not math.isfinite(value):
            return NONE
        unit = 0
        while abs(value) >= 1023.5 and unit < len(_UNITS) - 1:
            value /= 1024
            unit += 1
        return f"{self.number(value, 1 if unit and abs(value) < 10 else 0)}{_SPACE}{_UNITS[unit]}"

    def duration(self, seconds: float | None) -> str:
        """Return a length of time in its two largest units: 45 s, 12 min, 3 h 20 min, 4 d 2 h."""
        if seconds is None or not abs(seconds) < _ENDLESS:
            return NONE
        sign, left = ("-" if seconds < 0 else ""), round(abs(seconds))
        sizes = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
        for size, unit, part, small in sizes:
            if left < size:
                continue
            whole, rest = divmod(left, size)
            rest //= part
            # Seconds say nothing beside a quarter of an hour, nor hours beside a fortnight.
            more = f" {rest}{_SPACE}{small}" if rest and whole < 15 else ""
            return f"{sign}{whole}{_SPACE}{unit}{more}"
        return f"{sign}{left}{_SPACE}s"

    def moment(self, epoch: float) -> str:
        """Return a time of day with its date: 22 Nov 14:05."""
        if not 0 <= epoch < _ENDLESS:
            return NONE
        at = datetime.fromtimestamp(epoch, self.zone)
        return f"{self.day(at)} {at:%H:%M}"

    def day(self, at: datetime) -> str:
        """Return a date without its year."""
        return f"{at.day}. {at.month}." if self.name == "de" else f"{at.day} {_MONTHS[at.month - 1]}"

    def date(self, at: datetime) -> str:
        """Return a date in full."""
        weekday = self(_WEEKDAYS[at.weekday()])
        return f"{weekday}, {at:%d.%m.%Y}" if self.name == "de" else f"{weekday}, {self.day(at)} {at.year}"
