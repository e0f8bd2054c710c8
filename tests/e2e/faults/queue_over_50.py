"""Sixty messages wait in the queue; the warning of the same is not sent beside the critical one."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("QueueTooLong", "critical")]


def inject(world: World) -> None:
    with world.unseen():
        # More than half of all deliveries put off would be a warning of its own.
        world.log_deliveries("dsn=2.0.0, status=sent (250 2.0.0 taken)", times=200)
        world.postfix.submit_deferred(60)


def recover(world: World) -> None:
    with world.unseen():
        world.postfix.delete()
