"""mailcow's netfilter ends itself and is started again, twice in a row."""

from __future__ import annotations

from tests.e2e.world import World
from tests.support.processes import wait_for

EXPECTED = [("NetfilterRestarting", "warning")]

_STARTS = "mailserver_mailcow_netfilter_starts_total"


def inject(world: World) -> None:
    for _ in range(2):
        before = _starts(world)
        with world.unseen():
            world.container("netfilter-mailcow").restart(timeout=0)
        wait_for("the start is counted", lambda before=before: _starts(world) > before, 60)


def recover(_world: World) -> None:
    """It stays up: the starts leave the rule's window."""


def _starts(world: World) -> float:
    """Return how many starts every Prometheus knows of."""
    return min(float(stack.query(_STARTS)[0]["value"][1]) for stack in world.stacks.values())
