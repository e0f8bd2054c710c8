"""nginx shows a self-signed certificate."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("CertificateUntrusted", "warning")]


def inject(world: World) -> None:
    world.spoil_web_certificate("self-signed")
    world.nginx.reload()


def recover(world: World) -> None:
    world.renew_web_certificate()
    world.nginx.reload()
