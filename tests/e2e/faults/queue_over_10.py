"""Fifteen messages wait in the queue."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("QueueTooLong", "warning")]


def inject(world: World) -> None:
    world.postfix.submit_deferred(15)


def recover(world: World) -> None:
    world.postfix.delete()
