"""Dovecot is gone: its five ports are closed."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = 5 * [("PortDown", "critical")]


def inject(world: World) -> None:
    world.dovecot.stop()


def recover(world: World) -> None:
    world.dovecot.start()
