"""Dovecot is gone: its four ports are closed."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = 4 * [("PortDown", "critical")]


def inject(world: World) -> None:
    world.dovecot.stop()


def recover(world: World) -> None:
    world.dovecot.start()
