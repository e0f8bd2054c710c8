"""One line of the answer of ``check``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What was found of a subject; ``state`` is ``good``, ``bad`` or ``off`` (not watched).

    ``remedy`` says how to mend what is bad: the exact command where there is one.
    """

    subject: str
    state: str
    detail: str
    remedy: str = ""
