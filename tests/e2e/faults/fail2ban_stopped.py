"""fail2ban has stopped."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("Fail2banDown", "warning")]


def inject(world: World) -> None:
    world.fail2ban.stop()


def recover(world: World) -> None:
    world.fail2ban.start()
