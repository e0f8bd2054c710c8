"""One line of the answer of ``check``."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice


@dataclass(frozen=True)
class Finding:
    """What was found of a subject; ``state`` is ``good``, ``bad`` or ``off`` (not watched).

    ``remedy`` says how to mend what is bad: the exact command where there is one.
    """

    subject: str
    state: str
    detail: str
    remedy: str = ""


def shortened(names: Collection[str], most: int = 8) -> str:
    """Return names as one text, the first of them where there are many."""
    shown = ", ".join(islice(names, most))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as `1 core` and `2 cores`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
