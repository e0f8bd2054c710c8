"""Other servers refuse ten of thirty messages."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("MailBounceRatioHigh", "warning"), ("MailRefusedByOthers", "warning")]

_TAKEN = "dsn=2.0.0, status=sent (250 2.0.0 taken)"
_REFUSED = (
    "dsn=5.7.1, status=bounced (host mx.elsewhere.example[192.0.2.1] said: 554 5.7.1 blocked (in reply to RCPT TO))"
)


def inject(world: World) -> None:
    with world.unseen():
        world.log_deliveries(_TAKEN, _TAKEN, _REFUSED, times=10)


def recover(world: World) -> None:
    with world.unseen():
        world.log_deliveries(_TAKEN, times=1000)
