"""Dovecot does not know anybody any more: the probe mailbox is refused."""

from __future__ import annotations

from tests.e2e.world import World
from tests.support.mailhost import USERS

EXPECTED = [("MailLoginFailing", "critical")]


def inject(world: World) -> None:
    world.dovecot.let_in({})


def recover(world: World) -> None:
    world.dovecot.let_in(USERS)
