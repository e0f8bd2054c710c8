"""A log that events are counted from is gone; the others are read on."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.world import World

EXPECTED = [("LogSourceUnreadable", "warning")]


def inject(world: World) -> None:
    log = Path(world.logs()["sogo"])
    log.rename(log.with_suffix(".away"))


def recover(world: World) -> None:
    log = Path(world.logs()["sogo"])
    log.with_suffix(".away").rename(log)
