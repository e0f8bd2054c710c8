"""A unit of systemd has failed."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("SystemdUnitFailed", "warning")]


def inject(world: World) -> None:
    world.systemd.systemctl("start", "backup.service")


def recover(world: World) -> None:
    world.systemd.systemctl("reset-failed", "backup.service")
