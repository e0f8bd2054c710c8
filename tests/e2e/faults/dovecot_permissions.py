"""Somebody has copied a mailbox back as root, and Dovecot may not open it."""

from __future__ import annotations

import imaplib
import os

from tests.e2e.world import World

EXPECTED = [("DovecotErrors", "warning")]

_USER = "restored@example.org"


def inject(world: World) -> None:
    mailbox = world.dovecot.folder / "mail" / _USER
    mailbox.mkdir(parents=True, mode=0o700)
    os.chown(mailbox, 0, 0)
    with world.unseen():
        for _ in range(12):
            with imaplib.IMAP4("127.0.0.1", world.dovecot.imap_port, timeout=30) as client:
                client.login(_USER, "anything")
                client.select()


def recover(world: World) -> None:
    mailbox = world.dovecot.folder / "mail" / _USER
    os.chown(mailbox, 65534, 65534)
