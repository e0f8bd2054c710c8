"""A unit of systemd that was active is not any more, and has not failed."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("SystemdUnitInactive", "warning")]


def inject(world: World) -> None:
    world.systemd.systemctl("stop", "certbot.timer")


def recover(world: World) -> None:
    world.systemd.systemctl("start", "certbot.timer")
