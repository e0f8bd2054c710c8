"""Somebody guesses passwords by SSH, six hundred times."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("SshAttack", "warning")]

_FAILED = "Nov 22 03:00:00 mail sshd[1]: Failed password for root from 192.0.2.1 port 22 ssh2\n"


def inject(world: World) -> None:
    with world.unseen(), open(world.logs()["sshd"], "a", encoding="ascii") as log:
        log.write(_FAILED * 600)


def recover(_world: World) -> None:
    """It is over: what was counted leaves the rule's window."""
