"""What a fail2ban server says on its socket.

A request is a pickled list of words, an answer a pickled pair: 0 and the value, or 1 and an exception; both end with a
mark (fail2ban, asyncserver.py and transmitter.py). The server takes one client at a time, and whoever may write to
the socket may also run commands as root through it, so only questions are asked here.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

from mailserver_exporter.sources import SourceError, pickles

_END = b"<F2B_END_COMMAND>"
_CLOSE = b"<F2B_CLOSE_COMMAND>"

MAX_ANSWER = 16_000_000
_MAX_JAILS = 1000
_MAX_NUMBER = 1 << 63


class RefusedError(SourceError):
    """The server answered a question with an exception, such as that for a jail that is gone."""


@dataclass(frozen=True)
class Jail:
    """What a jail has counted since it started, and what it counts now."""

    failed: int
    failed_total: int
    banned: int
    banned_total: int


@dataclass(frozen=True)
class JailSettings:
    """A jail's settings; times in seconds, a negative ban time is for ever."""

    ban_time: int
    find_time: int
    max_retry: int


class Client:
    """One connection to a fail2ban server; a context manager. Every method raises SourceError or OSError."""

    def __init__(self, path: str, seconds: float) -> None:
        """Connect to the socket at ``path``; everything together must end within ``seconds``."""
        self._end = time.monotonic() + seconds
        self._seconds = seconds
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(seconds)
            self._socket.connect(path)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._socket.settimeout(max(0.01, self._end - time.monotonic()))
                self._socket.sendall(_CLOSE + _END)
        except OSError:
            pass  # all answers are there; the politeness is for the server's log only
        finally:
            self._socket.close()

    def ask(self, *words: str) -> object:
        """Return the value that a command is answered with; raises RefusedError when the server answers no."""
        try:
            self._socket.settimeout(self._left())
            self._socket.sendall(request(words) + _END)
            return answer(self._receive())
        except TimeoutError as error:
            raise SourceError(f"fail2ban did not answer {words[0]!r} within {self._seconds:g} s") from error

    def version(self) -> str:
        """Return the server's version."""
        return _text(self.ask("version"))

    def names(self) -> list[str]:
        """Return the names of all jails."""
        return parse_jail_names(self.ask("status"))

    def jails(self, version: str) -> dict[str, Jail]:
        """Return every jail; one that vanishes meanwhile is left out."""
        if version_numbers(version) >= (1, 1):
            return parse_stats(self.ask("stats"))
        found = {}
        for name in self.names():
            try:
                # "short" spares the list of addresses; servers that do not know it send the list.
                found[name] = parse_jail(self.ask("status", name, "short"))
            except RefusedError:
                continue
        return found

    def settings(self, jail: str) -> JailSettings:
        """Return a jail's settings."""
        return JailSettings(*(_number(self.ask("get", jail, name)) for name in ("bantime", "findtime", "maxretry")))

    def banned(self) -> set[str]:
        """Return the addresses that any jail bans now; raises RefusedError where the server is older than 0.11.2."""
        return parse_banned(self.ask("banned"))

    def database(self) -> str:
        """Return the path of the server's database as the server sees it, empty when it keeps none."""
        path = self.ask("get", "dbfile")
        return path if isinstance(path, str) and path.startswith("/") else ""

    def _receive(self) -> bytes:
        data = bytearray()
        while not data.endswith(_END):
            self._socket.settimeout(self._left())
            chunk = self._socket.recv(65536)
            if not chunk:
                raise SourceError("fail2ban hung up in the middle of an answer")
            data += chunk
            if len(data) > MAX_ANSWER:
                raise SourceError(f"fail2ban sent an answer of more than {MAX_ANSWER} bytes")
        return bytes(data[: -len(_END)])

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def request(words: tuple[str, ...]) -> bytes:
    """Return the pickle, protocol 2, of a list of texts."""
    encoded = [word.encode("utf-8", "surrogateescape") for word in words]
    return b"\x80\x02](" + b"".join(b"X" + len(word).to_bytes(4, "little") + word for word in encoded) + b"e."


def answer(data: bytes) -> object:
    """Return the value in an answer. Raises RefusedError when it is an exception, SourceError when it is no answer."""
    if data.startswith(b"ERROR:"):
        raise SourceError(f"fail2ban does not understand us: {data[:100]!r}")
    match pickles.loads(data):
        case (0, value):
            return value
        case (_, pickles.Failure(kind, message)):
            raise RefusedError(f"fail2ban answered {kind}: {message}"[:200])
    raise _unexpected()


def version_numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that a version such as ``1.1.0.dev1`` begins with."""
    found = re.match(r"\d{1,6}(\.\d{1,6}){0,3}", version)
    return tuple(map(int, found[0].split("."))) if found else ()


def parse_stats(value: object) -> dict[str, Jail]:
    """Parse the answer to ``stats`` (1.1.0 and newer): {jail: [backend, (failed, total), (banned, total)]}."""
    if not isinstance(value, dict) or len(value) > _MAX_JAILS:
        raise _unexpected()
    found = {}
    for name, jail in value.items():
        match jail:
            case [_, (failed, failed_total), (banned, banned_total)]:
                counts = (failed, failed_total, banned, banned_total)
                found[_text(name)] = Jail(*(_number(count) for count in counts))
            case _:
                raise _unexpected()
    return found


def parse_jail_names(value: object) -> list[str]:
    """Parse the answer to ``status``: [("Number of jail", n), ("Jail list", "a, b")]."""
    names = _text(_pairs(value).get("Jail list"))
    found = [name.strip() for name in names.split(",") if name.strip()]
    if len(found) > _MAX_JAILS:
        raise _unexpected()
    return found


def parse_jail(value: object) -> Jail:
    """Parse the answer to ``status JAIL``: pairs of names and numbers below "Filter" and "Actions"."""
    sections = _pairs(value)
    found, banned = _pairs(sections.get("Filter")), _pairs(sections.get("Actions"))
    return Jail(
        _number(found.get("Currently failed")),
        _number(found.get("Total failed")),
        _number(banned.get("Currently banned")),
        _number(banned.get("Total banned")),
    )


def parse_banned(value: object) -> set[str]:
    """Parse the answer to ``banned``: [{jail: [address, ...]}, ...]."""
    found: set[str] = set()
    for jail in value if isinstance(value, list) else [value]:
        for addresses in jail.values() if isinstance(jail, dict) else [jail]:
            if not isinstance(addresses, list):
                raise _unexpected()
            found.update(map(_text, addresses))
    return found


def _pairs(value: object) -> Mapping[str, object]:
    if not isinstance(value, list):
        raise _unexpected()
    pairs: dict[str, object] = {}
    for pair in value:
        match pair:
            case (str(name), content):
                pairs[name] = content
            case _:
                raise _unexpected()
    return pairs


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _unexpected()
    return value


def _number(value: object) -> int:
    # The comparison is false for what is no number of this world: NaN and the infinities.
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _MAX_NUMBER:
        return int(value)
    raise _unexpected()


def _unexpected() -> SourceError:
    return SourceError("fail2ban answered something that no known version answers")
