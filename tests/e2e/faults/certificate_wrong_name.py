"""nginx shows a certificate for another name."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("CertificateNameWrong", "warning")]


def inject(world: World) -> None:
    world.spoil_web_certificate("other name")
    world.nginx.reload()


def recover(world: World) -> None:
    world.renew_web_certificate()
    world.nginx.reload()
