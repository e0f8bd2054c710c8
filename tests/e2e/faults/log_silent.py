"""A program that always writes to its log has stopped to."""

from __future__ import annotations

import signal

from tests.e2e.world import World

EXPECTED = [("LogSourceSilent", "warning")]


def inject(world: World) -> None:
    world.chatter.send(signal.SIGSTOP)


def recover(world: World) -> None:
    world.chatter.send(signal.SIGCONT)
