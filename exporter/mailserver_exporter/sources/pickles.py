"""Read pickles without running what is in them.

A pickle is a program that may call anything; Python's own unpickler also allocates what the program says before it
looks at it. This reader knows the opcodes that numbers, texts, lists, tuples, dictionaries and exceptions are written
with (pickletools.py of CPython explains them), builds nothing else, calls nothing, and refuses the rest. An exception
becomes a ``Failure``, whatever its class.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from mailserver_exporter.sources import SourceError

# 100,000 banned addresses take 600,000 opcodes. No opcode makes an object of more than 300 bytes beyond its own text.
MAX_OPCODES = 1_000_000
# Longer integers than any counter or time.
_MAX_INTEGER_BYTES = 16


@dataclass(frozen=True)
class Failure:
    """An exception that was pickled: the name of its class, and its first argument where that is a text."""

    kind: str
    message: str


@dataclass(frozen=True)
class _Name:
    """A class or function that a pickle names."""

    module: str
    name: str


def loads(data: bytes) -> object:
    """Return the value of a pickle of protocol 2 to 5. Raises SourceError when it holds anything but plain values."""
    return _Reader(data).run()


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._stack: list[object] = []
        self._marked: list[list[object]] = []
        self._memo: dict[int, object] = {}

    def run(self) -> object:
        try:
            for _ in range(MAX_OPCODES):
                opcode = self._take(1)
                if opcode == b".":
                    return self._stack.pop()
                act = _ACTS.get(opcode)
                if act is None:
                    raise SourceError(f"a pickle with an opcode that is refused: {opcode!r}")
                act(self)
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise SourceError(f"not a pickle: {type(error).__name__} at byte {self._position}") from error
        raise SourceError(f"a pickle with more than {MAX_OPCODES} opcodes")

    # Reading the program

    def _take(self, count: int) -> bytes:
        data = self._data[self._position : self._position + count]
        if len(data) < count:
            raise SourceError("a pickle that ends too early")
        self._position += count
        return data

    def _number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "little")

    def _line(self) -> str:
        end = self._data.index(b"\n", self._position)
        return self._take(end + 1 - self._position)[:-1].decode("utf-8", "replace")

    # What opcodes do

    def push(self, value: object) -> None:
        self._stack.append(value)

    def skip(self, size: int) -> None:
        self._take(size)

    def mark(self) -> None:
        self._marked.append(self._stack)
        self._stack = []

    def _since_mark(self) -> list[object]:
        items = self._stack
        self._stack = self._marked.pop()
        return items

    def text(self, size: int) -> None:
        self.push(self._take(self._number(size)).decode("utf-8", "replace"))

    def raw(self, size: int) -> None:
        self.push(self._take(self._number(size)))

    def unsigned(self, size: int) -> None:
        self.push(self._number(size))

    def signed(self, size: int) -> None:
        self.push(int.from_bytes(self._take(size), "little", signed=True))

    def long(self) -> None:
        size = self._number(1)
        if size > _MAX_INTEGER_BYTES:
            raise SourceError(f"a pickle with an integer of {size} bytes")
        self.signed(size)

    def double(self) -> None:
        self.push(struct.unpack(">d", self._take(8))[0])

    def tuple_of(self, count: int) -> None:
        start = len(self._stack) - count
        if start < 0:
            raise IndexError
        self._stack[start:] = [tuple(self._stack[start:])]

    def tuple_since_mark(self) -> None:
        self.push(tuple(self._since_mark()))

    def append(self) -> None:
        self._extend([self._stack.pop()])

    def extend(self) -> None:
        self._extend(self._since_mark())

    def _extend(self, items: list[object]) -> None:
        target = self._stack[-1]
        if not isinstance(target, list):
            raise TypeError
        target.extend(items)

    def set_item(self) -> None:
        value = self._stack.pop()
        self._update([self._stack.pop(), value])

    def set_items(self) -> None:
        self._update(self._since_mark())

    def _update(self, items: list[object]) -> None:
        target = self._stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            raise TypeError
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Hashing a nested tuple can take for ever.
            if not isinstance(key, (str, int)):
                raise SourceError(f"a pickle with a dictionary key that is refused: {type(key).__name__}")
            target[key] = value

    def memoize(self) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def put(self, size: int) -> None:
        self._memo[self._number(size)] = self._stack[-1]

    def get(self, size: int) -> None:
        self.push(self._memo[self._number(size)])

    def name_in_line(self) -> None:
        module = self._line()
        self.push(_Name(module, self._line()))

    def name_on_stack(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise TypeError
        self.push(_Name(module, name))

    def call(self) -> None:
        """Make what a call would have returned, for the few callables that are allowed."""
        arguments, called = self._stack.pop(), self._stack.pop()
        if not isinstance(called, _Name) or not isinstance(arguments, tuple):
            raise TypeError
        first = arguments[0] if arguments and isinstance(arguments[0], str) else ""
        if (called.module, called.name) in (("builtins", "str"), ("__builtin__", "unicode"), ("__builtin__", "str")):
            # fail2ban's IPAddr pickles itself as str("192.0.2.1").
            self.push(first)
        elif called.name.casefold().endswith(("exception", "error")):
            self.push(Failure(called.name, first))
        else:
            raise SourceError(f"a pickle that calls {called.module}.{called.name}"[:200])

    def state(self) -> None:
        """Drop the attributes of an exception."""
        self._stack.pop()
        if not isinstance(self._stack[-1], Failure):
            raise TypeError


def _with(method: Callable[[_Reader, int], None], argument: int) -> Callable[[_Reader], None]:
    return lambda reader: method(reader, argument)


def _constant(make: Callable[[], object]) -> Callable[[_Reader], None]:
    return lambda reader: reader.push(make())


_ACTS: dict[bytes, Callable[[_Reader], None]] = {
    b"\x80": _with(_Reader.skip, 1),  # PROTO
    b"\x95": _with(_Reader.skip, 8),  # FRAME
    b"(": _Reader.mark,
    b"N": _constant(lambda: None),
    b"\x88": _constant(lambda: True),
    b"\x89": _constant(lambda: False),
    b"]": _constant(list),
    b"}": _constant(dict),
    b")": _constant(tuple),
    b"K": _with(_Reader.unsigned, 1),
    b"M": _with(_Reader.unsigned, 2),
    b"J": _with(_Reader.signed, 4),
    b"\x8a": _Reader.long,
    b"G": _Reader.double,
    b"\x8c": _with(_Reader.text, 1),
    b"X": _with(_Reader.text, 4),
    b"\x8d": _with(_Reader.text, 8),
    b"U": _with(_Reader.text, 1),  # str of Python 2
    b"T": _with(_Reader.text, 4),
    b"C": _with(_Reader.raw, 1),
    b"B": _with(_Reader.raw, 4),
    b"\x85": _with(_Reader.tuple_of, 1),
    b"\x86": _with(_Reader.tuple_of, 2),
    b"\x87": _with(_Reader.tuple_of, 3),
    b"t": _Reader.tuple_since_mark,
    b"a": _Reader.append,
    b"e": _Reader.extend,
    b"s": _Reader.set_item,
    b"u": _Reader.set_items,
    b"\x94": _Reader.memoize,
    b"q": _with(_Reader.put, 1),
    b"r": _with(_Reader.put, 4),
    b"h": _with(_Reader.get, 1),
    b"j": _with(_Reader.get, 4),
    b"c": _Reader.name_in_line,
    b"\x93": _Reader.name_on_stack,
    b"R": _Reader.call,
    b"b": _Reader.state,
}
