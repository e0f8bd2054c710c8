"""The client's side of ManageSieve as far as a probe goes (RFC 5804)."""

from __future__ import annotations

from collections.abc import Generator

from mailserver_exporter.sources.dialogue import Dialogue, Do, Note, Send, no_starttls, unexpected_greeting


def dialogue(*, ask_tls: bool, require_tls: bool) -> Dialogue:
    """Wait for the capabilities and their OK; read the certificate by STARTTLS where it is asked for; leave."""
    [*capabilities, answer] = yield from _until_answer()
    if not answer.upper().startswith(b"OK"):
        raise unexpected_greeting("ManageSieve", answer, "capabilities and OK")
    if not require_tls:
        yield Do.COUNT_AS_UP
    if ask_tls or require_tls:
        offered = any(line.strip().upper() == b'"STARTTLS"' for line in capabilities)
        yield Note("starttls", offered)
        if offered:
            yield Send(b"STARTTLS\r\n")
            [*_, answer] = yield from _until_answer()
            if not answer.upper().startswith(b"OK"):
                raise no_starttls("STARTTLS", answer)
            yield Do.START_TLS
            # RFC 5804 2.2: the server tells its capabilities again by itself.
            yield from _until_answer()
        elif require_tls:
            raise no_starttls("STARTTLS")
    if require_tls:
        yield Do.COUNT_AS_UP
    yield Send(b"LOGOUT\r\n")
    yield Do.READ_LINE


def _until_answer() -> Generator[Send | Do | Note, bytes, list[bytes]]:
    """Return lines up to OK, NO or BYE; a line that is neither a capability nor an answer is taken for an answer."""
    lines = []
    while True:
        line = yield Do.READ_LINE
        lines.append(line)
        if not line.startswith(b'"'):
            return lines
