"""One message is stuck in the queue for five hours."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("QueueMessageTooOld", "critical")]


def inject(world: World) -> None:
    with world.unseen():
        world.postfix.submit_deferred(1)
        world.postfix.backdate(5 * 3600)


def recover(world: World) -> None:
    world.postfix.delete()
