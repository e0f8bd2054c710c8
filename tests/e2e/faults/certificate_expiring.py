"""The certificate that nginx serves ends in three days."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("CertificateExpiring", "critical")]


def inject(world: World) -> None:
    world.renew_web_certificate(days=3)
    world.nginx.reload()


def recover(world: World) -> None:
    world.renew_web_certificate()
    world.nginx.reload()
