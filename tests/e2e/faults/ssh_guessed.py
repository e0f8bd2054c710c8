"""A password for SSH fits, after twenty that did not."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("SshLoginAfterFailures", "critical")]

_LINE = "Nov 22 03:00:00 mail sshd[1]: {} password for root from 192.0.2.2 port 22 ssh2\n"


def inject(world: World) -> None:
    with world.unseen(), open(world.logs()["sshd"], "a", encoding="ascii") as log:
        log.write(_LINE.format("Failed") * 20 + _LINE.format("Accepted"))


def recover(_world: World) -> None:
    """It is over: what was counted leaves the rule's window."""
