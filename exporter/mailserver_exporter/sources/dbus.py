"""A D-Bus client with just enough of the protocol to ask questions over a Unix socket.

Our own, because jeepney, the smallest library there is, adds 1.3 MiB to the resident process and this, with all that
knows systemd, 0.4. The protocol: https://dbus.freedesktop.org/doc/dbus-specification.html
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any

from mailserver_exporter.sources import SourceError

_MAX_BYTES = 8 << 20
_MAX_DEPTH = 32
_CALL, _ANSWER, _ERROR = 1, 2, 3
_PATH, _INTERFACE, _MEMBER, _ERROR_NAME, _REPLY_SERIAL, _DESTINATION, _SIGNATURE = 1, 2, 3, 4, 5, 6, 8
_NUMBERS = {"y": "B", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d", "h": "I"}
_ALIGNMENTS = {"y": 1, "n": 2, "q": 2, "x": 8, "t": 8, "d": 8, "g": 1, "v": 1, "(": 8, "{": 8}
_BUS = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")


class RefusedError(SourceError):
    """The answer to a call is an error; ``name`` is its D-Bus name, such as org.freedesktop.DBus.Error.AccessDenied."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{text or 'refused'} ({name})")
        self.name = name


@dataclass(frozen=True)
class Call:
    """One question: a method of an object, and its arguments, which may be texts only."""

    destination: str
    path: str
    interface: str
    member: str
    arguments: tuple[str, ...] = ()


class Client:
    """A connection to a bus, or without ``bus`` to a single service that listens itself; use it in a ``with`` block.

    Raises OSError where nobody listens or answers in time, SourceError for an answer that is not D-Bus.
    """

    def __init__(self, path: str, seconds: float, *, bus: bool = True) -> None:
        self._end = time.monotonic() + seconds
        self._serial = 0
        self._buffer = bytearray()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._wait()
            self._socket.connect(path)
            self._authenticate()
            if bus:
                # A bus answers nothing before it; a service that listens itself does not answer it.
                self.ask([Call(*_BUS, "Hello")])
        except BaseException:
            self._socket.close()
            raise

    def ask(self, calls: Sequence[Call]) -> list[list[Any] | RefusedError]:
        """Make all calls at once and return their answers in the same order."""
        waiting: dict[int, int] = {}
        request = b""
        for index, call in enumerate(calls):
            self._serial += 1
            waiting[self._serial] = index
            request += _message(self._serial, call)
        self._wait()
        self._socket.sendall(request)
        answers: list[list[Any] | RefusedError] = [[] for _ in calls]
        while waiting:
            serial, answer = self._next()
            if serial in waiting:
                answers[waiting.pop(serial)] = answer
        return answers

    def _authenticate(self) -> None:
        self._wait()
        # BEGIN at once: were it to arrive together with the first message, systemd would wait for a second one.
        self._socket.sendall(b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\nBEGIN\r\n")
        while b"\r\n" not in self._buffer:
            self._receive(1 << 14)
        line, _, rest = bytes(self._buffer).partition(b"\r\n")
        if not line.startswith(b"OK "):
            raise SourceError(f"D-Bus does not let us in: {line[:80]!r}")
        self._buffer = bytearray(rest)

    def _next(self) -> tuple[int, list[Any] | RefusedError]:
        """Read one message; return which call it answers (0: none) and its content."""
        head = self._take(16)
        if head[:1] not in b"lB" or head[3] != 1:
            raise SourceError(f"this is not D-Bus: {head!r}")
        order = "<" if head[:1] == b"l" else ">"
        body, _, fields_size = struct.unpack(f"{order}4xIII", head)
        padded = (fields_size + 7) & ~7
        if body + padded > _MAX_BYTES:
            raise SourceError(f"a D-Bus message is larger than {_MAX_BYTES} bytes")
        data = self._take(padded + body)
        fields = dict(_Reader(order, struct.pack(f"{order}I", fields_size) + data[:padded], 12).values("a(yv)")[0])
        serial = fields.get(_REPLY_SERIAL)
        if head[1] not in (_ANSWER, _ERROR) or not isinstance(serial, int):
            return 0, []
        content = _Reader(order, data[padded:]).values(str(fields.get(_SIGNATURE, "")))
        if head[1] == _ERROR:
            text = content[0] if content and isinstance(content[0], str) else ""
            return serial, RefusedError(str(fields.get(_ERROR_NAME, "unknown")), text[:200])
        return serial, content

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._receive(size)
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _receive(self, limit: int) -> None:
        if len(self._buffer) > limit:
            raise SourceError(f"this is not D-Bus: {bytes(self._buffer[:80])!r}")
        self._wait()
        chunk = self._socket.recv(65536)
        if not chunk:
            raise ConnectionResetError(104, "the connection was closed")
        self._buffer += chunk

    def _wait(self) -> None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError(110, "no answer in time")
        self._socket.settimeout(left)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()


def _message(serial: int, call: Call) -> bytes:
    """Return a method call; little-endian, whatever this machine is."""
    body = b""
    for argument in call.arguments:
        body += b"\0" * (-len(body) % 4) + _text(argument)
    texts = (
        (_PATH, "o", call.path),
        (_DESTINATION, "s", call.destination),
        (_INTERFACE, "s", call.interface),
        (_MEMBER, "s", call.member),
    )
    fields = b""
    for code, kind, text in texts:
        fields += b"\0" * (-len(fields) % 8) + bytes((code, 1, ord(kind), 0)) + _text(text)
    if body:
        signature = "s" * len(call.arguments)
        fields += b"\0" * (-len(fields) % 8) + bytes((_SIGNATURE, 1, ord("g"), 0, len(signature)))
        fields += signature.encode() + b"\0"
    head = struct.pack("<cBBBIII", b"l", _CALL, 0, 1, len(body), serial, len(fields))
    return head + fields + b"\0" * (-len(fields) % 8) + body


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<I", len(data)) + data + b"\0"


class _Reader:
    """Reads values by their signature. ``offset`` is where the data lies in its message, for alignment."""

    def __init__(self, order: str, data: bytes, offset: int = 0) -> None:
        self._order = order
        self._data = data
        self._offset = offset
        self._at = 0

    def values(self, signature: str) -> list[Any]:
        """Return the values of a signature; raises SourceError when the data does not hold them."""
        try:
            return [self._value(kind, 0) for kind in _kinds(signature)]
        except (struct.error, IndexError, KeyError, UnicodeDecodeError) as error:
            raise SourceError(f"a D-Bus message is damaged: {error}") from error

    def _value(self, kind: str, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise SourceError("a D-Bus message is nested too deep")
        code = kind[0]
        self._align(_ALIGNMENTS.get(code, 4))
        if code in _NUMBERS:
            return self._number(_NUMBERS[code])
        if code == "b":
            return bool(self._number("I"))
        if code in "so":
            return self._bytes(self._number("I"))
        if code == "g":
            return self._bytes(self._number("B"))
        if code == "v":
            return self._value(_kinds(self._value("g", depth + 1))[0], depth + 1)
        if code in "({":
            return tuple([self._value(inner, depth + 1) for inner in _kinds(kind[1:-1])])
        if code == "a":
            size = self._number("I")
            self._align(_ALIGNMENTS.get(kind[1], 4))
            end = self._at + size
            found = []
            while self._at < end:
                before = self._at
                found.append(self._value(kind[1:], depth + 1))
                if self._at == before:
                    raise SourceError("a D-Bus message has a list of nothing")
            return found
        raise SourceError(f"a D-Bus message has a value of the unknown type {code!r}")

    def _align(self, to: int) -> None:
        self._at += -(self._at + self._offset) % to

    def _number(self, code: str) -> Any:
        [value] = struct.unpack_from(self._order + code, self._data, self._at)
        self._at += struct.calcsize(code)
        return value

    def _bytes(self, size: int) -> str:
        text = self._data[self._at : self._at + size]
        if len(text) < size:
            raise IndexError("it ends early")
        self._at += size + 1
        return text.decode("utf-8", "replace")


@lru_cache(maxsize=64)
def _kinds(signature: str) -> tuple[str, ...]:
    """Cut a signature into complete types: ``sa{sv}(uu)`` into ``s``, ``a{sv}``, ``(uu)``."""
    return tuple(_cut(signature))


def _cut(signature: str) -> Iterator[str]:
    start = 0
    while start < len(signature):
        end = start
        while signature[end] == "a":
            end += 1
        if signature[end] in "({":
            depth = 0
            while True:
                depth += (signature[end] in "({") - (signature[end] in ")}")
                if not depth:
                    break
                end += 1
        yield signature[start : end + 1]
        start = end + 1
