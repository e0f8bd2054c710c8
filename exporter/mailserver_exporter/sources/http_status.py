"""Ask a web server for a page and look at its status, its HSTS header and, where wanted, for a text (RFC 9112)."""

from __future__ import annotations

import re

from mailserver_exporter.sources.dialogue import Dialogue, Do, Note, ProbeError, Send, printable, unexpected_greeting

_STATUS_LINE = re.compile(rb"HTTP/(\d(?:\.\d)?) (\d{3})(?: |$)")
_HSTS = re.compile(rb"strict-transport-security:.*max-age=\"?0*[1-9]", re.IGNORECASE)


def dialogue(host: str, path: str, text: str = "") -> Dialogue:
    """Want a status below 500, for 401, 403 and 404 come from a server that works; with ``text``: 200 and the text.

    GET, because there are servers that answer 501 to HEAD. HTTP/1.0 where the text counts: it comes unchunked.
    """
    version = "1.0" if text else "1.1"
    yield Send(
        f"GET {path} HTTP/{version}\r\nHost: {host}\r\nUser-Agent: mailserver-exporter\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n".encode()
    )
    line = yield Do.READ_LINE
    status = _STATUS_LINE.match(line)
    if status is None:
        raise unexpected_greeting("HTTP", line, "a status line")
    code = int(status[2])
    yield Note("http_version", float(status[1]))
    yield Note("http_status", code)
    if code >= 500 or (text and code != 200):
        raise ProbeError("status", f'answers "{printable(line)}"')
    if not text:
        yield Do.COUNT_AS_UP
    hsts = False
    # RFC 6797 6.1.1: a max-age of 0 takes the promise back.
    while line := (yield Do.READ_LINE):
        hsts = hsts or _HSTS.match(line) is not None
    yield Note("hsts", hsts)
    if text:
        content = yield Do.READ_ALL
        if text.encode() not in content:
            raise ProbeError("text", f"the page does not hold {text!r} in its first {len(content)} bytes")
        yield Do.COUNT_AS_UP
    else:
        yield Do.READ_TO_END
