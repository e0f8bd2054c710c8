"""A jail is gone while fail2ban runs on."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("Fail2banJailMissing", "warning")]


def inject(world: World) -> None:
    world.fail2ban.remove_jail("sshd")


def recover(world: World) -> None:
    world.fail2ban.add_jail("sshd")
