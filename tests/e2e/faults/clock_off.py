"""The clock is off."""

from __future__ import annotations

from tests.e2e.hurried_exporter import CLOCK_OFFSET
from tests.e2e.world import World

EXPECTED = [("ClockOff", "warning")]


def inject(world: World) -> None:
    for stack in world.stacks.values():
        new = stack.exporter.config.with_name("new")
        new.write_text("-0.3")
        new.rename(stack.exporter.config.with_name(CLOCK_OFFSET))


def recover(world: World) -> None:
    for stack in world.stacks.values():
        stack.exporter.config.with_name(CLOCK_OFFSET).unlink()
