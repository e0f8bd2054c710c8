"""The stages of a message: what is told of a failure, and what is not."""

from __future__ import annotations

import base64
import functools
import imaplib
import smtplib

import pytest

from mailserver_exporter.sources import secret
from mailserver_exporter.sources.mail_account import Account
from mailserver_exporter.sources.stages import StageError, Stages

PASSWORD = "correct horse battery  staple"
ACCOUNT = Account("probe@example.org", "probe@example.org", PASSWORD, "", "", "", "", "")
TRAVELS = base64.b64encode(f"\0{ACCOUNT.username}\0{PASSWORD}".encode()).decode()


def told(error: Exception, stages: Stages | None = None) -> str:
    stages = stages or Stages(5)
    with pytest.raises(StageError) as caught, stages("smtp_auth"):
        raise error
    assert caught.value.stage == "smtp_auth"
    assert stages.seconds == {}
    return str(caught.value)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (smtplib.SMTPAuthenticationError(535, b"5.7.8 no\r\nnot you"), "535 5.7.8 no not you"),
        (smtplib.SMTPRecipientsRefused({"a@b": (554, b"no relay")}), "554 no relay"),
        (imaplib.IMAP4.error(b"[AUTHENTICATIONFAILED] no"), "[AUTHENTICATIONFAILED] no"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (EOFError(), "EOFError"),
        (MemoryError(), "the server sends without end"),
        (smtplib.SMTPDataError(550, b"\x1b[2J" + b"x" * 1000), "550 [2J" + "x" * 190 + "..."),
    ],
)
def test_says_in_one_line_what_the_other_side_said(error: Exception, words: str) -> None:
    assert told(error) == words


def test_a_character_that_cannot_be_sent_is_not_shown() -> None:
    with pytest.raises(UnicodeEncodeError) as caught:
        "geheim ü".encode("ascii")

    assert "\\xfc" in str(caught.value)
    assert told(caught.value) == "user name, password or address hold a character that the server cannot take"


@pytest.mark.parametrize(
    "said",
    [
        f"I heard {PASSWORD}",
        f"unknown command AUTH PLAIN {TRAVELS}",
        f"line too long: {TRAVELS[:30]}",
        f"..{TRAVELS[10:]}",
        "x" * 190 + PASSWORD,
        base64.b64encode(PASSWORD.encode()).decode(),
    ],
)
def test_a_password_that_is_repeated_is_hidden_whole_or_in_part(said: str) -> None:
    hide = functools.partial(secret.hide, hidden=secret.travelling(ACCOUNT.username, PASSWORD))

    words = told(smtplib.SMTPResponseException(500, said.encode()), Stages(5, hide))

    for form in (PASSWORD, TRAVELS, base64.b64encode(PASSWORD.encode()).decode()):
        for start in range(len(form) - 7):
            assert form[start : start + 8] not in words


def test_what_is_no_secret_stays() -> None:
    hide = functools.partial(secret.hide, hidden=secret.travelling(ACCOUNT.username, PASSWORD))

    assert told(smtplib.SMTPResponseException(535, b"5.7.8 Error: authentication failed"), Stages(5, hide)) == (
        "535 5.7.8 Error: authentication failed"
    )


def test_the_time_of_a_stage_is_kept_and_the_end_is_kept_in_mind() -> None:
    stages = Stages(0.05)
    with stages("submit"):
        assert 0 < stages.left(10) <= 0.05
        assert stages.left(0.01) == 0.01

    assert 0 <= stages.seconds["submit"] < 5
    with pytest.raises(TimeoutError):
        while True:
            stages.left(1)
