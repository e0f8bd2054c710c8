"""The mail stack: its queue, its ports, its mail store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from mailserver_exporter.schema import Text
from mailserver_exporter.settings.types import Count, HostName, Mode, Port, Section


@dataclass(frozen=True, kw_only=True)
class MailStack:
    """Which mail stack runs here; detected unless named."""

    kind: Literal["auto", "mailcow", "native", "none"] = "auto"
    directory: Path | None = None


@dataclass(frozen=True, kw_only=True)
class QueueSection(Section):
    """The Postfix queue directory, as the host sees it."""

    directory: Path | None = None


@dataclass(frozen=True, kw_only=True)
class PortTarget:
    """One port that must greet; ``text`` is what the page of a web server must hold."""

    port: Port
    protocol: Literal["smtp", "imap", "pop3", "sieve", "https", "http"]
    tls: Literal["none", "starttls", "implicit"] = "none"
    host: HostName = "127.0.0.1"
    path: Annotated[str, Text(r"/[^\s]*", "a path that begins with /")] = "/"
    text: str | None = None

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield (key, message) for settings that do not go together."""
        if self.protocol in ("http", "https") and self.tls == "starttls":
            yield "tls", f"must not be starttls where the protocol is {self.protocol}"
        if self.protocol == "sieve" and self.tls == "implicit":
            yield "tls", "must not be implicit where the protocol is sieve"
        if self.text is not None and self.protocol not in ("http", "https"):
            yield "text", f"can only be looked for where the protocol is http or https, not {self.protocol}"


@dataclass(frozen=True, kw_only=True)
class PortsSection(Section):
    """The ports that are watched; ``targets``, where given, is the whole list."""

    host: HostName = "127.0.0.1"
    webmail_port: Port | None = None
    targets: tuple[PortTarget, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CertificatesSection(Section):
    """The name that clients know the server by, the certificates on disk that it should show, and whom to trust."""

    name: HostName | None = None
    files: tuple[Path, ...] = ()
    ca_file: Path | None = None


@dataclass(frozen=True, kw_only=True)
class VmailSection(Section):
    """The mail store and whom its files must belong to: by default 5000 in mailcow, elsewhere its first seen owner."""

    directory: Path | None = None
    owner: Count | None = None
    group: Count | None = None
    mode: Mode | None = None
