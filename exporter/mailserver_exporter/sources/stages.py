"""The stages that a message goes through, each with its time, and the one in which it failed."""

from __future__ import annotations

import contextlib
import imaplib
import smtplib
import time
from collections.abc import Callable, Iterator

_RESERVE_BYTES = 8 << 20


class StageError(Exception):
    """Why a stage failed."""

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(message)
        self.stage = stage


class Stages:
    """``seconds`` of each stage that was gone through; ``left`` is what remains until the end.

    ``hide`` takes out of what a server said what nobody may read; ``reserve_bytes`` are for what has to be done when
    a server has filled the memory.
    """

    def __init__(self, seconds: float, hide: Callable[[str], str] = str, reserve_bytes: int = _RESERVE_BYTES) -> None:
        self.seconds: dict[str, float] = {}
        self._hide = hide
        self._reserve = bytearray(reserve_bytes)
        self._end = time.monotonic() + seconds

    def left(self, at_most: float) -> float:
        """Return the seconds that something may take; raises TimeoutError when the time is up."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is up")
        return min(left, at_most)

    @contextlib.contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Measure a stage; what goes wrong in it is raised as a StageError in words."""
        started = time.monotonic()
        try:
            yield
        except MemoryError:
            # smtplib and imaplib keep all that a server says, and still do now.
            self._reserve = bytearray()
            raise StageError(stage, "the server sends without end") from None
        except (OSError, EOFError, smtplib.SMTPException, imaplib.IMAP4.error, UnicodeError) as error:
            raise StageError(stage, self.in_words(error)) from error
        self.seconds[stage] = time.monotonic() - started

    def in_words(self, error: Exception) -> str:
        """Return in one line what a server or the network said."""
        # Shortened when nothing secret is in it any more: half a password would not be recognised.
        return _one_line(self._hide(_in_words(error)))


def _in_words(error: Exception) -> str:
    """Return what a server or the network said."""
    if isinstance(error, UnicodeError):
        # In its own words it shows what could not be encoded.
        return "user name, password or address hold a character that the server cannot take"
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        return f"{error.smtp_code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
        return f"{code} {said.decode(errors='replace')}"
    if isinstance(error, imaplib.IMAP4.error) and error.args and isinstance(error.args[0], bytes):
        return error.args[0].decode(errors="replace")
    return str(getattr(error, "strerror", None) or error) or type(error).__name__


def _one_line(text: str, limit: int = 200) -> str:
    text = " ".join("".join(c if c.isprintable() else " " for c in text[: limit * 2]).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."
