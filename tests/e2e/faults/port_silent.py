"""Dovecot hangs: its five ports accept connections and say nothing."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = 5 * [("PortDown", "critical")]


def inject(world: World) -> None:
    world.dovecot.freeze()


def recover(world: World) -> None:
    world.dovecot.thaw()
