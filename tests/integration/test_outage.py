"""Telegram or the SMTP server is out of order for a while: the message arrives when it is back.

The other channel is not held up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.alertmanager import Alertmanager, alert, notifications
from tests.support.processes import wait_for
from tests.support.smtp import SmtpServer
from tests.support.telegram import FakeTelegram
from tests.support.tools import RELEASES

WAITS = {"telegram": {"group_wait": "100ms"}, "email": {"group_wait": "100ms"}}


@dataclass
class Road:
    """An Alertmanager of one release, and whom it tells."""

    alertmanager: Alertmanager
    telegram: FakeTelegram
    smtp: SmtpServer


@contextlib.contextmanager
def road(folder: Path, release: str, throttle: float) -> Iterator[Road]:
    with FakeTelegram() as telegram, SmtpServer(folder) as smtp:
        settings = {"notifications": notifications(folder, telegram, smtp, throttle=throttle)}
        with Alertmanager(folder, settings, release=release, waits=WAITS) as alertmanager:
            assert isinstance(alertmanager, Alertmanager)
            yield Road(alertmanager, telegram, smtp)


@pytest.mark.parametrize("release", RELEASES)
def test_telegram_is_told_once_it_works_again(tmp_path: Path, release: str) -> None:
    with road(tmp_path, release, throttle=60) as there:
        there.telegram.fail(429, retry_after=1)
        there.alertmanager.post(alert("PortDown"))
        wait_for("the mail, whatever Telegram does", lambda: there.smtp.mails, 5)
        wait_for("two refusals with 429", lambda: len(there.telegram.rejected) >= 2)
        there.telegram.fail(500)
        wait_for("a refusal with 500", lambda: there.telegram.rejected[-1].code == 500)
        assert there.telegram.messages == []
        there.telegram.recover()
        wait_for("the message", lambda: there.telegram.messages, 15)
        assert [message.text.splitlines()[0] for message in there.telegram.messages] == [
            "🔴 CRITICAL mail.example.org: 1 alert"
        ]
        assert len(there.smtp.mails) == 1


@pytest.mark.parametrize("release", RELEASES)
def test_mail_is_sent_once_the_server_takes_it_again(tmp_path: Path, release: str) -> None:
    with road(tmp_path, release, throttle=60) as there:
        there.smtp.refuse("451 4.3.0 Try again later")
        there.alertmanager.post(alert("PortDown"))
        wait_for("the message, whatever the mail does", lambda: there.telegram.messages, 5)
        wait_for("two refusals", lambda: len(there.smtp.refused) >= 2)
        there.smtp.stop()
        wait_for("a refused connection", lambda: "connection refused" in there.alertmanager.output())
        there.smtp.accept()
        there.smtp.start()
        wait_for("the mail", lambda: there.smtp.mails, 15)
        assert [mail.subject for mail in there.smtp.mails] == ["[CRITICAL] mail.example.org: PortDown"]
        assert len(there.telegram.messages) == 1


@pytest.mark.parametrize("release", RELEASES)
def test_an_outage_longer_than_the_throttle_ends_with_the_present_state(tmp_path: Path, release: str) -> None:
    # Alertmanager gives one message at least ten seconds, however short the throttle time is.
    with road(tmp_path, release, throttle=2) as there:
        there.telegram.fail(500)
        there.alertmanager.post(alert("PortDown"), alert("ServiceDown"))
        wait_for("the mail", lambda: there.smtp.mails, 5)
        there.alertmanager.post(alert("ServiceDown", resolved=True), alert("QueueTooLong"))
        wait_for("it is given up once", lambda: "Notify for alerts failed" in there.alertmanager.output(), 20)
        there.telegram.recover()
        wait_for("the message", lambda: "QueueTooLong" in "".join(m.text for m in there.telegram.messages), 20)
        last = there.telegram.messages[-1].text
        assert last.startswith("🔴 CRITICAL mail.example.org: 2 alerts\n")
        assert "PortDown" in last
