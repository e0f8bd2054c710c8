"""What the admin was told: Telegram messages and mails read line by line, to be held against the alert log.

Reading is strict: a line that is no part of a message as it should be is an AssertionError, so nothing is told unseen.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from tests.support.smtp import Mail
from tests.support.telegram import Message
from tests.support.watchers import INSTANCE

# Of what is resolved Telegram shows no more than a hundred characters.
_COMPARED = 90

_HEAD = re.compile(
    rf"(?P<firing>CRITICAL|WARNING) {re.escape(INSTANCE)}: (?P<number>\d+) alerts?"
    rf"|RESOLVED {re.escape(INSTANCE)}: (?P<ended>\d+) (?P<resolved>critical|warning) alerts?"
)
_SINCE = r"since \w{3} \d{1,2} \w{3}(?: \d{4})?, \d\d:\d\d \w+"
_ICONS = {"CRITICAL": "🔴", "WARNING": "🟠", "RESOLVED": "✅"}


class Told(NamedTuple):
    """One alert in one message. A resolved one has no name, as messages tell only its summary."""

    status: str
    severity: str
    name: str
    what: str


def of_log(records: Iterable[Mapping[str, Any]]) -> Iterator[Told]:
    """Yield what lines of the alert log tell."""
    for record in records:
        name = record["alertname"] if record["status"] == "firing" else ""
        yield Told(record["status"], record["severity"], name, essence(record["annotations"]["summary"]))


def of_telegram(message: Message) -> list[Told]:
    """Return what a Telegram message tells, as it is read on the phone."""
    head, *blocks = message.text.split("\n\n")
    icon, _, title = head.partition(" ")
    assert icon == _ICONS[title.split()[0]], head
    firing, resolved = [], []
    for block in blocks:
        if alert := re.fullmatch(rf"(.+?)(?: \(limit .+\))?\n(\w+), {_SINCE}\n.+(?:\n.+: .+)?", block):
            firing.append((alert[2], alert[1]))
        else:
            assert "\n" not in block, f"neither an alert nor a list of resolved ones: {block!r}"
            assert block.startswith("✅ No longer: " if firing else "No longer: "), block
            resolved += block.partition("No longer: ")[2].split("; ")
    return _told(title, firing, resolved)


def of_mail(mail: Mail) -> list[Told]:
    """Return what a mail tells; its text and its HTML part must tell the same."""
    head, *blocks = re.split(r"\n\s*\n", mail.text.replace("\r", "").strip())
    firing, resolved = [], []
    for block in blocks:
        first, *lines = block.splitlines()
        if lines and (alert := re.fullmatch(rf"  (\w+), {_SINCE}", lines[0])):
            keys = [line.partition(":")[0].strip() for line in lines[2:]]
            assert (keys[0], keys[-1], len(keys) <= 3) == ("do", "runbook", True), block
            firing.append((alert[1], re.sub(r" \(limit .+\)$", "", first)))
        else:
            assert first == "No longer:", block
            resolved += [line.strip() for line in lines]
    shown = html.unescape(re.sub(r"<[^>]*>", "", mail.html))
    missing = [summary for summary in (*(summary for _, summary in firing), *resolved) if summary not in shown]
    assert not missing, f"not in the HTML part: {missing}"
    kind, _, where = head.partition(" ")
    assert mail.subject.startswith(f"{kind} {where.partition(':')[0]}: {firing[0][0] if firing else ''}"), mail.subject
    return _told(head.replace("[", "").replace("]", ""), firing, resolved)


def _told(title: str, firing: list[tuple[str, str]], resolved: list[str]) -> list[Told]:
    """Return what was read, after checking that it is as much as the title says."""
    found = _HEAD.fullmatch(title)
    assert found, f"not the title of a message: {title!r}"
    if found["firing"]:
        assert len(firing) == int(found["number"]), f"{title}: {firing}"
    else:
        assert (len(firing), len(resolved)) == (0, int(found["ended"])), f"{title}: {firing} {resolved}"
    severity = (found["firing"] or found["resolved"]).lower()
    return [
        *(Told("firing", severity, name, essence(summary)) for name, summary in firing),
        *(Told("resolved", severity, "", essence(summary)) for summary in resolved),
    ]


def essence(summary: str) -> str:
    """Return what a summary says without figures that change from one second to the next, and without the reason."""
    summary = summary.removeprefix(f"{INSTANCE}: ")
    figure = r"-?\d+(\.\d+)?(%|d|h|m|s|ms)?"
    summary = re.sub(rf"(?<![\w.:/-]){figure}( {figure})*(?![\w.:/])", "#", summary)
    return re.sub(r", \w+ fails$", "", summary)[:_COMPARED]
