"""What a probe and a server say to each other, as generators that know no socket.

A dialogue yields what it wants done and is sent what came of it. ``probe.py`` does the rest: sockets, TLS, bounds and
deadlines. So each protocol is a few lines that a test can hold a conversation with.
"""

from __future__ import annotations

import enum
from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from mailserver_exporter.sources import SourceError

# The certificate counts for those only who verify it.
Reason: TypeAlias = Literal["connect", "timeout", "greeting", "tls", "certificate", "status", "text"]


@dataclass(frozen=True)
class Send:
    """Send these bytes; answered with nothing."""

    data: bytes


@dataclass(frozen=True)
class Note:
    """Keep what was learned of the server, such as that it offers STARTTLS; answered with nothing."""

    name: str
    value: float


class Do(enum.Enum):
    """What else a dialogue can want."""

    READ_LINE = "read a line"  # answered with the line, its end taken off
    START_TLS = "start TLS"  # answered with nothing once the handshake is through
    COUNT_AS_UP = "count as up"  # from here on nothing makes the probe fail, at most it leaves a remark
    READ_TO_END = "read to the end"  # what the server still has to say, so that its log stays clean
    READ_ALL = "read all"  # the same, answered with as much of it as a probe reads


Dialogue: TypeAlias = Generator[Send | Do | Note, bytes, None]


class ProbeError(SourceError):
    """Why a probe failed, as one of the reasons that the metric names and in words."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason


_PRINTABLE = bytes(byte if 32 <= byte < 127 else ord("?") for byte in range(256))


def printable(data: bytes, limit: int = 100) -> str:
    """Return what a server said, at most ``limit`` characters of it, with nothing in it that a terminal would obey."""
    return data[:limit].translate(_PRINTABLE).decode("ascii") + ("..." if len(data) > limit else "")


def unexpected_greeting(protocol: str, line: bytes, expected: str) -> ProbeError:
    """Return the failure for a first line that is not the protocol's greeting."""
    return ProbeError("greeting", f'does not greet as {protocol} ({expected}) but says "{printable(line)}"')


def no_starttls(command: str, answer: bytes = b"") -> ProbeError:
    """Return the failure for a server that does not offer TLS, or refuses it after it did."""
    said = f'is answered with "{printable(answer)}"' if answer else "is not offered"
    return ProbeError("tls", f"{command} {said}")
