"""The client's side of SMTP as far as a probe goes (RFC 5321, STARTTLS: RFC 3207)."""

from __future__ import annotations

from collections.abc import Generator

from mailserver_exporter.sources.dialogue import Dialogue, Do, Note, ProbeError, Send, no_starttls, unexpected_greeting


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
        offers = yield from _offers()
        yield Note("starttls", b"STARTTLS" in offers)
        # RFC 8314 3 and 4.1: nobody should be invited to send a password in the clear.
        yield Note("auth_in_clear", b"AUTH" in offers)
        if b"STARTTLS" in offers:
            yield Send(b"STARTTLS\r\n")
            [*_, answer] = yield from _reply()
            if not answer.startswith(b"220"):
                raise no_starttls("STARTTLS", answer)
            yield Do.START_TLS
            # RFC 3207 4.2: what was said before counts no more, and AUTH is often offered now only.
            yield Send(f"EHLO {own_name}\r\n".encode())
            offers = yield from _offers()
            yield Note("auth", b"AUTH" in offers)
        elif require_tls:
            raise no_starttls("STARTTLS")
    if require_tls:
        yield Do.COUNT_AS_UP
    yield Send(b"QUIT\r\n")
    yield Do.READ_LINE


def _offers() -> Generator[Send | Do | Note, bytes, set[bytes]]:
    """Return the keywords of an answer to EHLO, ``AUTH=`` of old servers included."""
    lines = yield from _reply()
    return {line[4:].upper().replace(b"=", b" ").partition(b" ")[0].strip() for line in lines[1:] or lines}


def _reply() -> Generator[Send | Do | Note, bytes, list[bytes]]:
    lines = []
    while True:
        line = yield Do.READ_LINE
        if not line[:3].isdigit():
            raise ProbeError("tls", "the answer to a command is not SMTP")
        lines.append(line)
        if line[3:4] != b"-":
            return lines
