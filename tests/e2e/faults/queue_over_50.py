"""Sixty messages wait in the queue; the warning of the same is not sent beside the critical one."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("QueueTooLong", "critical")]


def inject(world: World) -> None:
    with world.unseen():
        world.postfix.submit_deferred(60)


def recover(world: World) -> None:
    with world.unseen():
        world.postfix.delete()
