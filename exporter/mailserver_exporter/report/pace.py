"""How fast something is used up, and so when nothing will be left."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence

from mailserver_exporter.report.prometheus import DAY

_FEWEST, _FEWEST_OF_A_DAY = 3, 6
_FAR, _LITTLE_DAYS = 2, 14


def per_day(left: Sequence[tuple[float, float]]) -> float | None:
    """Return how much less is left each day, by (seconds since the epoch, most that was left that day), in order.

    The median of the days' losses. So neither one large file nor one great cleaning makes a pace of its own, and what
    comes and goes within a day, such as a backup that is staged, does not count at all. Negative where it grows; None
    below three losses, of which one might decide.
    """
    losses = _losses(left)
    return statistics.median(losses) if len(losses) >= _FEWEST else None


def _losses(left: Sequence[tuple[float, float]]) -> list[float]:
    return [(old - new) / (later - at) * DAY for (at, old), (later, new) in itertools.pairwise(left) if later > at]


def today_per_day(left: Sequence[tuple[float, float]]) -> float | None:
    """Return the pace of the last day alone, in what is lost a day, by what was left every few hours of it.

    The median of its parts: so it counts only where most of the day had it, and neither one large file nor what comes
    and goes within the night makes one. None below six parts.
    """
    losses = _losses(left)
    return statistics.median(losses) if len(losses) >= _FEWEST_OF_A_DAY else None


def taken(usual: float | None, today: float | None, left: float | None) -> float | None:
    """Return the pace to reckon with: the usual one, but the day's where that is far faster and leaves little time."""
    faster = today is not None and today > _FAR * max(usual or 0.0, 0.0)
    soon = days_left(left, today)
    return today if faster and soon is not None and soon < _LITTLE_DAYS else usual


def days_left(left: float | None, pace: float | None) -> float | None:
    """Return in how many days nothing is left at this pace; None where it does not get less, or that is not known."""
    if left is None or pace is None or pace <= 0:
        return None
    return max(0.0, left) / pace
