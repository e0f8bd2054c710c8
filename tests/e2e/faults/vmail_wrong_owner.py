"""Somebody restored a mailbox as root."""

from __future__ import annotations

import os

from tests.e2e.world import World

EXPECTED = [("VmailEntriesOwnerWrong", "warning")]


def inject(world: World) -> None:
    os.chown(world.vmail / "example.org" / "user" / "Maildir" / "cur" / "7.mail", 0, 0)


def recover(world: World) -> None:
    world.make_vmail()
