"""The webmail's certificate was renewed, and nginx was not told."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("CertificateStale", "warning")]


def inject(world: World) -> None:
    world.renew_web_certificate()


def recover(world: World) -> None:
    world.nginx.reload()
