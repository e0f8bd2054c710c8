"""The message of a round trip: a Message-ID that only we can have made, and nothing that anybody would answer."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate

SUBJECT = "mailserver-exporter round trip"
_TEXT = """\
This message measures whether mail works. mailserver-exporter sends one to itself every few minutes, looks for it, and
deletes it. If it is still here after an hour, the exporter was stopped in between; it deletes it when it runs again.
"""
_ID = re.compile(r"<(?P<stamp>\d{1,12}\.[0-9a-f]{16})\.(?P<mac>[0-9a-f]{32})@[^<>@\s]+>")


@dataclass(frozen=True)
class Key:
    """The secret that makes a Message-ID ours."""

    secret: bytes

    def message_id(self, domain: str) -> str:
        """Return a new Message-ID (RFC 5322 3.6.4): the time and a random part, sealed with HMAC-SHA256 (RFC 2104)."""
        stamp = f"{int(time.time())}.{secrets.token_hex(8)}"
        return f"<{stamp}.{self._mac(stamp)}@{domain}>"

    def sent(self, message_id: str) -> int | None:
        """Return when the message was sent, Unix seconds, or None where the Message-ID is not ours."""
        match = _ID.fullmatch(message_id.strip())
        if match is None or not hmac.compare_digest(self._mac(match["stamp"]), match["mac"]):
            return None
        return int(match["stamp"].partition(".")[0])

    def _mac(self, stamp: str) -> str:
        return hmac.new(self.secret, stamp.encode(), hashlib.sha256).hexdigest()[:32]


def compose(sender: str, recipient: str, message_id: str) -> bytes:
    """Return the message; RFC 3834 keeps holiday notices from answering it."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = SUBJECT
    message["Date"] = formatdate()
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_TEXT)
    return message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
