"""``check --send-test`` and submission against a real Postfix with a real Dovecot behind it, and a strict Telegram."""

from __future__ import annotations

import dataclasses
import email
import email.policy
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from mailserver_exporter import submission
from mailserver_exporter.settings.notifications import Email
from mailserver_exporter.sources import smtp_client
from tests.support import certificates, listeners
from tests.support.listeners import listener
from tests.support.mailserver import MailServer
from tests.support.processes import free_port, wait_for
from tests.support.smtp import SmtpServer
from tests.support.telegram import FakeTelegram
from tests.support.tools import ROOT

WATCH, PASSWORD = "watch@example.org", "geheim ü \"\\'"
ADMIN = "admin@example.org"
MESSAGE = f"From: {WATCH}\r\nTo: {ADMIN}\r\nSubject: report\r\n\r\nall is well\r\n".encode()
LIMIT = 20_000
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "exporter")}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    folder = tmp_path_factory.mktemp("server")
    settings = {
        "smtpd_sender_login_maps": f"inline:{{ {{ {WATCH} = {WATCH} }}, {{ {ADMIN} = {ADMIN} }} }}",
        "smtpd_sender_restrictions": "reject_sender_login_mismatch",
        "smtpd_reject_unlisted_recipient": "yes",
        "message_size_limit": str(LIMIT),
    }
    pem = certificates.write_chain(folder / "chain.pem")
    with MailServer(pem, {WATCH: PASSWORD, ADMIN: "another one"}, settings) as server:
        yield server


@pytest.fixture
def settings(server: MailServer, tmp_path: Path) -> Email:
    (tmp_path / "password").write_text(PASSWORD + "\n")
    return Email(
        to=(ADMIN,),
        sender=f"Watch <{WATCH}>",
        smarthost=f"127.0.0.1:{server.postfix.submission_port}",
        username=WATCH,
        password_file=tmp_path / "password",
        ca_file=certificates.write_authority(tmp_path / "ca.pem"),
    )


def problem(outcome: submission.Outcome) -> submission.Trouble:
    assert outcome.accepted == ()
    assert outcome.error is not None, outcome
    assert PASSWORD not in repr(outcome)
    return outcome.error


def delivered(server: MailServer) -> list[Path]:
    return server.messages(ADMIN)


def test_a_message_reaches_its_mailbox(server: MailServer, settings: Email) -> None:
    before = len(delivered(server))
    outcome = submission.submit(settings, MESSAGE, [ADMIN], 30)
    assert (outcome.accepted, outcome.error) == ((ADMIN,), None)
    assert "queued as" in outcome.reply
    wait_for("it is delivered", lambda: len(delivered(server)) > before)
    newest = max(delivered(server), key=lambda path: path.stat().st_mtime_ns)
    message = email.message_from_bytes(newest.read_bytes(), policy=email.policy.default)
    assert (message["Subject"], message.get_content().strip()) == ("report", "all is well")
    assert message["Return-Path"] == f"<{WATCH}>"


def test_tls_from_the_first_byte_reaches_it_as_well(
    server: MailServer, settings: Email, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_client, "_IMPLICIT_TLS_PORT", server.postfix.smtps_port)
    there = dataclasses.replace(settings, smarthost=f"127.0.0.1:{server.postfix.smtps_port}")
    assert submission.submit(there, MESSAGE, [ADMIN], 30).accepted == (ADMIN,)


def test_a_wrong_password(settings: Email) -> None:
    assert settings.password_file is not None
    settings.password_file.write_text("wrong")
    trouble = problem(submission.submit(settings, MESSAGE, [ADMIN], 30))
    assert (trouble.stage, trouble.retry, trouble.said[:3]) == ("auth", False, "535")
    assert trouble.remedy.startswith(f"check username ({WATCH}) and the password in {settings.password_file}")


def test_somebody_elses_sender_is_told_as_such_though_it_is_said_of_each_recipient(settings: Email) -> None:
    trouble = problem(submission.submit(dataclasses.replace(settings, sender=ADMIN), MESSAGE, [ADMIN, WATCH], 30))
    assert (trouble.stage, trouble.retry) == ("sender", False)
    assert "not owned by user" in trouble.said
    assert trouble.remedy.startswith("set notifications.email.sender to an address that the server lets " + WATCH)


def test_a_recipient_who_does_not_exist_keeps_nobody_else_back(server: MailServer, settings: Email) -> None:
    before = len(delivered(server))
    outcome = submission.submit(settings, MESSAGE, ["nobody@example.org", ADMIN], 30)
    assert (outcome.accepted, outcome.error) == ((ADMIN,), None)
    assert outcome.refused["nobody@example.org"].remedy.startswith("is nobody@example.org right?")
    wait_for("it is delivered", lambda: len(delivered(server)) > before)


def test_a_message_that_is_too_large(settings: Email) -> None:
    trouble = problem(submission.submit(settings, MESSAGE + b"x" * 60 + b"\r\n" * LIMIT, [ADMIN], 30))
    assert (trouble.stage, trouble.retry, trouble.said[:3]) == ("data", False, "552")
    assert "of this size" in trouble.remedy


def test_who_gives_no_password_may_not_relay(server: MailServer, settings: Email) -> None:
    stranger = dataclasses.replace(settings, username=None, password_file=None, sender="stranger@example.net")
    outcome = submission.submit(stranger, MESSAGE, ["somebody@example.com"], 30)
    refused = outcome.refused["somebody@example.com"]
    assert refused.remedy == "this server wants a login: set notifications.email.username and password_file"


def test_an_authority_that_is_not_known(settings: Email) -> None:
    trouble = problem(submission.submit(dataclasses.replace(settings, ca_file=None), MESSAGE, [ADMIN], 30))
    assert (trouble.stage, trouble.retry) == ("tls", False)
    assert "self-signed certificate in certificate chain" in trouble.said or "unable to get" in trouble.said
    assert "notifications.email.ca_file" in trouble.remedy


def test_plain_text_port_where_tls_is_expected_and_the_other_way_round(
    server: MailServer, settings: Email, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapped = dataclasses.replace(settings, smarthost=f"127.0.0.1:{server.postfix.smtps_port}")
    trouble = problem(submission.submit(wrapped, MESSAGE, [ADMIN], 3))
    assert trouble.stage == "connect"
    assert "TLS from the first byte" in trouble.remedy

    monkeypatch.setattr(smtp_client, "_IMPLICIT_TLS_PORT", server.postfix.submission_port)
    trouble = problem(submission.submit(settings, MESSAGE, [ADMIN], 30))
    assert (trouble.stage, "plain text where TLS is expected" in trouble.said) == ("tls", True)


def test_a_server_without_starttls_or_with_an_expired_certificate(settings: Email, tmp_path: Path) -> None:
    expired = certificates.write(tmp_path / "expired.pem", "expired")
    with MailServer(expired, {WATCH: PASSWORD}, {"smtpd_tls_security_level": "may"}) as other:
        there = dataclasses.replace(settings, smarthost=f"127.0.0.1:{other.postfix.smtp_port}")
        trouble = problem(submission.submit(there, MESSAGE, [WATCH], 30))
        assert (trouble.stage, trouble.retry) == ("tls", True)
        assert "certificate has expired" in trouble.said

        other.postfix.set("smtpd_tls_security_level", "none")
        wait_for(
            "STARTTLS is gone",
            lambda: "does not offer STARTTLS" in problem(submission.submit(there, MESSAGE, [WATCH], 30)).said,
        )


# --- the command ---


@dataclasses.dataclass
class Scene:
    """A configuration with every channel, and those behind the channels."""

    folder: Path
    telegram: FakeTelegram
    smtp: SmtpServer
    heartbeats: list[str]
    settings: dict[str, Any]

    def command(self, *flags: str) -> list[str]:
        config = self.folder / "config.yml"
        config.write_text(yaml.safe_dump(self.settings))
        nobody = f"http://127.0.0.1:{free_port()}"
        urls = [f"--alertmanager.url={nobody}", f"--prometheus.url={nobody}"]
        command = [sys.executable, "-m", "mailserver_exporter", "check", "--send-test"]
        return [*command, f"--config.file={config}", *urls, *flags]

    def run(self, *flags: str) -> tuple[int, str]:
        done = subprocess.run(
            self.command(*flags), env=ENVIRONMENT, capture_output=True, text=True, timeout=100, check=False
        )
        assert done.stderr == ""
        for secret in (self.telegram.token, self.smtp.password, "/ping/secret"):
            assert secret not in done.stdout
        return done.returncode, done.stdout

    def found(self) -> dict[str, dict[str, str]]:
        return {finding["subject"]: finding for finding in json.loads(self.run("--json")[1])}

    @property
    def notifications(self) -> dict[str, Any]:
        settings: dict[str, Any] = self.settings["notifications"]
        return settings


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    heartbeats: list[str] = []

    class Heartbeat(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heartbeats.append(self.path + self.headers.get("Authorization", ""))
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response({"/ping/secret": 200, "/moved/secret": 302}.get(self.path, 404))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with FakeTelegram() as telegram, SmtpServer(tmp_path) as smtp:
        web = ThreadingHTTPServer(("127.0.0.1", 0), Heartbeat)
        thread = Thread(target=web.serve_forever, args=(0.05,))
        thread.start()
        secrets = {
            "token": telegram.token,
            "password": smtp.password,
            "heartbeat": f"http://127.0.0.1:{web.server_port}/ping/secret",
        }
        for name, secret in secrets.items():
            (tmp_path / name).write_text(secret + "\n")
        settings = {
            "hostname": "mail.example.org",
            "state_directory": str(tmp_path / "state"),
            "notifications": {
                "telegram": {
                    "bot_token_file": str(tmp_path / "token"),
                    "chat_id": telegram.chat_id,
                    "api_url": telegram.url,
                },
                "email": {
                    "to": ["admin@example.net", "phone@example.net"],
                    "sender": "watch@example.org",
                    "smarthost": smtp.address,
                    "username": smtp.username,
                    "password_file": str(tmp_path / "password"),
                    "ca_file": str(smtp.ca_file),
                },
                "heartbeat": {"url_file": str(tmp_path / "heartbeat")},
            },
        }
        try:
            yield Scene(tmp_path, telegram, smtp, heartbeats, settings)
        finally:
            web.shutdown()
            web.server_close()
            thread.join(10)


def test_one_message_goes_through_each_channel_and_what_was_answered_is_told(scene: Scene) -> None:
    found = scene.found()

    states = {subject: found[subject]["state"] for subject in ("Telegram test", "e-mail test", "heartbeat test")}
    assert set(states.values()) == {"good"}, found
    [message] = scene.telegram.messages
    assert message.text.startswith("Test from mail.example.org: nothing is wrong")
    [mail] = scene.smtp.mails
    assert mail.subject == "Test from mail.example.org: nothing is wrong"
    assert mail.recipients == ("admin@example.net", "phone@example.net")
    assert mail.helo == "mail.example.org"
    assert mail.message["Date"]
    assert mail.message["Message-ID"].endswith("@example.org>")
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert scene.heartbeats == ["/ping/secret"]
    assert found["e-mail test"]["detail"].startswith(
        f"{scene.smtp.address} has taken it for admin@example.net, phone@example.net: 250"
    )
    assert found["heartbeat test"]["detail"] == "127.0.0.1 answered 200 OK"
    assert "did not take it" in found["test alert"]["detail"]
    assert not {"cpu", "load", "memory"} & found.keys(), "nothing is measured"


def test_what_is_not_configured_is_said_and_not_tried(scene: Scene) -> None:
    scene.settings["notifications"] = {}
    found = scene.found()
    for subject in ("Telegram test", "e-mail test", "heartbeat test"):
        assert (found[subject]["state"], "not configured" in found[subject]["detail"]) == ("off", True)
    assert (scene.telegram.messages, scene.smtp.mails, scene.heartbeats) == ([], [], [])


def test_each_channel_that_fails_is_told_with_what_to_do(scene: Scene) -> None:
    scene.telegram.lose_chat("migrated")
    (scene.folder / "password").write_text("not an app password")
    (scene.folder / "heartbeat").write_text((scene.folder / "heartbeat").read_text().replace("ping", "gone"))

    status, text = scene.run()

    assert status == 1
    assert "set notifications.telegram.chat_id to -1009876543210" in text
    assert "535 5.7.8 Authentication credentials invalid" in text
    assert f"the password in {scene.folder}/password; many providers want an app password" in text
    assert "127.0.0.1 answered 404 Not Found" in text
    assert "not an app password" not in text
    assert "/gone/secret" not in text
    assert text.index("Telegram test") < text.index("e-mail test") < text.index("heartbeat test")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("http://127.0.0.1:{closed}/secret", "nothing listens on 127.0.0.1"),
        ("http://127.0.0.1:{garbage}/secret", "does not speak HTTP"),
        ("http://no-such-host.invalid/secret", "there is no host no-such-host.invalid"),
        ("not a secret URL", "holds no URL"),
        ("http://127.0.0.1:{garbage}/secret and more", "holds no URL"),
        ("http://[::1/secret", "holds no URL"),
        ("", "is empty"),
    ],
)
def test_a_heartbeat_that_cannot_be_called(content: str, words: str, scene: Scene) -> None:
    scene.settings["notifications"] = {"heartbeat": scene.notifications["heartbeat"]}
    with listener(listeners.speaks(b"\x00 hello\r\n")) as garbage:
        (scene.folder / "heartbeat").write_text(content.format(closed=free_port(), garbage=garbage))
        finding = scene.found()["heartbeat test"]
    assert (finding["state"], words in finding["detail"]) == ("bad", True), finding
    assert finding["remedy"]
    assert "secret" not in finding["detail"].replace(str(scene.folder), "")


def test_a_heartbeat_that_redirects_is_to_be_named_directly(scene: Scene) -> None:
    file = scene.folder / "heartbeat"
    file.write_text(file.read_text().replace("ping", "moved"))
    finding = scene.found()["heartbeat test"]
    assert finding["detail"] == "127.0.0.1 answered 302 Found"
    assert finding["remedy"] == f"write the URL that it redirects to into {file}"


def test_a_heartbeat_may_have_a_user_as_alertmanager_takes_it(scene: Scene) -> None:
    file = scene.folder / "heartbeat"
    file.write_text(file.read_text().replace("//", "//me:p%40ss@"))
    assert scene.found()["heartbeat test"]["state"] == "good"
    assert scene.heartbeats == ["/ping/secretBasic bWU6cEBzcw=="]


def test_a_domain_with_umlauts_is_written_as_the_dns_has_it(scene: Scene) -> None:
    scene.notifications["email"] |= {"sender": "Wächter <watch@bücher.example>", "to": ["admin@bücher.example"]}
    assert scene.found()["e-mail test"]["state"] == "good"
    [mail] = scene.smtp.mails
    assert (mail.sender, mail.recipients) == ("watch@xn--bcher-kva.example", ("admin@xn--bcher-kva.example",))
    assert (mail.message["From"], mail.message["To"]) == (
        "Wächter <watch@xn--bcher-kva.example>",
        "admin@xn--bcher-kva.example",
    )


@pytest.mark.parametrize("address", ["a@b@c", "Admin <@>", "a\u202e b@example.org"])
def test_what_is_no_address_is_told(address: str, scene: Scene) -> None:
    scene.notifications["email"] |= {"to": [address]}
    finding = scene.found()["e-mail test"]
    assert (finding["state"], "is no e-mail address" in finding["detail"]) == ("bad", True), finding


def test_who_watches_is_told_what_is_being_done(scene: Scene) -> None:
    own, theirs = pty.openpty()
    done = subprocess.run(
        scene.command(), env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=theirs, timeout=60, check=False
    )
    os.close(theirs)
    told = os.read(own, 65536).decode()
    os.close(own)
    assert told.splitlines() == [
        "sending to Telegram ...",
        f"connecting to {scene.smtp.address} ...",
        f"logging in as {scene.smtp.username} ...",
        "sending the e-mail ...",
        "calling the heartbeat URL ...",
        "handing a test alert to Alertmanager ...",
    ]
    assert b"As it should be" in done.stdout


def test_sending_and_measuring_only_exclude_each_other(scene: Scene) -> None:
    done = subprocess.run(
        [*scene.command(), "--measure-only"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "not allowed with argument --send-test" in done.stderr) == (2, True)
