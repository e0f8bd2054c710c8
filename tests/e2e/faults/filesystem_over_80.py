"""A file system is filled to 85 percent."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("FilesystemSpaceLow", "warning")]


def inject(world: World) -> None:
    (world.small / "filling").write_bytes(bytes(int(16 * 2**20 * 0.85)))


def recover(world: World) -> None:
    (world.small / "filling").unlink()
