"""The client's side of IMAP as far as a probe goes (RFC 9051, RFC 3501; STARTTLS: RFC 2595)."""

from __future__ import annotations

from collections.abc import Generator

from mailserver_exporter.sources.dialogue import Dialogue, Do, Note, Send, no_starttls, unexpected_greeting


def dialogue(*, ask_tls: bool, require_tls: bool) -> Dialogue:
    """Wait for ``* OK`` or ``* PREAUTH``; read the certificate by STARTTLS where it is asked for; leave with LOGOUT."""
    line = yield Do.READ_LINE
    if not line.upper().startswith((b"* OK", b"* PREAUTH")):
        raise unexpected_greeting("IMAP", line, "* OK")
    if not require_tls:
        yield Do.COUNT_AS_UP
    if ask_tls or require_tls:
        yield Send(b"a CAPABILITY\r\n")
        lines = yield from _until_tagged(b"a")
        offers = b" ".join(line for line in lines if line.upper().startswith(b"* CAPABILITY")).upper().split()
        yield Note("starttls", b"STARTTLS" in offers)
        if b"STARTTLS" in offers:
            yield Send(b"b STARTTLS\r\n")
            [*_, answer] = yield from _until_tagged(b"b")
            if not answer.upper().startswith(b"B OK"):
                raise no_starttls("STARTTLS", answer)
            yield Do.START_TLS
        elif require_tls:
            raise no_starttls("STARTTLS")
    if require_tls:
        yield Do.COUNT_AS_UP
    yield Send(b"c LOGOUT\r\n")
    yield from _until_tagged(b"c")


def _until_tagged(tag: bytes) -> Generator[Send | Do | Note, bytes, list[bytes]]:
    lines = []
    while True:
        line = yield Do.READ_LINE
        lines.append(line)
        if line.startswith(tag + b" "):
            return lines
