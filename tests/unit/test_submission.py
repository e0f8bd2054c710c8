"""A message is handed in, and what is told when it is not: against a server that says what others' servers say."""

from __future__ import annotations

import base64
import dataclasses
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver_exporter import submission
from mailserver_exporter.settings.notifications import Email
from mailserver_exporter.sources import smtp_client
from tests.support import certificates, listeners
from tests.support.listeners import Behaviour, listener
from tests.support.processes import free_port
from tests.support.smtp_script import SmtpScript

USER, PASSWORD = "you@gmail.com", "abcd efgh ijkl mnop"
TO = "admin@example.net"
MESSAGE = b"From: you@gmail.com\r\nTo: admin@example.net\r\nSubject: report\r\n\r\nall is well\r\n.\r\n..two\r\n"


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificates.write_chain(tmp_path_factory.mktemp("tls") / "chain.pem")


@pytest.fixture
def script(pem: Path) -> Iterator[SmtpScript]:
    with SmtpScript(pem).running() as script:
        yield script
    assert script.faults == []


@pytest.fixture
def settings(tmp_path: Path) -> Email:
    (tmp_path / "password").write_text(PASSWORD + "\n")
    return Email(
        to=(TO,),
        sender=USER,
        smarthost="127.0.0.1:1",
        username=USER,
        password_file=tmp_path / "password",
        ca_file=certificates.write_authority(tmp_path / "ca.pem"),
    )


def submit(
    settings: Email, script: SmtpScript, message: bytes = MESSAGE, to: tuple[str, ...] = (TO,), seconds: float = 20
) -> submission.Outcome:
    return submission.submit(dataclasses.replace(settings, smarthost=script.address), message, to, seconds)


def error(outcome: submission.Outcome) -> submission.Trouble:
    assert outcome.accepted == ()
    assert outcome.error is not None
    assert PASSWORD not in repr(outcome)
    return outcome.error


def test_a_message_goes_in_as_it_is_after_tls_and_login(settings: Email, script: SmtpScript) -> None:
    outcome = submit(settings, script)

    assert outcome == submission.Outcome((TO,), reply="250 2.0.0 OK 1795300000 abc123 - gsmtp")
    assert outcome.trouble(TO) is None
    assert script.messages == [MESSAGE]
    credentials = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
    size = len(MESSAGE) + 2  # two lines begin with a dot
    assert script.said == [
        "EHLO [127.0.0.1]",
        "STARTTLS",
        "EHLO [127.0.0.1]",
        f"AUTH PLAIN {credentials}",
        f"MAIL FROM:<{USER}> SIZE={size}",
        f"RCPT TO:<{TO}>",
        "DATA",
        ".",
        "QUIT",
    ]


@pytest.mark.parametrize("end", [b"", b"\r\n", b"\r\n\r\n\r\n"])
def test_newlines_become_what_travels_and_nothing_else_changes(end: bytes, settings: Email, script: SmtpScript) -> None:
    message = MESSAGE.removesuffix(b"\r\n") + end
    assert submit(settings, script, message.replace(b"\r\n", b"\n")).accepted == (TO,)
    assert script.messages == [message if end else MESSAGE]


def test_port_465_speaks_tls_from_the_first_byte(settings: Email, pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SmtpScript(pem, implicit=True).running() as script:
        monkeypatch.setattr(smtp_client, "_IMPLICIT_TLS_PORT", script.port)
        assert submit(settings, script).accepted == (TO,)
    assert (script.faults, script.said[1][:10]) == ([], "AUTH PLAIN")


def test_tells_each_stage_and_before_the_final_dot_that_it_is_the_last(settings: Email, script: SmtpScript) -> None:
    heard: list[tuple[str, str]] = []

    def tell(stage: str) -> None:
        heard.append((stage, script.said[-1][:4] if script.said else ""))

    submission.submit(dataclasses.replace(settings, smarthost=script.address), MESSAGE, [TO], 20, tell)

    assert tuple(stage for stage, _ in heard) == submission.STAGES
    assert heard[-1] == ("acceptance", "DATA"), "the server has not seen the final dot yet"


def test_each_recipient_has_its_own_fate(settings: Email, pem: Path) -> None:
    answers = {"gone@example.net": "550 5.1.1 User unknown", "busy@example.net": "450 4.2.0 Greylisted, try again"}
    with SmtpScript(pem, answers).running() as script:
        outcome = submit(settings, script, to=("gone@example.net", TO, "busy@example.net"))

    assert (outcome.accepted, outcome.error) == ((TO,), None)
    gone, busy = outcome.trouble("gone@example.net"), outcome.trouble("busy@example.net")
    assert gone is not None
    assert busy is not None
    assert (gone.said, gone.retry, gone.stage) == ("550 5.1.1 User unknown", False, "recipient")
    assert gone.remedy == "is gone@example.net right? see notifications.email.to"
    assert (busy.retry, "greylisting" in busy.remedy) == (True, True)
    assert len(script.messages) == 1


def test_when_nobody_is_accepted_no_message_is_sent(settings: Email, pem: Path) -> None:
    with SmtpScript(pem, {"RCPT": "550 5.1.1 User unknown"}).running() as script:
        outcome = submit(settings, script)

    assert (outcome.accepted, outcome.error, list(outcome.refused)) == ((), None, [TO])
    assert "DATA" not in script.said


# What Gmail says is from support.google.com/a/answer/3726730; the numbers at the end are made up.
_SAID = [
    (
        "AUTH",
        "534-5.7.9 Application-specific password required. For more information, go to\r\n"
        "534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor 5b1f17-3 - gsmtp",
        ("auth", "https://myaccount.google.com/apppasswords", False),
    ),
    (
        "AUTH",
        "535-5.7.8 Username and Password not accepted. For more information, go to\r\n"
        "535 5.7.8  https://support.google.com/mail/?p=BadCredentials 5b1f17-3 - gsmtp",
        ("auth", "app password", False),
    ),
    (
        "AUTH",
        "534-5.7.14 <https://accounts.google.com/signin/continue?sarp=1> Please log in via\r\n"
        "534-5.7.14 your web browser and then try again.\r\n534 5.7.14  Learn more 5b1f17-3 - gsmtp",
        ("auth", "in a browser once", False),
    ),
    ("AUTH", "454 4.7.0 Too many login attempts, please try again later. - gsmtp", ("auth", "wait", True)),
    ("AUTH", "530 5.7.0 Must issue a STARTTLS command first. - gsmtp", ("tls", "require_tls: true", False)),
    (
        "AUTH",
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit "
        "https://aka.ms/smtp_auth_disabled for more information.",
        ("auth", "Authenticated SMTP", False),
    ),
    (
        "AUTH",
        "535 5.7.139 Authentication unsuccessful, basic authentication is disabled. [FR3P281CA0001]",
        ("auth", "admin.microsoft.com", False),
    ),
    ("AUTH", "535 5.7.3 Authentication unsuccessful [FR3P281CA0001]", ("auth", "app password", False)),
    ("AUTH", "535 5.7.8 Error: authentication failed: (reason unavailable)", ("auth", "check username", False)),
    ("AUTH", "503 5.5.1 Error: authentication not enabled", ("auth", "port 587 or 465", False)),
    ("MAIL", "530 5.7.57 Client not authenticated to send mail.", ("auth", "username and password_file", False)),
    ("MAIL", "550 5.7.1 Sender address rejected", ("sender", "notifications.email.sender", False)),
    ("MAIL", "553 5.7.1 not permitted", ("sender", f"an address that the server lets {USER} send from", False)),
    ("MAIL", "552 5.3.4 Message size exceeds fixed limit", ("data", "of this size", False)),
    (
        "MAIL",
        "550-5.4.5 Daily user sending limit exceeded. For more information on Gmail\r\n"
        "550 5.4.5 sending limits go to https://support.google.com/a/answer/166852 - gsmtp",
        ("sender", "within 24 hours", True),
    ),
    ("MAIL", "451 4.3.0 Mail server temporarily rejected message. - gsmtp", ("sender", "minutes", True)),
    (
        "RCPT",
        "553 5.7.1 <you@gmail.com>: Sender address rejected: not owned by user other@gmail.com",
        ("sender", "notifications.email.sender", False),
    ),
    ("RCPT", "554 5.7.1 <mail>: Helo command rejected: need fully-qualified", ("connect", "set hostname", False)),
    (
        "RCPT",
        "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
        ("connect", "blocklist", False),
    ),
    ("DATA", "451 4.7.1 Service unavailable - try again later", ("data", "minutes", True)),
    (
        ".",
        "554 5.2.252 SendAsDenied; watch@example.org not allowed to send as you@gmail.com; STOREDRV.Submission",
        ("sender", "notifications.email.sender", False),
    ),
    (
        ".",
        "550-5.7.26 This mail has been blocked because the sender is unauthenticated.\r\n550 5.7.26 gsmtp",
        ("sender", "notifications.email.sender", False),
    ),
    (
        ".",
        "550-5.7.1 Our system has detected that this message is likely unsolicited mail.\r\n550 5.7.1 gsmtp",
        ("data", "unwanted", False),
    ),
    (
        ".",
        "552-5.3.4 Your message exceeded Google's message size limits. To view our\r\n552 5.3.4 guidelines gsmtp",
        ("data", "of this size", False),
    ),
    (".", "452 4.3.1 Insufficient system storage", ("data", "minutes", True)),
    ("greeting", "554 5.7.1 No SMTP service here", ("connect", "refuses this machine", False)),
    ("greeting", "421 4.3.2 Service not available", ("connect", "minutes", True)),
    ("EHLO", "501 5.5.4 HELO/EHLO argument invalid, closing connection. - gsmtp", ("connect", "set hostname", False)),
    ("greeting", "* OK [CAPABILITY IMAP4rev1] Dovecot ready.", ("connect", "587 or 465", False)),
    ("greeting", "+OK Dovecot ready.", ("connect", "587 or 465", False)),
    ("greeting", "HTTP/1.1 400 Bad Request", ("connect", "587 or 465", False)),
]


@pytest.mark.parametrize(
    ("command", "answer", "expected"), _SAID, ids=[f"{what} {said[:28]}" for what, said, _ in _SAID]
)
def test_what_servers_say_is_explained(
    command: str, answer: str, expected: tuple[str, str, bool], settings: Email, pem: Path
) -> None:
    answers: dict[str, str | Behaviour] = {command: answer}
    if command == "EHLO":
        answers["HELO"] = answer
    with SmtpScript(pem, answers).running() as script:
        trouble = error(submit(settings, script))

    stage, words, retry = expected
    assert (trouble.stage, trouble.retry, trouble.unknown) == (stage, retry, False)
    assert words in trouble.remedy
    assert " ".join(answer.split())[:20].split("-")[0] in trouble.said
    assert script.messages == []


def test_who_does_not_log_in_is_told_that_it_takes_a_login_to_relay(settings: Email, pem: Path) -> None:
    stranger = dataclasses.replace(settings, username=None, password_file=None)
    with SmtpScript(pem, {"RCPT": "554 5.7.1 <a@b>: Relay access denied"}, demand_login=False).running() as script:
        without, within = submit(stranger, script), submit(settings, script)

    assert without.refused[TO].remedy == "this server wants a login: set notifications.email.username and password_file"
    assert within.refused[TO].remedy.startswith(f"this server does not send to {TO} for {USER}")


_EVIL = {
    "silent": listeners.silent,
    "a byte a second": listeners.byte_a_second,
    "hangs up": listeners.hang_up,
    "resets": listeners.reset,
    "no end": listeners.endless_lines,
    "no line": listeners.endless_banner,
    "garbage": listeners.garbage,
}


_STAGE_OF = {
    "greeting": "connect",
    "EHLO": "connect",
    "STARTTLS": "tls",
    "AUTH": "auth",
    "MAIL": "sender",
    "RCPT": "recipient",
    "DATA": "data",
    ".": "acceptance",
}
_HOSTILE = [
    *((command, evil) for command in ("greeting", ".") for evil in _EVIL),
    *((command, evil) for command in ("AUTH", "DATA") for evil in ("silent", "resets", "no end", "garbage")),
    *((command, "hangs up") for command in ("EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA")),
]


@pytest.mark.parametrize(("command", "evil"), _HOSTILE)
def test_a_hostile_server_is_left_in_time_and_its_stage_told(
    command: str, evil: str, settings: Email, pem: Path
) -> None:
    began = time.monotonic()
    with SmtpScript(pem, {command: _EVIL[evil]}).running() as script:
        trouble = error(submit(settings, script, seconds=2))
        took = time.monotonic() - began

    assert took < 10
    assert trouble.stage == _STAGE_OF[command]
    assert trouble.said
    assert trouble.remedy
    assert trouble.unknown is (command == ".")


def test_a_goodbye_that_never_comes_takes_nothing_back(settings: Email, pem: Path) -> None:
    with SmtpScript(pem, {"QUIT": listeners.silent}).running() as script:
        began = time.monotonic()
        assert submit(settings, script, seconds=100).accepted == (TO,)
        assert time.monotonic() - began < 50


def test_a_half_sent_message_is_known_not_to_be_sent(settings: Email, pem: Path) -> None:
    """The server goes away while the message is on its way, before the final dot."""
    with SmtpScript(pem, {"DATA": listeners.speaks_then(listeners.reset, b"354 go\r\n")}).running() as script:
        trouble = error(submit(settings, script, MESSAGE + b"x" * 70 * 1000 + b"\r\n" + b"y\r\n" * 2_000_000))

    assert (trouble.stage, trouble.unknown, trouble.retry) == ("data", False, True)


def test_what_the_server_cannot_take_is_not_sent_at_all(settings: Email, pem: Path) -> None:
    with SmtpScript(pem, capabilities=("SIZE 1000",)).running() as script:
        trouble = error(submit(settings, script, MESSAGE + b"x\r\n" * 1000))
    assert (trouble.stage, trouble.retry) == ("data", False)
    assert "1000 are allowed" in trouble.said
    assert not [line for line in script.said if line.startswith("MAIL")]


@pytest.mark.parametrize("behind", [listeners.half_tls, listeners.silent, listeners.hang_up, listeners.garbage])
def test_a_tls_handshake_that_goes_nowhere_is_left(
    behind: Behaviour, settings: Email, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listener(behind) as port:
        monkeypatch.setattr(smtp_client, "_IMPLICIT_TLS_PORT", port)
        there = dataclasses.replace(settings, smarthost=f"127.0.0.1:{port}")
        began = time.monotonic()
        trouble = error(submission.submit(there, MESSAGE, [TO], 1.5))

    assert time.monotonic() - began < 10
    assert trouble.stage in ("tls", "connect")


@pytest.mark.parametrize(
    ("fault", "words", "retry"),
    [
        ("expired", "is the clock right", True),
        ("not yet valid", "is the clock right", True),
        ("other name", "name the server as its certificate does", False),
        ("self-signed", "notifications.email.ca_file", False),
        ("missing intermediate", "notifications.email.ca_file", False),
    ],
)
def test_a_certificate_that_is_not_good_is_not_accepted(
    fault: str, words: str, retry: bool, settings: Email, tmp_path: Path
) -> None:
    with SmtpScript(certificates.write(tmp_path / "bad.pem", fault)).running() as script:
        trouble = error(submit(settings, script))

    assert (trouble.stage, trouble.retry) == ("tls", retry)
    assert words in trouble.remedy
    assert not [line for line in script.said if line.startswith("AUTH")]


def test_without_starttls_nothing_is_said_in_clear(settings: Email, pem: Path) -> None:
    with SmtpScript(pem, starttls=False).running() as script:
        trouble = error(submit(settings, script))
    assert (trouble.stage, trouble.said) == ("tls", "the server does not offer STARTTLS")
    assert "require_tls" in trouble.remedy
    assert script.said == ["EHLO [127.0.0.1]"]


def test_a_relay_of_this_machine_may_do_without_tls_and_password(settings: Email, pem: Path) -> None:
    relay = dataclasses.replace(settings, username=None, password_file=None, ca_file=None, require_tls=False)
    with SmtpScript(pem, starttls=False, demand_login=False).running() as script:
        assert submit(relay, script).accepted == (TO,)
    # Where it offers TLS it is taken, by whomever the certificate was made.
    with SmtpScript(pem, demand_login=False).running() as script:
        assert submit(relay, script).accepted == (TO,)
    assert "STARTTLS" in script.said


def test_a_password_leaves_this_machine_encrypted_or_not_at_all(
    settings: Email, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "_loopback", lambda _: False)
    careless = dataclasses.replace(settings, require_tls=False)
    with SmtpScript(pem, starttls=False).running() as script:
        trouble = error(submit(careless, script))
    assert (trouble.stage, "in clear text" in trouble.said) == ("tls", True)
    assert script.said == ["EHLO [127.0.0.1]"]


def test_plain_text_where_tls_is_expected(settings: Email, pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SmtpScript(pem).running() as script:
        monkeypatch.setattr(smtp_client, "_IMPLICIT_TLS_PORT", script.port)
        trouble = error(submit(settings, script))
    assert (trouble.stage, trouble.retry) == ("tls", False)
    assert "plain text where TLS is expected" in trouble.said


def test_nobody_there(settings: Email) -> None:
    port = free_port()
    trouble = error(submission.submit(dataclasses.replace(settings, smarthost=f"127.0.0.1:{port}"), MESSAGE, [TO], 5))
    assert (trouble.stage, trouble.retry) == ("connect", True)
    assert f"nothing listens on 127.0.0.1:{port}" in trouble.said


@pytest.mark.parametrize("host", ["no-such-host.invalid", "kein-solcher-host-ü.invalid"])
def test_a_name_that_does_not_exist(host: str, settings: Email) -> None:
    trouble = error(submission.submit(dataclasses.replace(settings, smarthost=f"{host}:587"), MESSAGE, [TO], 30))
    assert trouble.stage == "connect"
    assert f"getent hosts {host}" in trouble.remedy


def test_a_dns_that_hangs_is_left_in_time(settings: Email, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, over = [], threading.Event()

    def hang(host: str, *_: object, **__: object) -> None:
        asked.append(host)
        over.wait(60)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    began = time.monotonic()
    try:
        trouble = error(
            submission.submit(dataclasses.replace(settings, smarthost="mail.invalid:587"), MESSAGE, [TO], 1)
        )
    finally:
        over.set()
    assert time.monotonic() - began < 20
    assert asked == ["mail.invalid"]
    assert (trouble.stage, trouble.retry) == ("connect", True)
    assert trouble.said == "the DNS does not answer, so mail.invalid has no address"
    assert "getent hosts mail.invalid" in trouble.remedy


def test_a_name_that_cannot_be_one(settings: Email) -> None:
    trouble = error(submission.submit(dataclasses.replace(settings, smarthost="ü" * 80 + ":587"), MESSAGE, [TO], 5))
    assert (trouble.stage, trouble.retry) == ("connect", False)
    assert "is no host name" in trouble.said


@pytest.mark.parametrize("mechanisms", ["LOGIN XOAUTH2", "PLAIN", "LOGIN PLAIN"])
@pytest.mark.parametrize("password", [PASSWORD, "geheim ü \"\\'"])
def test_any_password_can_be_sent(mechanisms: str, password: str, settings: Email, pem: Path, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(password)
    with SmtpScript(pem, mechanisms=mechanisms).running() as script:
        assert submit(settings, script).accepted == (TO,)
    assert script.faults == []
    form = password if mechanisms.startswith("LOGIN X") else f"\0{USER}\0{password}"
    assert any(line.endswith(base64.b64encode(form.encode()).decode()) for line in script.said)


@pytest.mark.parametrize("mechanisms", ["", "XOAUTH2"])
def test_a_server_that_takes_no_password(mechanisms: str, settings: Email, pem: Path) -> None:
    with SmtpScript(pem, mechanisms=mechanisms).running() as script:
        trouble = error(submit(settings, script))
    assert (trouble.stage, trouble.retry) == ("auth", False)
    assert "takes no password" in trouble.remedy


@pytest.mark.parametrize("command", ["AUTH", "MAIL", "RCPT", "DATA", "."])
def test_a_password_that_is_repeated_is_told_to_nobody(command: str, settings: Email, pem: Path) -> None:
    forms = [PASSWORD, *(base64.b64encode(text.encode()).decode() for text in (PASSWORD, f"\0{USER}\0{PASSWORD}"))]
    with SmtpScript(pem, {command: f"550 I heard {' and '.join(forms)} {forms[2][:20]}"}).running() as script:
        outcome = submit(settings, script)
    for form in forms:
        assert form not in repr(outcome)
    assert forms[2][:20] not in repr(outcome)
    assert "550 I heard (password)" in repr(outcome)


@pytest.mark.parametrize(
    ("content", "words"), [(None, "No such file"), ("", "is empty"), ("a\nb", "more than one line")]
)
def test_a_password_file_that_is_no_use_is_named(
    content: str | None, words: str, settings: Email, script: SmtpScript
) -> None:
    assert settings.password_file is not None
    settings.password_file.unlink()
    if content is not None:
        settings.password_file.write_text(content)
    trouble = error(submit(settings, script))
    assert (trouble.stage, trouble.retry) == ("auth", False)
    assert words in trouble.said
    assert "0600" in trouble.remedy
    assert script.said == []


@pytest.mark.parametrize(("content", "words"), [(None, "No such file"), ("nothing", "holds no certificate")])
def test_a_ca_file_that_is_no_use_is_named(
    content: str | None, words: str, settings: Email, script: SmtpScript, tmp_path: Path
) -> None:
    file = tmp_path / "other.pem"
    if content is not None:
        file.write_text(content)
    trouble = error(submit(dataclasses.replace(settings, ca_file=file), script))
    assert (trouble.stage, trouble.said) == (
        "tls",
        f"{file}: {words}" if content else f"{file}: No such file or directory",
    )
    assert "notifications.email.ca_file" in trouble.remedy


def test_addresses_and_names_beyond_ascii(settings: Email, script: SmtpScript, pem: Path) -> None:
    there = dataclasses.replace(settings, sender="Wächter <wächter@bücher.example>", smarthost=script.address)
    outcome = submission.submit(there, MESSAGE, ["ädmin@example.net", TO], 20, hello="mail.bücher.example")
    assert outcome.accepted == ("ädmin@example.net", TO)
    assert script.said[0] == "EHLO mail.xn--bcher-kva.example"
    assert "MAIL FROM:<wächter@xn--bcher-kva.example> SMTPUTF8" in script.said[4]
    assert "RCPT TO:<ädmin@example.net>" in script.said

    with SmtpScript(pem, capabilities=()).running() as plain:
        trouble = error(submit(there, plain))
        assert (trouble.stage, "SMTPUTF8" in trouble.said, trouble.retry) == ("sender", True, False)
        assert submit(dataclasses.replace(there, sender="w@bücher.example"), plain).accepted == (TO,)


@pytest.mark.parametrize("address", ["nobody", "a@b>\r\nRCPT TO:<evil@example.net", "@example.net", "a b@example.net"])
def test_what_is_no_address_is_refused_here(address: str, settings: Email, script: SmtpScript) -> None:
    outcome = submit(settings, script, to=(address, TO))
    assert outcome.accepted == (TO,)
    assert "is no e-mail address" in outcome.refused[address].said
    assert not [line for line in script.said if "evil" in line]
