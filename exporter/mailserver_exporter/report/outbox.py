"""What is known of the reports across restarts, and the one that is on its way: files below ``state_directory/report``.

``state.json`` is written before each step that must not be repeated and after each that succeeded, so that whoever is
killed leaves a report that the next one sends:

    due            the letter is noted, with its Message-ID: from now on there will be one
    made           the message is kept; each attempt sends the same bytes
    attempt        counted, with the time of the next one, before the server is called
    accepted       noted as soon as the server has said so: only who dies between these two makes a second copy
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mailserver_exporter import state_files
from mailserver_exporter.report import stored
from mailserver_exporter.report.schedule import Done

_MAX_BYTES = 1_000_000
_MESSAGE_ID = re.compile(r"<[!-~]{1,900}>")
_MAX_MESSAGE = 32_000_000
# What passes by itself is tried again soon; what somebody has to mend, such as a wrong password, more slowly, for a
# provider locks out who comes too often.
_SOON = (60.0, 120.0, 300.0, 900.0, 1800.0, 3600.0)
_SLOWLY = (900.0, 1800.0, 3600.0)


@dataclass(frozen=True)
class Letter:
    """The newest report; ``digest`` is that of the message, empty as long as there is none.

    ``troubles`` says for each recipient who has not got it why, ``remedy`` what to do about the first of them.
    ``missed`` says why the letter before this one could not be sent, where that is so.
    """

    due: float
    message_id: str
    digest: str = ""
    accepted: tuple[str, ...] = ()
    troubles: Mapping[str, str] = field(default_factory=dict)
    remedy: str = ""
    missed: str = ""
    attempts: int = 0
    next_attempt: float = 0.0
    done: bool = False

    @property
    def name(self) -> str:
        """The name of the file that holds the message."""
        return f"{hashlib.sha256(self.message_id.encode()).hexdigest()[:16]}.eml"

    def wants(self, now: float) -> bool:
        """Say whether it is to be sent now; also when the clock has been put back since it was tried."""
        return not self.done and not now < self.next_attempt <= now + _SOON[-1]

    def begun(self, now: float) -> Letter:
        """Return it as it is while it is being sent: should nobody live to say how that went, it is tried again."""
        pause = _of(_SOON, self.attempts)
        return replace(self, attempts=self.attempts + 1, next_attempt=now + pause, troubles={}, remedy="")

    def ended(
        self, now: float, accepted: tuple[str, ...], troubles: Mapping[str, str], remedy: str, *, retry: bool
    ) -> Letter:
        """Return it as it is after an attempt; ``retry`` says that it may succeed without anybody's help."""
        return replace(
            self,
            accepted=tuple(dict.fromkeys((*self.accepted, *accepted))),
            troubles=dict(troubles),
            remedy=remedy,
            next_attempt=now + _of(_SOON if retry else _SLOWLY, self.attempts - 1),
            done=not troubles,
        )


@dataclass(frozen=True)
class State:
    """All that is remembered; times in seconds since the epoch, 0 for never."""

    done: Done = field(default_factory=Done)
    letter: Letter | None = None
    overdue_since: float = 0.0
    last_success: float = 0.0
    last_attempt: float = 0.0
    sent: int = 0
    failed: int = 0
    compose_seconds: float = 0.0
    message_bytes: int = 0

    def encode(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        return asdict(self)

    @classmethod
    def decode(cls, data: Any) -> State:
        """Return what ``encode`` has made; raises ValueError for what it has not."""
        try:
            state = stored.read(cls, data)
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error
        if state.letter is not None and not _MESSAGE_ID.fullmatch(state.letter.message_id):
            raise ValueError("message_id is none")
        return state


class DamagedError(Exception):
    """The state cannot be used; it was put aside."""


class Outbox:
    """The files; all methods raise OSError."""

    def __init__(self, state_directory: Path) -> None:
        self.directory = state_directory / "report"
        self.file = self.directory / "state.json"

    @contextlib.contextmanager
    def locked(self) -> Iterator[bool]:
        """Hold the lock that only one process has; the value says whether we have it, or somebody else is at it."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)

    def load(self) -> State | None:
        """Return the state, None where there is none yet. Raises DamagedError, too."""
        try:
            with self.file.open("rb") as file:
                data = file.read(_MAX_BYTES)
        except FileNotFoundError:
            return None
        try:
            return State.decode(json.loads(data))
        except (ValueError, RecursionError) as error:
            raise DamagedError(f"cannot use {self.file}: {error}") from error

    def put_aside(self) -> None:
        """Keep a damaged state for a look, and out of the way."""
        self.file.replace(self.file.with_suffix(".damaged"))

    def save(self, state: State) -> None:
        """Write the state, so that it is there after a power cut, too."""
        state_files.replace(self.file, f"{json.dumps(state.encode(), indent=1)}\n".encode())
        self._sync()

    def keep(self, letter: Letter, message: bytes) -> Letter:
        """Keep a letter's message, and nobody else's; return the letter that knows it."""
        state_files.replace(self.directory / letter.name, message)
        self._sync()
        self.tidy(letter)
        return replace(letter, digest=hashlib.sha256(message).hexdigest())

    def message(self, letter: Letter) -> bytes | None:
        """Return the message as it was kept, None where it was not or is not whole."""
        if not letter.digest:
            return None
        try:
            with (self.directory / letter.name).open("rb") as file:
                message = file.read(_MAX_MESSAGE)
        except FileNotFoundError:
            return None
        return message if hashlib.sha256(message).hexdigest() == letter.digest else None

    def tidy(self, letter: Letter | None) -> None:
        """Remove all messages but the one of this letter."""
        for path in self.directory.glob("*.eml"):
            if letter is None or path.name != letter.name:
                path.unlink(missing_ok=True)

    def _sync(self) -> None:
        descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _of(pauses: tuple[float, ...], number: int) -> float:
    return pauses[min(max(number, 0), len(pauses) - 1)]
