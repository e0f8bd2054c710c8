"""``mailserver-exporter check --send-test``: a harmless message through each channel, and what the other side said.

Alertmanager is who sends the alerts, not we: so it gets a test alert, too, for the whole road to be seen. But it tells
nobody what the other side answered, and tries again for an hour; so each channel is also tried directly, with the
settings of config.yml.
"""

from __future__ import annotations

import email.utils
import http.client
import json
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from html import escape

from mailserver_exporter import network_advice, submission, telegram
from mailserver_exporter.finding import Finding
from mailserver_exporter.settings.notifications import Email, Heartbeat, Notifications, Telegram
from mailserver_exporter.sources import SourceError, https, secret, smtp_client

_ABSENT = "not configured, see notifications in the configuration file"
_TELEGRAM_SECONDS, _EMAIL_SECONDS, _HEARTBEAT_SECONDS = 20.0, 60.0, 20.0
_PURPOSE = "Somebody ran mailserver-exporter check --send-test to see whether messages arrive."

Tell = Callable[[str], object]


def send(settings: Notifications, alertmanager: str, instance: str, tell: Tell = lambda _: None) -> Iterator[Finding]:
    """Send a test through each channel and yield what was answered; ``tell`` is told what is being done."""
    if settings.telegram:
        tell("sending to Telegram ...")
        yield _telegram(settings.telegram, instance)
    else:
        yield Finding("Telegram test", "off", _ABSENT)
    if settings.email:
        yield from _email(settings.email, instance, tell)
    else:
        yield Finding("e-mail test", "off", _ABSENT)
    if settings.heartbeat:
        tell("calling the heartbeat URL ...")
        yield _heartbeat(settings.heartbeat, instance)
    else:
        yield Finding("heartbeat test", "off", _ABSENT)
    tell("handing a test alert to Alertmanager ...")
    yield alert(alertmanager, instance)


def _telegram(settings: Telegram, instance: str) -> Finding:
    text = f"<b>Test from {escape(instance)}: nothing is wrong</b>\n{_PURPOSE}"
    answer = telegram.send(settings, text, _TELEGRAM_SECONDS)
    return Finding("Telegram test", "good" if answer.sent else "bad", answer.said, answer.remedy)


def _email(settings: Email, instance: str, tell: Tell) -> Iterator[Finding]:
    doing = {
        "connect": f"connecting to {settings.smarthost} ...",
        "auth": f"logging in as {settings.username} ...",
        "data": "sending the e-mail ...",
    }
    message = _message(settings, instance)
    outcome = submission.submit(
        settings,
        message,
        settings.to,
        _EMAIL_SECONDS,
        lambda stage: tell(doing[stage]) if stage in doing else None,
        hello=instance,
    )
    if outcome.accepted:
        taken = f"{settings.smarthost} has taken it for {', '.join(outcome.accepted)}: {outcome.reply}"
        yield Finding("e-mail test", "good", taken)
    for recipient, trouble in outcome.refused.items():
        yield Finding("e-mail test", "bad", f"not taken for {recipient}: {trouble.said}", trouble.remedy)
    if outcome.error:
        yield Finding("e-mail test", "bad", outcome.error.said, outcome.error.remedy)


def _message(settings: Email, instance: str) -> bytes:
    sender, *to = [_address(address) for address in (settings.sender, *settings.to)]
    plain = all(address.username.isascii() for address in (sender, *to))
    message = EmailMessage(policy=SMTP if plain else SMTPUTF8)
    message["From"] = sender
    message["To"] = to
    message["Subject"] = f"Test from {instance}: nothing is wrong"
    message["Date"] = email.utils.localtime()
    message["Message-ID"] = email.utils.make_msgid("send-test", sender.domain)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834
    message.set_content(f"{_PURPOSE}\n\nAlerts and the daily report of {instance} come to you in this way.\n")
    return message.as_bytes()


def _address(text: str) -> Address:
    """Return an address as headers have it; for what is none, one that the envelope will be refused for anyway."""
    name, address = email.utils.parseaddr(text)
    user, _, domain = address.rpartition("@")
    try:
        return Address(name, user, smtp_client.ascii_name(domain))
    except (UnicodeError, ValueError, MessageError):
        return Address(username="invalid", domain="invalid")


def _heartbeat(settings: Heartbeat, instance: str) -> Finding:
    """Call the URL as Alertmanager does, by POST. The URL is a secret: who knows it can pretend that all is well."""
    subject = "heartbeat test"
    file = settings.url_file
    remedy = f"write the URL that the service shows into {file}"
    try:
        url = secret.read(file, "URL")
        host, port = https.server(url)
        body = json.dumps({"version": "4", "status": "firing", "test": True, "instance": instance}).encode()
        answer = https.post(url, body, "application/json", _HEARTBEAT_SECONDS)
    except SourceError as error:
        return Finding(subject, "bad", str(error), error.remedy)
    except OSError as error:
        advice = network_advice.explain(error, host, port)
        if advice is None:
            return Finding(subject, "bad", f"{host} could not be called ({type(error).__name__})", remedy)
        return Finding(subject, "bad", advice.said, advice.remedy)
    except (ValueError, http.client.InvalidURL):
        return Finding(subject, "bad", f"{file} holds no URL", remedy)
    except http.client.HTTPException as error:
        return Finding(subject, "bad", f"what answers at {host} does not speak HTTP ({type(error).__name__})", remedy)
    said = f"{host} answered {answer.status} {answer.reason}"
    if answer.status // 100 == 2:
        return Finding(subject, "good", said)
    if answer.status // 100 == 3:
        remedy = f"write the URL that it redirects to into {file}"
    return Finding(subject, "bad", said, remedy)


def alert(alertmanager: str, instance: str) -> Finding:
    """Hand Alertmanager a harmless warning that ends by itself after a minute, so that the road can be seen to work."""
    now = datetime.now(timezone.utc)
    test = {
        "labels": {"alertname": "TestAlert", "severity": "warning", "instance": instance},
        "annotations": {
            "summary": f"Test alert of {instance}: nothing is wrong",
            "description": _PURPOSE,
            "action": "none, it ends by itself",
        },
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(minutes=1)).isoformat(),
    }
    request = urllib.request.Request(  # noqa: S310 - the scheme is checked by the command line
        f"{alertmanager.rstrip('/')}/api/v2/alerts",
        data=json.dumps([test]).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        # Not through a proxy of the environment: Alertmanager is on this machine.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10):
            pass
    except (http.client.HTTPException, OSError) as error:
        return Finding("test alert", "bad", f"{alertmanager} did not take it: {error}", "is Alertmanager running?")
    detail = "handed to Alertmanager; expect it in 15 s, or within the throttle time if a warning was just sent"
    return Finding("test alert", "good", detail)
