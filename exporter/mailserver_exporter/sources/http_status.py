"""Ask a web server for a page and look at the status only (RFC 9112)."""

from __future__ import annotations

import re

from mailserver_exporter.sources.dialogue import Dialogue, Do, ProbeError, Send, printable, unexpected_greeting

_STATUS_LINE = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})(?: |$)")


def dialogue(host: str, path: str) -> Dialogue:
    """Want a status below 500: 401, 403 and 404 come from a server that works.

    GET, because there are servers that answer 501 to HEAD.
    """
    yield Send(
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: mailserver-exporter\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n".encode()
    )
    line = yield Do.READ_LINE
    status = _STATUS_LINE.match(line)
    if status is None:
        raise unexpected_greeting("HTTP", line, "a status line")
    if int(status[1]) >= 500:
        raise ProbeError("status", f'answers "{printable(line)}"')
    yield Do.COUNT_AS_UP
    yield Do.READ_TO_END
