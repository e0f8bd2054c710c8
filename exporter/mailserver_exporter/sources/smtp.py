"""The client's side of SMTP as far as a probe goes (RFC 5321, STARTTLS: RFC 3207)."""

from __future__ import annotations

from collections.abc import Generator

from mailserver_exporter.sources.dialogue import Dialogue, Do, ProbeError, Send, no_starttls, unexpected_greeting


def dialogue(own_name: str, *, ask_tls: bool, require_tls: bool) -> Dialogue:
    """Wait for 220; read the certificate by STARTTLS where it is asked for; leave with QUIT."""
    line = yield Do.READ_LINE
    if not line.startswith(b"220"):
        raise unexpected_greeting("SMTP", line, "220")
    if not require_tls:
        yield Do.COUNT_AS_UP
    # postscreen(8) says "220-" at once and the rest after six seconds, and punishes who talks before.
    while line[3:4] == b"-":
        line = yield Do.READ_LINE
    if ask_tls or require_tls:
        yield Send(f"EHLO {own_name}\r\n".encode())
        offers = yield from _reply()
        if any(offer[4:].strip().upper() == b"STARTTLS" for offer in offers):
            yield Send(b"STARTTLS\r\n")
            [*_, answer] = yield from _reply()
            if not answer.startswith(b"220"):
                raise no_starttls("STARTTLS", answer)
            yield Do.START_TLS
        elif require_tls:
            raise no_starttls("STARTTLS")
    if require_tls:
        yield Do.COUNT_AS_UP
    yield Send(b"QUIT\r\n")
    yield Do.READ_LINE


def _reply() -> Generator[Send | Do, bytes, list[bytes]]:
    lines = []
    while True:
        line = yield Do.READ_LINE
        if not line[:3].isdigit():
            raise ProbeError("tls", "the answer to a command is not SMTP")
        lines.append(line)
        if line[3:4] != b"-":
            return lines
