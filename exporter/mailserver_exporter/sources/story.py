"""What happened during a probe, step by step, for the command ``probe``."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Step:
    """One step: seconds since the start and what happened; details are for the curious."""

    seconds: float
    text: str
    detail: bool = False


@dataclass
class Story:
    """The steps so far, and when the first began on the monotonic clock."""

    started: float = field(default_factory=time.monotonic)
    steps: list[Step] = field(default_factory=list)

    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self.started

    def tell(self, text: str, *, detail: bool = False) -> None:
        """Add a step."""
        self.steps.append(Step(self.elapsed(), text, detail))
