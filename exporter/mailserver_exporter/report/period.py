"""What time a report is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo


@dataclass(frozen=True)
class Period:
    """From ``start`` to ``end``, both with a time zone, in which everything is shown."""

    start: datetime
    end: datetime

    @classmethod
    def before(cls, end: datetime, length: timedelta = timedelta(hours=24)) -> Period:
        """Return the period of this length that ends at ``end``: hours that have passed, not hands of a clock."""
        return cls((end.astimezone(timezone.utc) - length).astimezone(end.tzinfo), end)

    @property
    def zone(self) -> tzinfo:
        """The zone that times are shown in."""
        assert self.end.tzinfo is not None  # noqa: S101 - who makes a period gives it one
        return self.end.tzinfo

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end.timestamp() - self.start.timestamp()

    def earlier(self, seconds: float) -> Period:
        """Return as long a period so many seconds before."""
        start, end = self.start.timestamp() - seconds, self.end.timestamp() - seconds
        return Period(datetime.fromtimestamp(start, self.zone), datetime.fromtimestamp(end, self.zone))
