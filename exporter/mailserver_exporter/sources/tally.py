"""What a log was counted into: values by name and labels, which outlive the process as JSON."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from mailserver_exporter.sources.histogram import Histogram

Key = tuple[str, ...]


class Tally(defaultdict[Key, float]):
    """Counters by (metric's name, label values...), and histograms by the same.

    tally[("mailserver_sshd_logins_total", "publickey")] += 1
    tally.histogram(("postfix_smtp_delivery_delay_seconds", "queue_manager"), BUCKETS).add(0.02)

    What was never counted reads as 0, but reading with ``[]`` makes the series: families() use ``get`` or ``of``.
    """

    def __init__(self) -> None:
        super().__init__(int)
        self.histograms: dict[Key, Histogram] = {}

    def histogram(self, key: Key, buckets: Mapping[str, float]) -> Histogram:
        """Return the histogram of a key, a new one where there is none or it was counted with other buckets."""
        found = self.histograms.get(key)
        if found is None or found.names[:-1] != tuple(buckets):
            found = self.histograms[key] = Histogram(buckets)
        return found

    def of(self, name: str) -> dict[Key, float]:
        """Return the values of one counter by its label values."""
        return {key[1:]: value for key, value in self.items() if key[0] == name}

    def dump(self) -> dict[str, Any]:
        """Return everything as JSON can hold it."""
        return {
            "counters": [[*key, value] for key, value in self.items()],
            "histograms": [[*key, list(h.names[:-1]), h.counts, h.sum] for key, h in self.histograms.items()],
        }

    @classmethod
    def load(cls, data: Any) -> Tally:
        """Return the tally that dump() wrote. Raises ValueError when it is none."""
        tally = cls()
        try:
            for *key, value in data["counters"]:
                tally[_key(key)] = _number(value)
            for *key, names, counts, total in data["histograms"]:
                histogram = tally.histogram(_key(key), {name: float(name) for name in _key(names)})
                if len(counts) != len(histogram.counts):
                    raise ValueError("a histogram whose counts are not those of its buckets")
                histogram.counts = [int(_number(count)) for count in counts]
                histogram.sum = _number(total)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"not a tally: {error}") from error
        return tally


def _key(parts: list[Any]) -> Key:
    if not parts or not all(isinstance(part, str) for part in parts):
        raise ValueError(f"not the name and labels of a counter: {str(parts)[:80]}")
    return tuple(parts)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ValueError(f"not a count: {str(value)[:80]}")
    return value
