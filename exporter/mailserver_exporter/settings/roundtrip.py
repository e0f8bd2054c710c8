"""The mailboxes between which probe messages travel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from mailserver_exporter.schema import Text
from mailserver_exporter.settings.types import Section

Address = Annotated[str, Text(r"[!-;=?A-~]+@[!-;=?A-~]+", "an e-mail address such as probe@example.org")]
Server = Annotated[str, Text(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):\d{1,5}", "HOST:PORT such as mail.example.org:993")]
Tls = Literal["starttls", "implicit"]


@dataclass(frozen=True, kw_only=True)
class RoundtripSection(Section):
    """A mailbox for nothing but probes, by default on this server; TLS from the start on ports 465 and 993."""

    address: Address | None = None
    username: str | None = None
    password_file: Path | None = None
    smtp: Server = "127.0.0.1:587"
    smtp_tls: Tls | None = None
    imap: Server = "127.0.0.1:993"
    imap_tls: Tls | None = None
    ca_file: Path | None = None

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield (key, message) for settings that do not go together."""
        if (self.address is None) != (self.password_file is None):
            yield "password_file", "and address must be given together"


@dataclass(frozen=True, kw_only=True)
class OutsideRoundtripSection(RoundtripSection):
    """A mailbox elsewhere; with Gmail the password is an app password."""

    smtp: Server = "smtp.gmail.com:587"
    imap: Server = "imap.gmail.com:993"
