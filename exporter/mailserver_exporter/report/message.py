"""The report as an e-mail: text, HTML and pictures in one message (RFC 5322, 2045 to 2047, 2387).

The same report gives the same message, boundaries included, so that one that is sent twice is shown once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import date, datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr
from pathlib import Path

from mailserver_exporter.report import html, plain
from mailserver_exporter.report.charts import png
from mailserver_exporter.report.cleaned import cleaned
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.model import Chart, Report
from mailserver_exporter.settings.notifications import Email

_ADDRESS = re.compile(r"[^\s<>,;\"]+@[^\s<>,;\"]+")
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


def message_id(host: str, day: date, sender_domain: str, kind: str = "daily") -> str:
    """Return the Message-ID, ``<...>``, of a host's report of a day; the same for the same."""
    return f"<{kind}-report.{day:%Y%m%d}.{_ascii(host)}@{_ascii(sender_domain)}>"


def domain_of(sender: str) -> str:
    """Return the domain of ``Name <user@domain>`` or ``user@domain``, for message_id."""
    return _parsed(sender)[1].rpartition("@")[2]


def build(report: Report, settings: Email, message_id: str, date: datetime) -> bytes:
    """Return the message, ready to be submitted: ASCII, lines of at most 998 bytes that end with CRLF."""
    domain = message_id.rpartition("@")[2].rstrip(">")
    report = html.fitted(report)
    names = {chart.name: f"{chart.name}.{_digest(message_id)[:16]}@{domain}" for chart in _charts(report)}
    addresses = [_address(settings.sender, report.host), *map(_address, settings.to)]
    # RFC 6532, for who has an address beyond ASCII; all others get what every server takes.
    policy = SMTP if all(map(str.isascii, addresses)) else SMTPUTF8
    message = EmailMessage(policy=policy)
    # Folded and encoded by us: before Python 3.13 its own way loses spaces between two encoded words.
    message.set_raw("From", addresses[0])
    message.set_raw("To", ",\n ".join(addresses[1:]))
    message.set_raw("Subject", _encoded(report.subject, len("Subject: ")))
    message["Date"] = format_datetime(date)
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    message["List-Id"] = f"<report.{_ascii(report.host)}>"
    message.set_content(plain.text(report), cte="quoted-printable")
    page = html.page(report, {name: f"cid:{content_id}" for name, content_id in names.items()})
    message.add_alternative(page, subtype="html", cte="quoted-printable")
    if names:
        related = [part for part in message.iter_parts() if isinstance(part, EmailMessage)][-1]
        for name, picture in _pictures(report).items():
            related.add_related(
                picture, "image", "png", cid=f"<{names[name]}>", filename=f"{name}.png", disposition="inline"
            )
        # How a mail program knows which part is the page (RFC 2387).
        related.set_param("type", "text/html")
    message["Content-Language"] = report.language
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        # "=_" is found in neither base64 nor quoted-printable.
        part.set_boundary(f"=_{number}_{_digest(message_id)[:24]}")
    return message.as_bytes(policy=policy.clone(max_line_length=900))


def files(report: Report, directory: Path, message: bytes | None = None) -> None:
    """Write report.html, its pictures and report.txt into a directory, for a look; and report.eml. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    report = html.fitted(report)
    pictures = _pictures(report)
    for name, picture in pictures.items():
        _write(directory / f"{name}.png", picture)
    page = html.page(report, {name: f"{name}.png" for name in pictures})
    _write(directory / "report.html", page.encode())
    _write(directory / "report.txt", plain.text(report).encode())
    if message is not None:
        _write(directory / "report.eml", message)


def _write(file: Path, content: bytes) -> None:
    """Write a file, never through a link or into a pipe that somebody else has put there: root may, below /tmp."""
    file.unlink(missing_ok=True)
    with open(file, "xb") as output:
        output.write(content)


def _charts(report: Report) -> Iterator[Chart]:
    for section in report.sections:
        yield from section.charts


def _pictures(report: Report) -> dict[str, bytes]:
    say = Language(report.language, report.period.zone)
    return {chart.name: png(chart, report.period, say) for chart in _charts(report)}


def _address(text: str, name: str = "") -> str:
    """Return an address with its name, or this one, and its domain as the wire needs it."""
    shown, address = _parsed(text)
    user, _, domain = address.rpartition("@")
    shown = cleaned(shown or name, 80)
    # Of printable ASCII that needs no quotes but these two.
    quoted = '"' + re.sub(r'(["\\])', r"\\\1", shown) + '" ' if shown.isascii() else f"{_encoded(shown, 10)}\n "
    return f"{quoted if shown else ''}<{user}@{_ascii(domain)}>"


def _parsed(text: str) -> tuple[str, str]:
    name, address = parseaddr(text)
    if "@" in address:
        return name, address
    # A name with a comma needs quotes, but everybody can see what is meant.
    found = _ADDRESS.search(text)
    return (text[: found.start()].rstrip("< "), found[0]) if found else ("", text)


def _encoded(text: str, before: int) -> str:
    """Return a header's text, in encoded words (RFC 2047) where it needs them; ``before`` are taken in its line."""
    return (
        text
        if text.isascii() and "=?" not in text
        else Header(text, "utf-8", maxlinelen=75, header_name="x" * before).encode()
    )


def _ascii(host: str) -> str:
    """Return a host's name as the DNS has it (RFC 5891), and a name of its own for what can be none."""
    try:
        name = host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        name = ""
    return name if _NAME.fullmatch(name) else f"host-{_digest(host)[:16]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
