"""Postfix goes on without TLS on port 25."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("StarttlsGone", "critical")]


def inject(world: World) -> None:
    with world.unseen():
        world.postfix.set("smtpd_tls_security_level", "none")


def recover(world: World) -> None:
    with world.unseen():
        world.postfix.set("smtpd_tls_security_level", "may")
