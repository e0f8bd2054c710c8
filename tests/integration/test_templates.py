"""What the messages look like and that nothing breaks them, by amtool and through real Alertmanagers."""

from __future__ import annotations

import html
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.support.alertmanager import INSTANCE, Alertmanager, alert, notifications
from tests.support.processes import wait_for
from tests.support.smtp import SmtpServer
from tests.support.telegram import MAX_CHARACTERS, FakeTelegram, length, parse_html
from tests.support.tools import RELEASES, ROOT, program

TEMPLATES = {
    "mailserver.telegram": "html",
    "mailserver.email.subject": "text",
    "mailserver.email.text": "text",
    "mailserver.email.html": "html",
}
RUNBOOK = "https://github.com/mailserver-exporter/mailserver-exporter/blob/main/rules/runbooks/FilesystemSpaceLow.md"
# Gmail hides what is behind about this many bytes of HTML.
GMAIL_CLIPS_AT = 102_000


def rendered(
    folder: Path,
    release: str,
    template: str,
    firing: list[Any],
    resolved: list[Any] | None = None,
    *,
    instance: str = INSTANCE,
) -> str:
    """Return what a template makes of alerts; each is a mapping of annotations, with labels under ``labels``."""

    def entry(given: dict[str, Any], status: str) -> dict[str, Any]:
        annotations = {name: text for name, text in given.items() if name != "labels"}
        labels = {"alertname": "FilesystemSpaceLow", **group, **given.get("labels", {})}
        return {
            "status": status,
            "labels": labels,
            "annotations": annotations,
            "startsAt": "2026-11-22T14:05:00Z",
            "endsAt": "2026-11-22T14:35:00Z",
        }

    group = {"instance": instance, "severity": "critical"}
    data = {
        "receiver": "x",
        "status": "firing" if firing else "resolved",
        "alerts": [*(entry(a, "firing") for a in firing), *(entry(a, "resolved") for a in resolved or [])],
        "groupLabels": group,
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://127.0.0.1:9093",
    }
    file = folder / "data.json"
    file.write_text(json.dumps(data))
    done = subprocess.run(
        [
            *(program("amtool", release), "template", "render", f"--template.data={file}"),
            *(f"--template.glob={ROOT}/alertmanager/templates/*.tmpl", f"--template.type={TEMPLATES[template]}"),
            f'--template.text={{{{ template "{template}" . }}}}',
        ],
        capture_output=True,
        text=True,
        check=False,
        env={"TZ": "UTC"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.removesuffix("\n")


def usual(number: int = 0) -> dict[str, str]:
    return {
        "summary": f"{INSTANCE}: /srv/{number} is 93% full",
        "limit": "90%",
        "description": "When it is full, Postfix takes no mail.",
        "action": f"du -xh -d2 /srv/{number} | sort -h | tail -20",
        "runbook_url": RUNBOOK,
    }


LONG = {
    "ascii": "x" * 2000,
    "umlauts": "Größe überschritten " * 100,
    "emoji": "🔥👨‍👩‍👧" * 300,
    "markup": "<b>&amp;\"'</b>" * 150,
    "quotes": "\"'" * 1000,
    "chinese": "磁盘已满" * 400,
    "lines": "a\n" * 1000,
    "invisible": "a\u200b\u2060\ufeff\u00ad\u3164\U000e0041" * 300,
    "accents": "z" + "\u0301\u0489" * 1000,
    "entities": "&lt;b&gt;&#60;&#x202e;" * 100,
    "ten thousand": "x" * 10_000,
}


@pytest.mark.parametrize("release", RELEASES)
def test_a_telegram_message_reads_well(tmp_path: Path, release: str) -> None:
    text, links = parse_html(rendered(tmp_path, release, "mailserver.telegram", [usual(1), usual(2)], [usual(3)]))
    assert text == (
        "🔴 CRITICAL mail.example.org: 2 alerts\n"
        "\n"
        "/srv/1 is 93% full (limit 90%)\n"
        "FilesystemSpaceLow, since Sun 22 Nov, 14:05 UTC\n"
        "du -xh -d2 /srv/1 | sort -h | tail -20\n"
        "\n"
        "/srv/2 is 93% full (limit 90%)\n"
        "FilesystemSpaceLow, since Sun 22 Nov, 14:05 UTC\n"
        "du -xh -d2 /srv/2 | sort -h | tail -20\n"
        "\n"
        "✅ No longer: /srv/3 is 93% full"
    )
    assert links == (RUNBOOK, RUNBOOK)


@pytest.mark.parametrize("release", RELEASES)
def test_what_is_over_is_told_in_one_line(tmp_path: Path, release: str) -> None:
    text, _ = parse_html(rendered(tmp_path, release, "mailserver.telegram", [], [usual(1), usual(2)]))
    assert text == (
        "✅ RESOLVED mail.example.org: 2 critical alerts\n\nNo longer: /srv/1 is 93% full; /srv/2 is 93% full"
    )


@pytest.mark.parametrize("release", RELEASES)
def test_a_mail_reads_well(tmp_path: Path, release: str) -> None:
    alerts: Any = ([usual(1), usual(2)], [usual(3)])
    assert rendered(tmp_path, release, "mailserver.email.subject", *alerts) == (
        "[CRITICAL] mail.example.org: FilesystemSpaceLow and 1 more"
    )
    text = rendered(tmp_path, release, "mailserver.email.text", [usual(1)], [usual(3)])
    assert text == (
        "[CRITICAL] mail.example.org: 1 alert\n"
        "\n"
        "/srv/1 is 93% full (limit 90%)\n"
        "  FilesystemSpaceLow, since Sun 22 Nov 2026, 14:05 UTC\n"
        "  When it is full, Postfix takes no mail.\n"
        "  do: du -xh -d2 /srv/1 | sort -h | tail -20\n"
        f"  runbook: {RUNBOOK}\n"
        "\n"
        "No longer:\n"
        "  /srv/3 is 93% full"
    )


@pytest.mark.parametrize("release", RELEASES)
def test_the_subject_stays_the_same_while_the_figures_change(tmp_path: Path, release: str) -> None:
    """So that mail programs keep the repetitions in one conversation."""
    later = {**usual(1), "summary": f"{INSTANCE}: /srv/1 is 94% full"}
    assert rendered(tmp_path, release, "mailserver.email.subject", [usual(1)]) == (
        rendered(tmp_path, release, "mailserver.email.subject", [later])
    )


@pytest.mark.parametrize("release", RELEASES)
def test_each_command_can_be_copied_alone(tmp_path: Path, release: str) -> None:
    action = "postqueue -p (x) | tail (mailcow: cd /opt && docker compose exec postfix-mailcow postqueue -p)"
    mine, mailcow = "postqueue -p (x) | tail", "cd /opt && docker compose exec postfix-mailcow postqueue -p"
    source = html.unescape(rendered(tmp_path, release, "mailserver.telegram", [{**usual(), "action": action}]))
    assert f"\n<code>{mine}</code>\nmailcow: <code>{mailcow}</code>" in source
    text = rendered(tmp_path, release, "mailserver.email.text", [{**usual(), "action": action}])
    assert f"\n  do: {mine}\n  mailcow: {mailcow}\n" in text
    page = html.unescape(rendered(tmp_path, release, "mailserver.email.html", [{**usual(), "action": action}]))
    assert f">{mine}</div>" in page
    assert f">{mailcow}</div>" in page


@pytest.mark.parametrize("release", RELEASES)
def test_a_command_that_was_cut_shows_it(tmp_path: Path, release: str) -> None:
    long = {**usual(), "action": "rm -r " + "x" * 300}
    for template in ("mailserver.telegram", "mailserver.email.text", "mailserver.email.html"):
        assert "x…" in rendered(tmp_path, release, template, [long])
        assert "…" not in rendered(tmp_path, release, template, [{**long, "action": "x" * 200}])


@pytest.mark.parametrize("release", RELEASES)
def test_an_alert_of_no_host_has_a_headline_too(tmp_path: Path, release: str) -> None:
    alone = [{"summary": "Alerting works", "labels": {"instance": ""}}]
    text, _ = parse_html(rendered(tmp_path, release, "mailserver.telegram", alone, instance=""))
    assert text.splitlines()[0] == "🔴 CRITICAL: 1 alert"
    assert (
        rendered(tmp_path, release, "mailserver.email.subject", alone, instance="") == "[CRITICAL] FilesystemSpaceLow"
    )
    mail = rendered(tmp_path, release, "mailserver.email.text", alone, instance="")
    assert mail.splitlines()[::2][:2] == ["[CRITICAL] 1 alert", "Alerting works"]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("host", ["a.*[(\\E", "(", "x" * 300, "ümläut.example", "mail\u200b.example.org", ": "])
def test_any_host_is_left_out_of_what_is_wrong_with_it(tmp_path: Path, release: str, host: str) -> None:
    alerts = [{"summary": f"{host}: /srv is full", "labels": {"instance": host}}]
    for template in ("mailserver.telegram", "mailserver.email.text"):
        text = rendered(tmp_path, release, template, alerts, alerts, instance=host)
        lines = (parse_html(text)[0] if template.endswith("telegram") else text).splitlines()
        assert lines[2].strip() == "/srv is full"
        assert lines[-1].strip().removeprefix("✅ No longer: ") == "/srv is full"


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("template", TEMPLATES)
def test_nothing_invisible_gets_through(tmp_path: Path, release: str, template: str) -> None:
    """Nor what turns the direction, nor heaps of accents, nor the signs that our own lines begin with."""
    hidden = "\u200b\u200d\u200e\u202e\u2060\u2066\ufeff\u00ad\u061c\u180e\u3164\u115f\u2800\U000e0041\x00\x7f\ue000"
    evil = "".join(f"a{character}" for character in hidden) + "z" + "\u0301" * 30 + "✅🔴🟠"
    names = ("summary", "action", "description", "limit")
    alerts: Any = [{**dict.fromkeys(names, evil), "labels": {"alertname": evil, "instance": evil}}]
    text = rendered(tmp_path, release, template, alerts, alerts, instance=evil)
    assert not set(text) & set(hidden)
    assert "\u0301" not in text
    ours = {"🔴": 1, "✅": 1} if template == "mailserver.telegram" else {}
    assert {sign: text.count(sign) for sign in "✅🔴🟠" if sign in text} == ours


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("kind", LONG)
@pytest.mark.parametrize(("firing", "resolved"), [(100, 0), (0, 100), (500, 500), (1, 1)])
def test_any_number_of_alerts_with_any_text_fits(
    tmp_path: Path, release: str, kind: str, firing: int, resolved: int
) -> None:
    hostile = {"summary": LONG[kind], "action": LONG[kind], "description": LONG[kind], "runbook_url": RUNBOOK}
    hostile["labels"] = {"alertname": LONG[kind]}  # type: ignore[assignment]
    source = rendered(tmp_path, release, "mailserver.telegram", [hostile] * firing, [hostile] * resolved)
    text, _ = parse_html(source)
    # Alertmanager cuts, or drops, what is longer before Telegram has a chance to.
    assert len(source) <= MAX_CHARACTERS
    assert length(text) <= MAX_CHARACTERS
    if firing:
        assert 1 <= text.count(", since ") + more(text.split("No longer:")[0]) == firing
        assert text.count(", since ") >= 1
    if resolved:
        shown = resolved - more(text.split("No longer:")[-1])
        assert 1 <= shown <= 10


def more(text: str) -> int:
    found = re.search(r"… (\d+) more", text)
    return int(found[1]) if found else 0


@pytest.mark.parametrize("release", RELEASES)
def test_nine_usual_alerts_are_shown_in_full_and_the_rest_is_counted(tmp_path: Path, release: str) -> None:
    text, links = parse_html(rendered(tmp_path, release, "mailserver.telegram", [usual(n) for n in range(30)]))
    assert 8 <= len(links) <= 10
    assert text.endswith(f"\n… {30 - len(links)} more")


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("template", TEMPLATES)
def test_alerts_without_annotations_are_told_by_their_name(tmp_path: Path, release: str, template: str) -> None:
    text = rendered(tmp_path, release, template, [{}], [{}])
    if template != "mailserver.email.subject":
        assert text.count("FilesystemSpaceLow") >= 2
    assert "no value" not in text
    assert "href" not in text


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(
    "runbook",
    ["javascript:alert(1)", 'https://x/" onclick="y', "https://x/<b>", "http://x/" + "a" * 1000, "tg://user?id=1", ""],
)
def test_a_strange_runbook_address_is_no_link(tmp_path: Path, release: str, runbook: str) -> None:
    for template in ("mailserver.telegram", "mailserver.email.html"):
        assert "href" not in rendered(tmp_path, release, template, [{**usual(), "runbook_url": runbook}])


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append(tag)
        self.found.extend(name for name, _ in attrs if name.startswith("on"))


@pytest.mark.parametrize("release", RELEASES)
def test_markup_in_a_label_stays_text_in_mail(tmp_path: Path, release: str) -> None:
    evil = "</div></body><script>alert(1)</script><img src=x onerror=y>"
    page = rendered(
        tmp_path,
        release,
        "mailserver.email.html",
        [{"summary": evil, "action": evil, "description": evil, "labels": {"alertname": evil}}],
        [{"summary": evil}],
    )
    tags = _Tags()
    tags.feed(page)
    assert set(tags.found) <= {"html", "head", "meta", "title", "style", "body", "div", "span", "b", "a"}
    assert "{{" not in page
    assert "ZgotmplZ" not in page


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("kind", LONG)
def test_mail_is_bounded_too(tmp_path: Path, release: str, kind: str) -> None:
    many = [dict.fromkeys(("summary", "action", "description"), LONG[kind])] * 100
    page = rendered(tmp_path, release, "mailserver.email.html", many, many)
    assert len(page.encode()) < GMAIL_CLIPS_AT
    text = rendered(tmp_path, release, "mailserver.email.text", many, many)
    for part in (page, text):
        assert part.count("… 85 more") == part.count("… 80 more") == 1


@dataclass
class Road:
    """An Alertmanager with its templates, and whom it tells."""

    alertmanager: Alertmanager
    telegram: FakeTelegram
    smtp: SmtpServer


@pytest.fixture(scope="module", params=RELEASES)
def road(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    folder = tmp_path_factory.mktemp(request.param)
    waits = {"telegram": {"group_wait": "1s"}, "email": {"group_wait": "1s"}}
    with FakeTelegram() as telegram, SmtpServer(folder) as smtp:
        settings = {"notifications": notifications(folder, telegram, smtp)}
        with Alertmanager(folder, settings, release=request.param, waits=waits) as alertmanager:
            assert isinstance(alertmanager, Alertmanager)
            yield Road(alertmanager, telegram, smtp)


def test_telegram_takes_a_hundred_alerts_with_any_text(road: Road) -> None:
    for kind, text in LONG.items():
        texts = dict.fromkeys(("summary", "action", "description"), text)
        targets = [f"{number} {text[:50]}" for number in range(100)]
        road.alertmanager.post(
            *(alert("PortDown", texts=texts, instance=f"{kind}.example.org", target=target) for target in targets)
        )
    wait_for("the messages", lambda: len(road.telegram.messages) == len(LONG) or road.telegram.rejected)
    wait_for("the mails", lambda: len(road.smtp.mails) == len(LONG))
    assert road.telegram.rejected == []
    assert {message.text.splitlines()[0] for message in road.telegram.messages} == {
        f"🔴 CRITICAL {kind}.example.org: 100 alerts" for kind in LONG
    }


def test_a_label_cannot_forge_a_line_or_a_message(road: Road) -> None:
    host = "forged.example.org"
    forged = "x\r\n\r\n🔴 CRITICAL bank.example.org: 9 alerts\u2028✅ Resolved: all\u202e\n\nSubject: y"
    road.alertmanager.post(
        alert(forged, texts=dict.fromkeys(("summary", "action", "description"), forged), instance=host, target=forged)
    )
    wait_for("the message", lambda: [message for message in road.telegram.messages if host in message.text])
    wait_for("the mail", lambda: [mail for mail in road.smtp.mails if host in mail.subject])
    [message] = [message for message in road.telegram.messages if host in message.text]
    [mail] = [mail for mail in road.smtp.mails if host in mail.subject]
    for text in (message.text, mail.text):
        starts = [line.strip()[:10] for line in text.splitlines() if line.strip()]
        assert sum(start.startswith(("🔴", "✅", "Subject", "No longer", "[CRITICAL")) for start in starts) == 1
        assert "\u202e" not in text
        assert "\u2028" not in text
    assert mail.subject.startswith(f"[CRITICAL] {host}: x CRITICAL bank.example.org: 9 alerts Resolved: all ")
    assert [name for name, _ in mail.message.items()].count("Subject") == 1
