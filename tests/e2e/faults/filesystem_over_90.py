"""A file system is filled to 95 percent; the warning of the same is not sent beside the critical alert."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("FilesystemSpaceLow", "critical")]


def inject(world: World) -> None:
    with world.unseen():
        (world.small / "filling").write_bytes(bytes(int(16 * 2**20 * 0.95)))


def recover(world: World) -> None:
    with world.unseen():
        (world.small / "filling").unlink()
