"""The exporter is killed."""

from __future__ import annotations

import signal

from tests.e2e.world import World

EXPECTED = [("ExporterDown", "critical")]


def inject(world: World) -> None:
    for stack in world.stacks.values():
        stack.exporter.stop(signal.SIGKILL)


def recover(world: World) -> None:
    for stack in world.stacks.values():
        stack.exporter.start()
