"""A security update has been waiting for too long."""

from __future__ import annotations

from tests.e2e.world import World
from tests.support.mailhost import DEBIAN

EXPECTED = [("SecurityUpdatesWaiting", "warning")]
_LIST = "var/lib/apt/lists/debian_Packages"


def inject(world: World) -> None:
    _publish(world, DEBIAN[_LIST].replace("1.21.22", "1.21.22+deb12u1"))


def recover(world: World) -> None:
    _publish(world, DEBIAN[_LIST])


def _publish(world: World, content: str) -> None:
    """Replace the list as apt does: with another file of the same name."""
    new = world.debian / "var/lib/apt/new"
    new.write_text(content)
    new.replace(world.debian / _LIST)
