"""The stages that a message goes through, each with its time, and the one in which it failed."""

from __future__ import annotations

import contextlib
import imaplib
import smtplib
import time
from collections.abc import Iterator


class StageError(Exception):
    """Why a stage failed."""

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(message)
        self.stage = stage


class Stages:
    """``seconds`` of each stage that was gone through; ``left`` is what remains until the end."""

    def __init__(self, seconds: float) -> None:
        self.seconds: dict[str, float] = {}
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
        except (OSError, EOFError, smtplib.SMTPException, imaplib.IMAP4.error) as error:
            raise StageError(stage, in_words(error)) from error
        self.seconds[stage] = time.monotonic() - started


def in_words(error: Exception) -> str:
    """Return what a server or the network said, in one line."""
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        return _one_line(f"{error.smtp_code} {said.decode(errors='replace') if isinstance(said, bytes) else said}")
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
        return _one_line(f"{code} {said.decode(errors='replace')}")
    if isinstance(error, imaplib.IMAP4.error) and error.args and isinstance(error.args[0], bytes):
        return _one_line(error.args[0].decode(errors="replace"))
    return _one_line(str(getattr(error, "strerror", None) or error) or type(error).__name__)


def _one_line(text: str, limit: int = 200) -> str:
    text = " ".join("".join(c if c.isprintable() else " " for c in text[: limit * 2]).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."
