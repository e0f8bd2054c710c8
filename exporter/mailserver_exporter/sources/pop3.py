"""The client's side of POP3 as far as a probe goes (RFC 1939, CAPA: RFC 2449, STLS: RFC 2595)."""

from __future__ import annotations

from mailserver_exporter.sources.dialogue import Dialogue, Do, Note, Send, no_starttls, unexpected_greeting


def dialogue(*, ask_tls: bool, require_tls: bool) -> Dialogue:
    """Wait for ``+OK``; read the certificate by STLS where it is asked for; leave with QUIT."""
    line = yield Do.READ_LINE
    if not line.startswith(b"+OK"):
        raise unexpected_greeting("POP3", line, "+OK")
    if not require_tls:
        yield Do.COUNT_AS_UP
    if ask_tls or require_tls:
        yield Send(b"CAPA\r\n")
        line = yield Do.READ_LINE
        offered = False
        # A server without CAPA says -ERR, which is one line only.
        while line != b"." and not line.startswith(b"-ERR"):
            offered = offered or line.strip().upper() == b"STLS"
            line = yield Do.READ_LINE
        yield Note("starttls", offered)
        if offered:
            yield Send(b"STLS\r\n")
            line = yield Do.READ_LINE
            if not line.startswith(b"+OK"):
                raise no_starttls("STLS", line)
            yield Do.START_TLS
        elif require_tls:
            raise no_starttls("STLS")
    if require_tls:
        yield Do.COUNT_AS_UP
    yield Send(b"QUIT\r\n")
    yield Do.READ_LINE
