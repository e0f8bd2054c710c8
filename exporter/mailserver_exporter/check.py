"""``mailserver-exporter check``: measure once and say what is watched, what is not, and how to mend what fails."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from mailserver_exporter.app import Setup
from mailserver_exporter.finding import Finding
from mailserver_exporter.settings.notifications import Notifications

_WAIT_SECONDS = 90.0
_SCRAPE_SECONDS = 15.0
# After these it is told what is waited for.
_QUIET_SECONDS = 3.0


def check(setup: Setup, tell: Callable[[str], object] = lambda _: None) -> list[Finding]:
    """Run every collector once and return what was found.

    Those of the background have up to 90 s; ``tell`` is called with the names of those that are waited for.
    """
    started = time.monotonic()
    setup.collection.scrape(_SCRAPE_SECONDS)
    told: list[str] = []
    while (waiting := setup.collection.waiting()) and time.monotonic() - started < _WAIT_SECONDS:
        if waiting != told and time.monotonic() - started > _QUIET_SECONDS:
            tell(f"still measuring: {', '.join(waiting)}")
            told = waiting
        time.sleep(0.1)
    findings = list(_stack(setup))
    findings += _collectors(setup)
    findings += _notifications(setup.config.notifications)
    findings += [Finding("limit", "off", f"{name} is switched off") for name in setup.config.switched_off()]
    if setup.context.expectations.problem:
        remedy = f"make {setup.config.state_directory} writable for the exporter"
        findings.append(Finding("state directory", "bad", setup.context.expectations.problem, remedy))
    return findings


def _stack(setup: Setup) -> Iterator[Finding]:
    stack = setup.context.mailstack.get()
    if stack.kind == "none":
        yield Finding("mail stack", "off", "neither mailcow nor a Postfix of the host was found")
    else:
        yield Finding("mail stack", "good", f"{stack.kind} {stack.directory}".strip())
    if stack.problem:
        file = f"{stack.directory}/mailcow.conf" if stack.kind == "mailcow" else "/etc/postfix/main.cf"
        yield Finding("mail stack", "bad", stack.problem, f"let the exporter read {file}")


def _collectors(setup: Setup) -> Iterator[Finding]:
    for state, outcome in setup.collection.status():
        name = state.collector.name
        if not state.watched:
            yield Finding(name, "off", state.detection.detail)
        elif outcome.error:
            yield Finding(name, "bad", outcome.error, outcome.remedy)
        else:
            yield Finding(name, "good", state.collector.found() or state.collector.detect().detail)
        if state.watched and not state.overdue and state.outcome is not None:
            yield from state.collector.findings()
        for left_out in sorted(state.left_out):
            yield Finding(name, "off", f"{left_out} is not passed on, the exporter has it itself")


def _notifications(settings: Notifications) -> Iterator[Finding]:
    telegram, email, heartbeat = settings.telegram, settings.email, settings.heartbeat
    yield _channel("Telegram", telegram is not None, telegram.bot_token_file if telegram else None)
    yield _channel("e-mail", email is not None, email.password_file if email else None)
    yield _channel("heartbeat", heartbeat is not None, heartbeat.url_file if heartbeat else None)


def _channel(name: str, configured: bool, secret: Path | None) -> Finding:
    if not configured:
        return Finding(name, "off", "not configured, see notifications in the configuration file")
    return _secret(name, secret) if secret else Finding(name, "good", "configured")


def _secret(channel: str, file: Path) -> Finding:
    """Say whether a secret can be read, never what it is."""
    try:
        content = file.read_text(encoding="utf-8").strip()
        others = file.stat().st_mode & 0o007
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not text"
        return Finding(channel, "bad", f"{file}: {reason}", "write the secret into this file, mode 0600")
    if not content:
        return Finding(channel, "bad", f"{file} is empty", "write the secret into this file, mode 0600")
    if others:
        return Finding(channel, "bad", f"{file} can be read by every user", f"chmod 0600 {file}")
    return Finding(channel, "good", f"configured, its secret is in {file}")


WATCHED = {"off": "Not watched", "good": "Watched and well", "bad": "Needs your attention"}
SENT = {"off": "Not used", "good": "As it should be", "bad": "Needs your attention"}


def as_text(findings: list[Finding], headings: Mapping[str, str] = WATCHED) -> str:
    """Return the findings as one page for people; what needs attention comes last, where the eye is."""
    width = max(len(finding.subject) for finding in findings)
    lines = []
    for state, heading in headings.items():
        chosen = [finding for finding in findings if finding.state == state]
        if chosen:
            lines += [heading, ""]
        for finding in chosen:
            lines.append(f"  {finding.subject:{width}}  {finding.detail}")
            if finding.remedy:
                lines.append(f"  {'':{width}}  to mend it: {finding.remedy}")
        if chosen:
            lines.append("")
    bad = sum(finding.state == "bad" for finding in findings)
    lines.append(f"{bad} of {len(findings)} need your attention" if bad else "nothing needs your attention")
    # Names of files and of other people's things may hold anything.
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)


def as_json(findings: list[Finding]) -> str:
    """Return the findings as JSON for scripts."""
    return json.dumps([asdict(finding) for finding in findings], indent=1, ensure_ascii=False)
