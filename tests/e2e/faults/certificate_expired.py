"""nginx shows a certificate that ended two days ago."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("CertificateExpired", "critical")]


def inject(world: World) -> None:
    world.spoil_web_certificate("expired")
    world.nginx.reload()


def recover(world: World) -> None:
    world.renew_web_certificate()
    world.nginx.reload()
