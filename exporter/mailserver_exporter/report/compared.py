"""A value beside those of the day and the week before, for a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mailserver_exporter.report.language import Language
from mailserver_exporter.report.model import Cell, State
from mailserver_exporter.report.prometheus import Compared

NUMERIC = frozenset((1, 2, 3))


def headings(first: str, say: Language) -> tuple[str, str, str, str]:
    """Return the headings of a table whose rows row() makes."""
    return first, say("This day"), say("Day before"), say("Week before")


def row(
    name: str, value: Compared, say: Language, state: State = "", shown: Callable[[float | None], str] | None = None
) -> tuple[Cell, Cell, Cell, Cell]:
    """Return the cells of a value; ``shown`` makes text of a number, a whole one unless told."""
    text = shown or say.number
    return Cell(name), Cell(text(value.now), state), Cell(text(value.day_before)), Cell(text(value.week_before))


def usual(value: Compared) -> float | None:
    """Return the greater of the day and the week before, None where neither is known."""
    return max((before for before in (value.day_before, value.week_before) if before is not None), default=None)


def multiplied(value: Compared, times: float, at_least: float) -> bool:
    """Say whether it is so many times the usual, and so much at least."""
    before = usual(value)
    return value.now is not None and before is not None and value.now >= at_least and value.now >= times * before


def listed(names: Sequence[str], say: Language, most: int = 5) -> str:
    """Return names in a row, those beyond ``most`` as a number."""
    shown = ", ".join(names[:most])
    return say("{names} and {number} more", names=shown, number=len(names) - most) if len(names) > most else shown
