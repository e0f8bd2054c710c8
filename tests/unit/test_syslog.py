"""The header of a line in a log file."""

from __future__ import annotations

import pytest

from mailserver_exporter.sources import syslog

MESSAGE = b"postfix/smtpd[4711]: connect from unknown[192.0.2.1]"


@pytest.mark.parametrize(
    "header",
    [
        b"Nov 22 03:13:24 mail ",  # postlogd, rsyslog of Debian 11, syslog-ng
        b"Nov  2 03:13:24 mail.example.org ",
        b"2026-11-22T03:13:24.123456+01:00 mail ",  # rsyslog of Debian 12
        b"2026-11-22T03:13:24Z mail ",
        b"2026-11-22T03:13:24+01:00 mail ",
        b"Nov 22 03:13:24 mail mail.info ",  # BusyBox
    ],
)
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_cuts_the_header(header: bytes, end: bytes) -> None:
    assert syslog.body(header + MESSAGE + end) == MESSAGE


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"hello", b"Nov 22 03:13:24 mail", b"2026-11-22T03:13:24Z", b"\0" * 30, MESSAGE],
)
def test_a_line_without_a_header_has_no_body(line: bytes) -> None:
    assert syslog.body(line) == b""


def test_a_date_inside_the_message_stays_there() -> None:
    assert (
        syslog.body(b"Nov 22 03:13:24 mail sshd[1]: Nov 22 03:13:24 mail x: y") == b"sshd[1]: Nov 22 03:13:24 mail x: y"
    )


def test_a_repeated_message_comes_as_often_as_it_was_logged() -> None:
    # Ubuntu 22.04, rsyslog with $RepeatedMsgReduction on: ssh root@localhost, two more wrong passwords
    lines = [
        b"Nov 22 03:13:24 mail sshd[17]: Failed password for root from 192.0.2.1 port 5022 ssh2\n",
        b"Nov 22 03:13:29 mail sshd[17]: message repeated 2 times: "
        b"[ Failed password for root from 192.0.2.1 port 5022 ssh2]\n",
        b"no header\n",
    ]

    assert syslog.bodies(lines) == [b"sshd[17]: Failed password for root from 192.0.2.1 port 5022 ssh2"] * 3


def test_a_repetition_cannot_be_forged_from_inside_a_message() -> None:
    line = b"Nov 22 03:13:24 mail sshd[17]: Invalid user x: message repeated 9 times: [ y] from 192.0.2.1 port 22"

    assert syslog.bodies([line]) == [line[21:]]


def test_a_huge_repetition_stays_small() -> None:
    line = b"Nov 22 03:13:24 mail sshd[17]: message repeated 999999 times: [ x]"

    assert len(syslog.bodies([line])) == 10_000
