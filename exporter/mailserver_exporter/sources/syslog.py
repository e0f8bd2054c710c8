"""The header that syslog daemons write before a message."""

from __future__ import annotations

import re
from collections.abc import Iterable

# What rsyslog writes with $RepeatedMsgReduction, which Ubuntu has on; it stands where the message begins.
_REPEATED = re.compile(rb"([^ ]+:) message repeated (\d{1,6}) times: \[ ?(.*)\]$", re.DOTALL)
# BusyBox' syslogd names facility and level before the program.
_PRIORITY = re.compile(rb"[a-z0-9]+\.[a-z]+ ")
_MAX_REPEATED = 10_000


def body(line: bytes) -> bytes:
    """Return ``ident[pid]: message`` of a line in a log file, or nothing where it has no such header.

    Knows the classic date (``Nov 22 03:13:24 host``, RFC 3164, also of Postfix' own postlogd(8)) and RFC 3339's
    (``2026-11-22T03:13:24.123456+00:00 host``, rsyslog's default in Debian 12). The line may end with a newline.
    """
    if line[15:16] == b" " and line[12:13] == b":":
        start = line.find(b" ", 16) + 1
    elif line[10:11] == b"T":
        start = line.find(b" ", line.find(b" ", 19) + 1) + 1
    else:
        return b""
    if not start:
        return b""
    found = line[start:].rstrip(b"\r\n")
    if b":" not in found[: found.find(b" ")]:
        priority = _PRIORITY.match(found)
        return found[priority.end() :] if priority else found
    return found


def bodies(lines: Iterable[bytes]) -> list[bytes]:
    """Return the body of each line that has one; a message that rsyslog says was repeated comes so many times."""
    result = []
    for line in lines:
        found = body(line)
        if b" message repeated " in found and (repeated := _REPEATED.match(found)):
            ident, times, message = repeated.groups()
            result += [b"%s %s" % (ident, message)] * min(int(times), _MAX_REPEATED)
        elif found:
            result.append(found)
    return result
