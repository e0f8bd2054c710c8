"""Somebody guesses passwords by SMTP, four hundred times."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("SaslFailuresSpike", "warning")]

_FAILED = "Nov 22 03:00:00 mail postfix/smtpd[1]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x\n"


def inject(world: World) -> None:
    with world.postfix.log.open("a") as log:
        log.write(_FAILED * 400)


def recover(_world: World) -> None:
    """It is over: what was counted leaves the rule's window."""
