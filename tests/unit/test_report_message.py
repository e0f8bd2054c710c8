"""The report as a message: read back by a parser, it is what was put in, and nothing else."""

from __future__ import annotations

import email.policy
import os
import re
from dataclasses import replace
from datetime import date
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path
from typing import cast

import pytest

from mailserver_exporter.report import message
from mailserver_exporter.report.model import Report
from mailserver_exporter.settings.notifications import Email
from tests.support import reports

EMAIL = Email(to=("Ada Löve <ada@bücher.example>", "bob@example.org"), sender="exporter@example.org")


def identity(report: Report) -> str:
    return message.message_id(report.host, report.period.end.date(), message.domain_of(EMAIL.sender))


def built(report: Report, settings: Email = EMAIL) -> bytes:
    return message.build(report, settings, identity(report), report.made)


def read(data: bytes) -> EmailMessage:
    return cast("EmailMessage", message_from_bytes(data, policy=email.policy.default))


@pytest.mark.parametrize("make", [*reports.DAYS.values(), reports.hostile], ids=[*reports.DAYS, "hostile"])
def test_every_report_is_a_clean_message(make: reports.Make) -> None:
    data = built(make())
    assert data.isascii()
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert max(map(len, data.split(b"\r\n"))) <= 998
    for part in read(data).walk():
        assert part.defects == []
        assert all(header.defects == () for header in part.values())


def test_its_head_says_whose_it_is_and_when() -> None:
    read_back = read(built(reports.bad()))
    assert read_back["From"].addresses[0].addr_spec == "exporter@example.org"
    assert read_back["From"].addresses[0].display_name == "mail.example.org"
    assert [each.addr_spec for each in read_back["To"].addresses] == ["ada@xn--bcher-kva.example", "bob@example.org"]
    assert read_back["To"].addresses[0].display_name == "Ada Löve"
    assert read_back["Subject"] == "[CRITICAL] mail.example.org 22 Nov 2026: Containers, Alerts, Filesystems"
    assert read_back["Date"].datetime == reports.MADE
    assert read_back["Message-ID"] == "<daily-report.20261122.mail.example.org@example.org>"
    assert read_back["Auto-Submitted"] == "auto-generated"
    assert read_back["Content-Language"] == "en"
    assert read_back["Bcc"] is None


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        ("Mail server <b@example.org>", "Mail server"),
        ('"Mail, the \\"big\\" server" <b@example.org>', 'Mail, the "big" server'),
        ("Mail, the server <b@example.org>", "Mail, the server"),
        (f"{'Größe ' * 3}<b@example.org>", ("Größe " * 3).strip()),
        ("b@example.org", "mail.example.org"),
    ],
)
def test_the_senders_own_name_is_kept(sender: str, name: str) -> None:
    address = read(built(reports.good(), Email(to=("a@example.org",), sender=sender)))["From"].addresses[0]
    assert (address.display_name, address.addr_spec) == (name, "b@example.org")


def test_a_hundred_recipients_are_as_many() -> None:
    to = tuple(f"admin{number}@{'a' * 60}.example.org" for number in range(100))
    read_back = read(built(reports.good(), Email(to=to, sender="b@example.org")))
    assert tuple(each.addr_spec for each in read_back["To"].addresses) == to


def test_subjects_of_any_letters_come_back() -> None:
    for count in range(1, 90):
        title = ("Füße " * count).strip()
        report = reports.composed(reports.part(reports.Section(title[:60], "", "warning")), language="de")
        assert read(built(report))["Subject"] == message.html.fitted(report).subject


def test_it_holds_a_text_and_a_page_with_its_pictures() -> None:
    report = reports.bad("de")
    read_back = read(built(report))
    assert read_back.get_content_type() == "multipart/alternative"
    text, related = read_back.iter_parts()
    page, *pictures = cast("EmailMessage", related).iter_parts()
    assert [part.get_content_type() for part in (text, related, page)] == [
        "text/plain",
        "multipart/related",
        "text/html",
    ]
    assert related.get_param("type") == "text/html"
    html = cast("EmailMessage", page).get_content()
    sources = re.findall(r'<img src="cid:([^"]+)"', html)
    assert [picture["Content-ID"] for picture in pictures] == [f"<{source}>" for source in sources]
    assert [picture.get_filename() for picture in pictures] == ["host-cpu.png", "filesystems.png", "mail.png"]
    assert all(picture.get_content_disposition() == "inline" for picture in pictures)
    assert all(cast("EmailMessage", picture).get_content().startswith(b"\x89PNG") for picture in pictures)
    assert "Empfohlene Maßnahmen" in cast("EmailMessage", text).get_content()
    assert "Empfohlene Maßnahmen" in html


def test_the_same_report_is_the_same_message() -> None:
    assert built(reports.bad()) == built(reports.bad())


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("mail.example.org", "<daily-report.20261122.mail.example.org@example.com>"),
        ("mail.bücher.example", "<daily-report.20261122.mail.xn--bcher-kva.example@example.com>"),
    ],
)
def test_the_message_id_is_the_same_for_the_same_host_and_day(host: str, expected: str) -> None:
    assert message.message_id(host, date(2026, 11, 22), "example.com") == expected


@pytest.mark.parametrize("host", ["", "a b", "x>\r\nBcc: eve@example.org", "a..b", "ü" * 300, "host\udcff", "::1"])
def test_no_host_name_breaks_the_message_id(host: str) -> None:
    found = message.message_id(host, date(2026, 11, 22), "bücher.example")
    assert re.fullmatch(r"<daily-report\.20261122\.host-[0-9a-f]{16}@xn--bcher-kva\.example>", found)
    assert found == message.message_id(host, date(2026, 11, 22), "bücher.example")


def test_hostile_texts_forge_no_header_and_no_part() -> None:
    plain, hostile = read(built(reports.first_day())), read(built(reports.hostile()))
    assert hostile.keys() == plain.keys()
    assert {part.get_content_type() for part in hostile.walk()} == {part.get_content_type() for part in plain.walk()}
    assert "\u202e" not in hostile["Subject"]


def test_the_report_is_written_to_files_for_a_look(tmp_path: Path) -> None:
    report = reports.bad()
    message.files(report, tmp_path / "new", built(report))
    names = {file.name for file in (tmp_path / "new").iterdir()}
    assert names == {"report.html", "report.txt", "report.eml", "host-cpu.png", "filesystems.png", "mail.png"}
    html = (tmp_path / "new" / "report.html").read_text(encoding="utf-8")
    assert re.findall(r'<img src="([^"]+)"', html) == ["host-cpu.png", "filesystems.png", "mail.png"]


def test_a_mailbox_beyond_ascii_is_written_as_rfc_6532_has_it() -> None:
    data = built(reports.bad(), Email(to=("jürgen@bücher.example", "Ada <a@b.example>"), sender="wächter@example.org"))
    head = data.partition(b"\r\n\r\n")[0].decode()
    assert 'From: "mail.example.org" <wächter@example.org>' in head
    assert "<jürgen@xn--bcher-kva.example>,\r\n" in head
    read_back = read(data)
    assert read_back["Subject"] == read(built(reports.bad()))["Subject"]
    assert [part.defects for part in read_back.walk() if part.defects] == []
    assert max(map(len, data.split(b"\r\n"))) <= 998


def test_a_text_that_looks_encoded_is_not_decoded() -> None:
    forged = "=?utf-8?q?All_is_well?="
    settings = Email(to=("a@example.org",), sender=f"{forged} <b@example.org>")
    read_back = read(built(replace(reports.good(), subject=forged), settings))
    assert read_back["Subject"] == forged
    assert b"=?utf-8?q?All_is_well?=" not in built(replace(reports.good(), subject=forged)).partition(b"\r\n\r\n")[0]


def test_files_are_not_written_through_what_others_have_put_there(tmp_path: Path) -> None:
    folder, precious = tmp_path / "output", tmp_path / "precious"
    folder.mkdir()
    precious.write_text("mine")
    for name in ("report.html", "report.eml"):
        (folder / name).symlink_to(precious)
    (folder / "report.txt").symlink_to(tmp_path / "new")
    os.mkfifo(folder / "load.png")
    for chart in (chart for section in reports.bad().sections for chart in section.charts):
        (folder / f"{chart.name}.png").unlink(missing_ok=True)
        os.mkfifo(folder / f"{chart.name}.png")
    for _ in range(2):
        message.files(reports.bad(), folder, b"mail")
    assert precious.read_text() == "mine"
    assert not (tmp_path / "new").exists()
    assert (folder / "report.eml").read_bytes() == b"mail"
    assert all(not file.is_symlink() and file.stat().st_size for file in folder.iterdir() if file.name != "load.png")
