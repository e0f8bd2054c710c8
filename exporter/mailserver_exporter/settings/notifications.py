"""How the admin is told, and where every alert is written down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from mailserver_exporter.schema import Number, Seconds, Text
from mailserver_exporter.settings.types import Url


@dataclass(frozen=True, kw_only=True)
class Telegram:
    """A bot and the chat it writes to."""

    bot_token_file: Path
    chat_id: int
    api_url: Url = "https://api.telegram.org"


@dataclass(frozen=True, kw_only=True)
class Email:
    """An SMTP server that is not the one being watched, and whom to write to."""

    to: tuple[str, ...]
    sender: str
    smarthost: Annotated[str, Text(r"\S+:\d{1,5}", "HOST:PORT such as smtp.gmail.com:587")] = "smtp.gmail.com:587"
    username: str | None = None
    password_file: Path | None = None
    require_tls: bool = True
    ca_file: Path | None = None

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield (key, message) for settings that do not go together."""
        if not self.to:
            yield "to", "must name at least one address"
        for address in (*self.to, self.sender):
            if "@" not in address:
                yield "to" if address in self.to else "sender", f"must be an e-mail address, not {address!r}"
        if (self.username is None) != (self.password_file is None):
            yield "username", "and password_file must be given together"


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """A URL that is called every minute as long as the whole alert path works (healthchecks.io and the like)."""

    url_file: Path


@dataclass(frozen=True, kw_only=True)
class Notifications:
    """How the admin is told."""

    throttle: Annotated[float, Seconds(minimum=1)] = 3600
    telegram: Telegram | None = None
    email: Email | None = None
    heartbeat: Heartbeat | None = None


@dataclass(frozen=True, kw_only=True)
class AlertLog:
    """The file that every notification is written to; rotated at ``max_bytes``, ``keep`` old ones are kept."""

    file: Path | None = None
    max_bytes: Annotated[int, Number(10_000, whole=True)] = 10_000_000
    keep: Annotated[int, Number(1, 100, whole=True)] = 5
