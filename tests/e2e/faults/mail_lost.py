"""Postfix takes mail and loses it before it reaches a mailbox."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("MailLoopBroken", "critical")]


def inject(world: World) -> None:
    with world.unseen():
        world.postfix.set("virtual_transport", "discard:")


def recover(world: World) -> None:
    with world.unseen():
        world.postfix.set("virtual_transport", "virtual")
