"""Messages of a real Alertmanager about alerts of our rules, as headless Chromium shows them on a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.test_templates import LONG
from tests.rules import rulefiles
from tests.support.alertmanager import Alertmanager, alert, notifications
from tests.support.browser import COMPUTER, PHONE, Browser
from tests.support.processes import wait_for
from tests.support.smtp import Mail, SmtpServer
from tests.support.telegram import FakeTelegram, Message
from tests.support.tools import RELEASES

SUMMARIES = yaml.safe_load((rulefiles.TESTS / "summaries.yml").read_text())
WARNINGS = ("FilesystemSpaceLow", "QueueMessageTooOld", "CertificateExpiring", "MailRefusedByOthers", "DovecotErrors")
# As the app shows it: a bubble that leaves some room at its right.
CHAT = """<!DOCTYPE html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<style>code {{ font: 14px monospace; color: #a33 }} a {{ color: #2678b6 }}</style>
<body style="margin: 0; padding: 8px; background: #d6e3c9"><div style="max-width: 85%; padding: 8px 12px;
background: #fff; border-radius: 14px; font: 16px/1.35 sans-serif;
white-space: pre-wrap; overflow-wrap: anywhere">{}</div>"""


def texts(name: str, host: str) -> dict[str, str]:
    """Return an alert's annotations as the tests of the rules have found them, labels filled in with an example."""
    raw = next(rule for rule in rulefiles.alerts() if rule.name == name).annotations
    found = re.fullmatch(r"mail: (.*?)(?: \(limit (.*)\))?", SUMMARIES[name])
    assert found
    action = re.sub(r"\{\{ \$labels\.(\w+) \}\}", r"\1-example", raw["action"])
    limit = {"limit": found[2]} if found[2] else {}
    return {**raw, "limit": "", **limit, "summary": f"{host}: {found[1]}", "action": action}


@dataclass
class Told:
    """What arrived of a scene."""

    message: Message
    mail: Mail


@pytest.fixture(scope="module", params=RELEASES)
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Told]]:
    folder = tmp_path_factory.mktemp(request.param)
    waits = {channel: {"group_wait": "2s", "group_interval": "3s"} for channel in ("telegram", "email")}
    with FakeTelegram() as telegram, SmtpServer(folder) as smtp:
        settings = {"notifications": notifications(folder, telegram, smtp)}
        with Alertmanager(folder, settings, release=request.param, waits=waits) as alertmanager:
            assert isinstance(alertmanager, Alertmanager)

            def post(name: str, severity: str, host: str, **more: Any) -> None:
                alertmanager.post(alert(name, severity, texts=texts(name, host), instance=host, **more))

            def arrived(host: str, sign: str) -> Told | None:
                messages = [m for m in telegram.messages if host in m.text and m.text.startswith(sign)]
                mails = [m for m in smtp.mails if host in m.subject and m.subject.startswith("[RES") == (sign == "✅")]
                return Told(messages[-1], mails[-1]) if messages and mails else None

            def waited(host: str, sign: str) -> Told:
                found = wait_for(f"{sign} {host}", lambda: arrived(host, sign), 30)
                assert isinstance(found, Told)
                return found

            post("ServiceDown", "critical", "critical.example.org")
            for name in WARNINGS:
                post(name, "warning", "warnings.example.org")
            for kind, text in LONG.items():
                label = f"{kind}.hostile.example.org"
                hostile = dict.fromkeys(("summary", "action", "description", "limit"), text)
                alertmanager.post(*(alert(text, texts=hostile, instance=label, target=str(n)) for n in range(3)))
            found = {"critical": waited("critical.example.org", "🔴"), "warnings": waited("warnings.example.org", "🟠")}
            for kind in LONG:
                found[kind] = waited(f"{kind}.hostile.example.org", "🔴")
            post("ServiceDown", "critical", "critical.example.org", resolved=True)
            found["resolved"] = waited("critical.example.org", "✅")
            assert telegram.rejected == []
            yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as shown:
        yield shown


def test_nothing_has_to_be_pushed_sideways(told: Mapping[str, Told], browser: Browser, tmp_path: Path) -> None:
    for scene, found in told.items():
        assert browser.measure(CHAT.format(found.message.html), PHONE) == PHONE, f"Telegram, {scene}"
        for width in (PHONE, COMPUTER):
            assert browser.measure(found.mail.html, width) == width, f"e-mail, {scene}, {width}"
    # The ruler itself: what is too wide is found.
    assert browser.measure(CHAT.format("x" * 80).replace("anywhere", "normal"), PHONE) > PHONE


def test_the_mail_is_readable_by_day_and_by_night(told: Mapping[str, Told], browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "mail.html"
    page.write_text(told["warnings"].mail.html)
    day, night = (browser.screenshot(page, PHONE, dark=dark).read_bytes() for dark in (False, True))
    assert day != night
    for dark in (False, True):
        for words, behind in browser.colours(told["warnings"].mail.html, dark=dark):
            assert contrast(words, behind) >= 4.5, (words, behind, dark)


def contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """Return the ratio of WCAG 2.1, between 1 and 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: tuple[int, ...]) -> float:
    red, green, blue = ((c / 3294.6 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4) for c in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_all_is_told_that_the_admin_needs_and_by_mail_the_same(told: Mapping[str, Told], browser: Browser) -> None:
    message, mail = told["warnings"].message, told["warnings"].mail
    shown = browser.text(mail.html, PHONE)
    for name in WARNINGS:
        expected = texts(name, "warnings.example.org")
        what = expected["summary"].removeprefix("warnings.example.org: ")
        command = re.split(r" \(mailcow: ", expected["action"])[0]
        for text in (message.text, mail.text, shown):
            assert f"{what} (limit {expected['limit']})" in text
            assert re.search(rf"{name}, since \w{{3}} \d+ \w{{3}}", text)
            assert command in text
        assert expected["runbook_url"] in message.links
        assert expected["runbook_url"] in mail.text
        assert f'href="{expected["runbook_url"]}"' in mail.html
        for text in (mail.text, shown):
            assert expected["description"] in text
    assert message.text.startswith("🟠 WARNING warnings.example.org: 5 alerts\n")
    for text in (message.text, mail.text, shown):
        assert not re.search(r"severity|\w+=\"", text), "labels are not for the admin"


def test_the_end_is_told_in_one_line(told: Mapping[str, Told], browser: Browser) -> None:
    message, mail = told["resolved"].message, told["resolved"].mail
    assert message.text.splitlines()[2:] == ["No longer: service dovecot (mailcow) is down"]
    assert mail.subject == "[RESOLVED] critical.example.org: ServiceDown"
    assert mail.text.split("No longer:")[1].strip() == "service dovecot (mailcow) is down"
    assert "service dovecot (mailcow) is down" in browser.text(mail.html, PHONE)
