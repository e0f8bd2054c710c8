"""Send the report that is due, once: the steps between the schedule, the outbox and the mail server.

Safe to be killed anywhere and to be called at any time; see outbox.py for what is noted when.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from mailserver_exporter.report.outbox import DamagedError, Letter, Outbox, State
from mailserver_exporter.report.schedule import Schedule, due, plausible
from mailserver_exporter.settings.notifications import Email

_SEND_SECONDS = 60.0
# So often it is looked whether somebody else has sent it, and whether the zone has become another one.
_LOOK_SECONDS = 900.0
# So soon where another process is at it, or the clock is not set yet.
_LOOK_SOON_SECONDS = 60.0


class Writer(Protocol):
    """Makes the message. Apart, because that takes memory which most calls have no need for."""

    def message_id(self, moment: datetime) -> str:
        """Return a Message-ID, another one each time, for the report that is due at a time."""

    def message(self, moment: datetime, message_id: str, missed: str) -> bytes:
        """Return the report; ``missed`` says why the one before could not be sent."""


@dataclass(frozen=True)
class Standing:
    """How things stand; times in seconds since the epoch.

    ``next`` is when the next report is due, ``look`` when this has to be asked again. ``problem`` says why the state
    could not be read or written; if ``unsaved``, whoever asks next has to bring it along.
    """

    state: State
    next: float
    next_in_words: str
    look: float
    busy: bool = False
    problem: str = ""
    unsaved: bool = False

    def encode(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        return {**self.__dict__, "state": self.state.encode()}


class Delivery:
    """Looks whether a report is due, has it written and sends it."""

    def __init__(
        self,
        outbox: Outbox,
        schedule: Schedule,
        settings: Email,
        writer: Writer,
        *,
        hello: str = "",
        now: Callable[[], float] = time.time,
    ) -> None:
        self._outbox = outbox
        self._schedule = schedule
        self._settings = settings
        self._writer = writer
        self._hello = hello
        self._now = now
        self._state = State()
        self._problem = ""
        self._unsaved = False
        self._damaged = False

    def look(self, remembered: State | None = None) -> Standing:
        """Return how things stand, and change nothing."""
        self._load(remembered)
        return self._standing()

    def attend(
        self, remembered: State | None = None, *, again: bool = False, careful: bool = False, since: float = 0.0
    ) -> Standing:
        """Write and send what is due; ``again`` does not wait until the next attempt is due.

        Where the state cannot be kept, ``careful`` raises OSError before anything is sent. Without it the caller has
        to remember the state: what was sent must not be sent again. ``since`` is when it began to: what was due before
        may have been sent, and is kept back as long as nothing can be noted, or each start would send it once more.
        """
        with contextlib.ExitStack() as stack:
            try:
                ours = stack.enter_context(self._outbox.locked())
            except OSError as error:
                self._cannot_keep(error, careful)
                ours = True
            self._load(remembered)
            if not ours:
                return self._standing(busy=True)
            self._attend(again, careful, since)
        return self._standing()

    def _attend(self, again: bool, careful: bool, since: float) -> None:
        if self._damaged:
            with contextlib.suppress(OSError):
                self._outbox.put_aside()
        if self._unsaved:
            self._save(careful)
        now = self._now()
        if plausible(now) and self._state.overdue_since > now:
            # The clock was in the future; until that has come again nothing would be overdue.
            self._state = replace(self._state, overdue_since=now)
            self._save(careful)
        moment, done = due(self._schedule, now, self._state.done)
        if moment is not None:
            self._begin(moment)
            self._save(careful)
        elif done != self._state.done:
            self._state = replace(self._state, done=done)
            self._save(careful)
        letter = self._state.letter
        if letter is not None and plausible(now) and (letter.wants(now) or (again and not letter.done)):
            if self._unsaved and letter.due < since:
                self._problem += "; what was due before the start is not sent until that works"
                self._state = replace(self._state, letter=replace(letter, next_attempt=now + _LOOK_SOON_SECONDS))
            else:
                self._attempt(letter, careful)

    def _begin(self, moment: float) -> None:
        """Note that there is to be a report: whatever happens now, there will be one."""
        before = self._state.letter
        missed = ""
        if before is not None and not before.done:
            missed = next(iter(before.troubles.values()), "") or "nobody lived to say why"
        letter = Letter(moment, self._writer.message_id(self._time(moment)), missed=missed)
        self._state = replace(
            self._state,
            done=self._state.done.plus(self._schedule, moment),
            letter=letter,
            overdue_since=self._state.overdue_since or moment,
        )

    def _attempt(self, letter: Letter, careful: bool) -> None:
        now = self._now()
        letter = letter.begun(now)
        self._state = replace(self._state, letter=letter, last_attempt=now)
        self._save(careful)
        message = self._kept(letter)
        if message is None:
            started = time.monotonic()
            message = self._writer.message(self._time(letter.due), letter.message_id, letter.missed)
            seconds = time.monotonic() - started
            letter = self._keep(letter, message)
            self._state = replace(self._state, letter=letter, compose_seconds=seconds, message_bytes=len(message))
            self._save(careful)
        self._send(letter, message)

    def _send(self, letter: Letter, message: bytes) -> None:
        # Here, because smtplib and ssl take memory and time that most calls have no need for.
        from mailserver_exporter import submission

        left = [recipient for recipient in self._settings.to if recipient not in letter.accepted]

        def note(outcome: submission.Outcome) -> None:
            # Each line that is not reached after the server has accepted it may mean a second copy.
            troubles = {recipient: trouble for recipient in left if (trouble := outcome.trouble(recipient))}
            self._note(
                letter.ended(
                    self._now(),
                    outcome.accepted,
                    {recipient: trouble.said for recipient, trouble in troubles.items()},
                    next((trouble.remedy for trouble in troubles.values()), ""),
                    retry=any(trouble.retry for trouble in troubles.values()),
                )
            )

        outcome = submission.Outcome()
        if left:
            outcome = submission.submit(self._settings, message, left, _SEND_SECONDS, hello=self._hello, note=note)
        if not outcome.accepted:
            note(outcome)

    def _note(self, letter: Letter) -> None:
        """Note how an attempt has ended."""
        self._state = replace(
            self._state,
            letter=letter,
            sent=self._state.sent + letter.done,
            failed=self._state.failed + (not letter.done),
            last_success=self._now() if letter.done else self._state.last_success,
            overdue_since=0.0 if letter.done else self._state.overdue_since,
        )
        self._save()
        if letter.done:
            with contextlib.suppress(OSError):
                self._outbox.tidy(None)

    def _kept(self, letter: Letter) -> bytes | None:
        try:
            return self._outbox.message(letter)
        except OSError:
            # It is written again, with the same Message-ID.
            return None

    def _keep(self, letter: Letter, message: bytes) -> Letter:
        try:
            return self._outbox.keep(letter, message)
        except OSError as error:
            self._cannot_keep(error)
            return letter

    def _load(self, remembered: State | None) -> None:
        self._state = remembered or State()
        self._unsaved = remembered is not None
        if remembered is None:
            try:
                self._state = self._outbox.load() or State()
            except DamagedError as error:
                self._problem = f"{error}; it is kept beside, and nothing is known of the reports before"
                self._damaged = True
            except OSError as error:
                self._cannot_keep(error)

    def _save(self, careful: bool = False) -> None:
        try:
            self._outbox.save(self._state)
            self._unsaved = False
        except OSError as error:
            self._cannot_keep(error, careful)

    def _cannot_keep(self, error: OSError, careful: bool = False) -> None:
        if careful:
            raise error
        self._problem = f"cannot keep in {self._outbox.directory} which reports were sent: {error.strerror or error}"
        self._unsaved = True

    def _time(self, moment: float) -> datetime:
        return datetime.fromtimestamp(moment, self._schedule.zone)

    def _standing(self, busy: bool = False) -> Standing:
        now = self._now()
        if not plausible(now):
            return Standing(self._state, 0.0, "", now + _LOOK_SOON_SECONDS, busy, "the clock is not set", self._unsaved)
        letter = self._state.letter
        following = self._schedule.next(now)
        looks = [following, now + (_LOOK_SOON_SECONDS if busy else _LOOK_SECONDS)]
        if letter is not None and not letter.done:
            looks.append(letter.next_attempt)
        words = f"{self._time(following):%Y-%m-%d %H:%M %Z}"
        return Standing(self._state, following, words, min(looks), busy, self._problem, self._unsaved)
