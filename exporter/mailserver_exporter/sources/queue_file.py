"""When a message arrived and how large it is, from the first records of its queue file.

A queue file is a row of records: a type byte, a length in groups of seven bits with the lowest first, and the data.
'C' holds the size, 'T' the arrival as seconds and microseconds (Postfix, rec_type.h and record.c). The file's own
modification time is not the arrival: for a deferred message it is the time of the next attempt.
"""

from __future__ import annotations

import os

from mailserver_exporter.sources.showq import Message

# Both records come before anything of variable number.
_HEAD = 1024


def read(path: str, state: str) -> Message | None:
    """Return what a queue file says, or None when it is gone. Raises OSError.

    A file that is still being written, or damaged, may not say: then its modification time and its length stand in.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        arrived, size = parse(os.read(descriptor, _HEAD))
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return Message(
        state,
        int(status.st_mtime) if arrived is None else arrived,
        # What sendmail leaves in maildrop has no size record yet.
        status.st_size if size is None else size,
    )


def parse(head: bytes) -> tuple[int | None, int | None]:
    """Return arrival and size from the beginning of a queue file, None for what it does not say."""
    size = None
    position = 0
    while position < len(head):
        kind = head[position : position + 1]
        position, length = _length(head, position + 1)
        data = head[position : position + length]
        position += length
        if kind in (b"C", b"T"):
            number = _number(data) if len(data) == length else None
            if number is None or kind == b"T":
                return number, size
            size = number
    return None, size


def _number(data: bytes) -> int | None:
    """Return the first number of a record, None when there is none that can be a time or a size."""
    first = data.split(maxsplit=1)[:1]
    return int(first[0]) if first and first[0].isdigit() and len(first[0]) < 19 else None


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
