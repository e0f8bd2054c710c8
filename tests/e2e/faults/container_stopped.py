"""Somebody stops a container of the mail stack."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("ServiceDown", "critical")]


def inject(world: World) -> None:
    world.container("postfix-mailcow").stop(timeout=1)


def recover(world: World) -> None:
    world.container("postfix-mailcow").start()
