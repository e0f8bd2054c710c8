"""A histogram that is counted here, as opposed to one that somebody else exports."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping


class Histogram:
    """Counts values by the smallest bucket that they fit into; holds none of them.

    ``buckets`` gives each upper bound by its name, the value of its ``le`` label, smallest first and without +Inf.
    """

    __slots__ = ("_limits", "counts", "names", "sum")

    def __init__(self, buckets: Mapping[str, float]) -> None:
        self.names = (*buckets, "+Inf")
        self._limits = tuple(buckets.values())
        self.counts = [0] * len(self.names)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self._limits, value)] += 1
        self.sum += value

    def cumulative(self) -> list[tuple[str, float]]:
        """Return (upper bound, values up to it) as the exposition format wants them."""
        total = 0
        result: list[tuple[str, float]] = []
        for name, count in zip(self.names, self.counts, strict=True):
            total += count
            result.append((name, total))
        return result
