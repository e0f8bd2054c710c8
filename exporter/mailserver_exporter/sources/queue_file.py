"""When a message arrived and how large it is, from the first records of its queue file.

A queue file is a row of records: a type byte, a length in groups of seven bits with the lowest first, and the data.
'C' holds the size, 'T' the arrival as seconds and microseconds (Postfix, rec_type.h and record.c). The file's own
modification time is not the arrival: for a deferred message it is the time of the next attempt.
"""

from __future__ import annotations

import os

from mailserver_exporter.sources import SourceError
from mailserver_exporter.sources.showq import Message

# Both records come before anything of variable number.
_HEAD = 1024


def read(path: str, state: str) -> Message | None:
    """Return what a queue file says, or None when it is gone. Raises SourceError and OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        head = os.read(descriptor, _HEAD)
        length = os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
    arrived, size = parse(head)
    # What sendmail leaves in maildrop has no size record yet; showq, too, gives the file's length then.
    return Message(state, arrived, length if size is None else size)


def parse(head: bytes) -> tuple[int, int | None]:
    """Return arrival and size from the beginning of a queue file; size is None when there is no such record.

    Raises SourceError when there is no arrival.
    """
    size = None
    position = 0
    while position < len(head):
        kind = head[position : position + 1]
        position, length = _length(head, position + 1)
        data = head[position : position + length]
        position += length
        if kind in (b"C", b"T"):
            try:
                number = int(data.split()[0])
            except (ValueError, IndexError):
                break
            if not 0 <= number < 1 << 63:
                break
            if kind == b"T":
                return number, size
            size = number
    raise SourceError(f"no queue file, it says no arrival: {head[:40]!r}")


def _length(head: bytes, position: int) -> tuple[int, int]:
    length = shift = 0
    while position < len(head):
        byte = head[position]
        position += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return position, length
