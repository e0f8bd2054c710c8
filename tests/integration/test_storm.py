"""However hard alerts flap, a channel gets a message per throttle time and severity, and one after an all-clear."""

from __future__ import annotations

import contextlib
import itertools
import random
import time
from pathlib import Path

import pytest

from tests.support.alertmanager import Alertmanager, alert, notifications
from tests.support.smtp import SmtpServer
from tests.support.telegram import FakeTelegram
from tests.support.tools import RELEASES

THROTTLE = 4.0
WINDOWS = 10
# All is well for longer than a throttle time in these windows, so that an all-clear is told in the midst of the storm.
CALM = ((3.0, 4.4), (6.5, 7.9))
# What a busy machine may delay one message by, so that the next seems to come earlier.
SLACK = THROTTLE * 0.2

# (when, whether it tells that everything of this severity is over)
Event = tuple[float, bool]


def flap(alertmanagers: list[Alertmanager]) -> None:
    """Toggle 20 alerts of two severities at random, several times each second, and hand them over each time."""
    chance = random.Random(1)
    begin = time.monotonic()
    severities = ["critical", "warning"] * 10
    alerts = [alert("PortDown", severity, target=f"a:{n}") for n, severity in enumerate(severities)]
    firing = [True] * len(alerts)
    while (windows := (time.monotonic() - begin) / THROTTLE) < WINDOWS:
        calm = any(start < windows < end for start, end in CALM)
        for number, severity in enumerate(severities):
            wanted = not calm and chance.random() < 0.5
            if wanted != firing[number]:
                firing[number] = wanted
                alerts[number] = alert("PortDown", severity, target=f"a:{number}", resolved=not wanted)
        for alertmanager in alertmanagers:
            alertmanager.post(*alerts)
        time.sleep(0.25)


def check(what: str, events: list[Event]) -> None:
    cleared = [cleared for _, cleared in events]
    for (earlier, clear), (later, _) in itertools.pairwise(events):
        assert clear or later - earlier > THROTTLE - SLACK, f"{what}: {later - earlier:.1f} s after the last: {events}"
    for (earlier, _), _, (later, _) in zip(events, events[1:], events[2:], strict=False):
        assert later - earlier > THROTTLE - SLACK, f"{what}: three messages in {later - earlier:.1f} s: {events}"
    assert len(events) <= WINDOWS + 1 + sum(cleared), f"{what}: {len(events)} messages: {events}"
    assert len(events) >= WINDOWS / 2, f"{what}: only {len(events)} messages"
    assert 1 <= sum(cleared) <= len(CALM) + 1, f"{what}: {sum(cleared)} times all clear"


@pytest.mark.timeout(150)
def test_a_flapping_storm_is_throttled_on_every_channel(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        channels: dict[str, tuple[FakeTelegram, SmtpServer]] = {}
        alertmanagers = []
        for release in RELEASES:
            folder = tmp_path / release
            folder.mkdir()
            telegram, smtp = stack.enter_context(FakeTelegram()), stack.enter_context(SmtpServer(folder))
            settings = {"notifications": notifications(folder, telegram, smtp, throttle=THROTTLE)}
            waits = {"telegram": {"group_wait": "500ms"}, "email": {"group_wait": "500ms"}}
            alertmanager = Alertmanager(folder, settings, release=release, waits=waits)
            stack.enter_context(alertmanager)
            alertmanagers.append(alertmanager)
            channels[release] = telegram, smtp

        flap(alertmanagers)

        for release, (telegram, smtp) in channels.items():
            assert telegram.rejected == []
            for severity in ("critical", "warning"):
                told = [m for m in telegram.messages if severity in m.text.splitlines()[0].lower()]
                check(f"{release} Telegram {severity}", [(m.time, m.text.startswith("✅")) for m in told])
                sent = [m for m in smtp.mails if severity in m.text.splitlines()[0].lower()]
                check(f"{release} e-mail {severity}", [(m.time, m.subject.startswith("[RESOLVED]")) for m in sent])
