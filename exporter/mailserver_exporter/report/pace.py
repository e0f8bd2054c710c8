"""How fast something is used up, and so when nothing will be left."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence

from mailserver_exporter.report.prometheus import DAY

_FEWEST = 3


def per_day(left: Sequence[tuple[float, float]]) -> float | None:
    """Return how much less is left each day, by (seconds since the epoch, most that was left that day), in order.

    The median of the days' losses. So neither one large file nor one great cleaning makes a pace of its own, and what
    comes and goes within a day, such as a backup that is staged, does not count at all. Negative where it grows; None
    below three losses, of which one might decide.
    """
    losses = [(old - new) / (later - at) * DAY for (at, old), (later, new) in itertools.pairwise(left) if later > at]
    return statistics.median(losses) if len(losses) >= _FEWEST else None


def days_left(left: float | None, pace: float | None) -> float | None:
    """Return in how many days nothing is left at this pace; None where it does not get less, or that is not known."""
    if left is None or pace is None or pace <= 0:
        return None
    return max(0.0, left) / pace
