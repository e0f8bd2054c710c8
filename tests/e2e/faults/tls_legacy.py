"""nginx takes TLS 1.0 and 1.1 again."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("TlsLegacyOffered", "warning")]


def inject(world: World) -> None:
    world.nginx.take("TLSv1 TLSv1.1 TLSv1.2 TLSv1.3")


def recover(world: World) -> None:
    world.nginx.take("TLSv1.2 TLSv1.3")
