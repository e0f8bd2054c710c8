"""Send a message from one mailbox to another and look for it there.

Request: ``{"sender": ACCOUNT, "recipient": ACCOUNT, "servers": [NAME], "seconds": 60, "key_file": PATH or null}``.
ACCOUNT is mail_account.Account with ``password_file`` for the password; ``servers`` are whose Authentication-Results
count, all where it is empty. Answer: ``stage`` (in which it failed, empty when the message arrived) and ``message``,
``seconds`` by stage, ``junk`` and ``verdicts``.
"""

from __future__ import annotations

import contextlib
import functools
import imaplib
import os
import resource
import secrets
import time
from pathlib import Path
from typing import Any

from mailserver_exporter.sources import SourceError, authentication_results, mail_account, probe_message, secret
from mailserver_exporter.sources.mail_account import Account, Mailbox
from mailserver_exporter.sources.stages import StageError, Stages

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
# A message of an earlier run is left alone until nobody can be waiting for it any more.
_LEFTOVER_SECONDS = 3600
_HOUSEKEEPING_SECONDS = 5.0
_SECRET_BYTES = 32
# No message of ours is large, but a server may send without end, see Stages.
_MEMORY_BYTES = 192 << 20


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Send one message around; raises SourceError when a password cannot be read."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, hard))
    key = probe_message.Key(_secret(request["key_file"]))
    sender, recipient = _account(request["sender"]), _account(request["recipient"])
    hidden = [form for account in (sender, recipient) for form in secret.travelling(account.username, account.password)]
    stages = Stages(request["seconds"], functools.partial(secret.hide, hidden=hidden))
    result: dict[str, Any] = {"stage": "", "message": "", "junk": False, "verdicts": {}, "seconds": stages.seconds}
    try:
        return result | _loop(sender, recipient, request["servers"], key, stages)
    except StageError as error:
        return result | {"stage": error.stage, "message": str(error)}


def _loop(
    sender: Account, recipient: Account, servers: list[str], key: probe_message.Key, stages: Stages
) -> dict[str, Any]:
    # Log in first: a message that nobody could fetch would stay.
    mailbox = Mailbox(recipient, stages)
    try:
        message_id = key.message_id(sender.address.rpartition("@")[2])
        message = probe_message.compose(sender.address, recipient.address, message_id)
        mail_account.submit(sender, recipient.address, message, stages)
        with stages("delivery"):
            folder, uids = _wait_for(mailbox, message_id, stages)
        found: dict[str, Any] = {"junk": folder not in mailbox.folders("inbox")}
        with contextlib.suppress(OSError, imaplib.IMAP4.error, UnicodeError, MemoryError):
            # It has arrived; what follows is housekeeping, and is done again by the next run.
            mailbox.hurry(_HOUSEKEEPING_SECONDS)
            headers = list(mailbox.header(uids[0], "Authentication-Results"))
            found["verdicts"] = authentication_results.verdicts(headers[0] if headers else "", servers)
            mailbox.delete(uids)
            _clean(mailbox, key, message_id, stages)
        return found
    finally:
        mailbox.close()


def _wait_for(mailbox: Mailbox, message_id: str, stages: Stages) -> tuple[str, list[str]]:
    pause = _FIRST_PAUSE
    folders = mailbox.folders("inbox", "junk")
    while True:
        for folder in folders:
            if uids := mailbox.search(folder, "HEADER", "Message-ID", message_id):
                return folder, uids
        try:
            time.sleep(stages.left(pause))
        except TimeoutError as error:
            raise TimeoutError("the message was taken and did not arrive, neither in the inbox nor in junk") from error
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _clean(mailbox: Mailbox, key: probe_message.Key, message_id: str, stages: Stages) -> None:
    """Delete what earlier runs have left, and what the provider has filed under Sent."""
    for folder in mailbox.folders("inbox", "junk", "sent"):
        ours = []
        for uid in mailbox.search(folder, "SUBJECT", f'"{probe_message.SUBJECT}"')[:100]:
            stages.left(_HOUSEKEEPING_SECONDS)
            identifier = next(mailbox.header(uid, "Message-ID"), "")
            sent = key.sent(identifier)
            if sent is not None and (identifier == message_id or sent < time.time() - _LEFTOVER_SECONDS):
                ours.append(uid)
        mailbox.delete(ours)


def _account(fields: dict[str, str]) -> Account:
    password = secret.read(Path(fields.pop("password_file")))
    return Account(**fields, password=password)


def _secret(key_file: str | None) -> bytes:
    """Return what seals our Message-IDs; made at the first run. Without a file it is good for this run only."""
    if key_file is None:
        return secrets.token_bytes(_SECRET_BYTES)
    try:
        with open(key_file, "rb") as file:
            kept = file.read(_SECRET_BYTES)
        if len(kept) == _SECRET_BYTES:
            return kept
    except FileNotFoundError:
        pass  # the first run
    made = secrets.token_bytes(_SECRET_BYTES)
    new = f"{key_file}.new"
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(made)
        Path(new).replace(key_file)
    except OSError as error:
        raise SourceError(f"{new}: {error.strerror}", remedy="see state_directory in the configuration") from error
    return made
