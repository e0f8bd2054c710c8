"""What is queued, as Postfix' showq(8) lists it: the arrival time and size of each message, by queue.

showq sends its list to whoever connects to public/showq, as attributes of the form name NUL value NUL; an empty name
ends a message, a second one the list (Postfix 3.1 and newer, attr_print0). It opens every queue file for it, which for
a long queue takes seconds, so this is for now and then. It does not list the queue "corrupt".
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass

from mailserver_exporter.sources import SourceError

# The queues that showq lists.
QUEUES = ("maildrop", "active", "incoming", "deferred", "hold")

_CHUNK = 65536
# Postfix limits lines, addresses and reasons to some kilobytes.
_MAX_ATTRIBUTE = 1_000_000
_MAX_NUMBER = 1 << 63
# An idle showq answers at once; one that says nothing for so long belongs to a Postfix that is stopped or stuck.
_SILENCE_SECONDS = 10.0
# sockaddr_un.sun_path, unix(7)
_MAX_SOCKET_PATH = 107


@dataclass(frozen=True)
class Message:
    """A message in a queue; ``arrived`` in seconds since the epoch, ``size`` in bytes."""

    queue: str
    arrived: int
    size: int


class Parser:
    """Makes messages of showq's bytes as they come in, holding no more than the attribute that is incomplete."""

    def __init__(self) -> None:
        self.ended = False
        self._rest = b""
        self._name: bytes | None = None
        self._empty = True
        self._attributes: dict[bytes, bytes] = {}

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that are complete with this data. Raises SourceError when it is not showq's."""
        parts = (self._rest + data).split(b"\0")
        self._rest = parts.pop()
        if len(self._rest) > _MAX_ATTRIBUTE:
            raise SourceError(f"showq sent an attribute of more than {_MAX_ATTRIBUTE} bytes")
        for part in parts:
            if self.ended:
                raise SourceError(f"showq sent something after the end of its list: {part[:80]!r}")
            if self._name is not None:
                if self._name in (b"queue_name", b"time", b"size"):
                    self._attributes[self._name] = part
                self._name = None
            elif part:
                self._name = part
                self._empty = False
            elif self._empty:
                self.ended = True
            else:
                if b"queue_name" in self._attributes:
                    yield self._message()
                self._attributes = {}
                self._empty = True

    def _message(self) -> Message:
        attributes = self._attributes
        try:
            queue = attributes[b"queue_name"].decode("utf-8", "replace")
            message = Message(queue, int(attributes[b"time"]), int(attributes[b"size"]))
        except (KeyError, ValueError):
            message = None
        if message is None or not (0 <= message.arrived < _MAX_NUMBER and 0 <= message.size < _MAX_NUMBER):
            raise SourceError(f"showq sent a message without a good time and size: {attributes!r}"[:300])
        return message


def read(queue: str, seconds: float) -> Iterator[Message]:
    """Yield what showq lists of the queue in a directory, as it comes.

    Raises OSError when it cannot be reached, falls silent, or does not finish within ``seconds``, SourceError when
    what it says is no list. Leaving the iterator early ends the connection.
    """
    end = time.monotonic() + seconds
    parser = Parser()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        _wait_at_most(connection, min(seconds, _SILENCE_SECONDS))
        _connect(connection, f"{queue}/public/showq")
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"showq did not end its list within {seconds:g} s")
            _wait_at_most(connection, min(left, _SILENCE_SECONDS))
            # showq writes 4096 bytes at a time; waiting for more halves the cost of a long list.
            try:
                data = connection.recv(_CHUNK, socket.MSG_WAITALL)
            except BlockingIOError as error:
                raise TimeoutError("showq says nothing") from error
            if not data:
                break
            yield from parser.feed(data)
    if not parser.ended:
        raise ConnectionError("showq hung up before the end of its list")


def _wait_at_most(connection: socket.socket, seconds: float) -> None:
    """Let the kernel keep the time, which leaves the socket a blocking one, as MSG_WAITALL needs."""
    microseconds = max(1, int(seconds * 1e6))
    limit = struct.pack("ll", *divmod(microseconds, 1_000_000))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


def _connect(connection: socket.socket, path: str) -> None:
    """Connect to a socket whose path may be longer than a socket address holds."""
    if len(os.fsencode(path)) <= _MAX_SOCKET_PATH:
        connection.connect(path)
        return
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connection.connect(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
    finally:
        os.close(folder)
