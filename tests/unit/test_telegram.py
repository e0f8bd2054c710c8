"""A message goes out by Telegram, and what is told when it does not."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver_exporter import telegram
from mailserver_exporter.settings.notifications import Telegram
from tests.support import certificates, listeners
from tests.support.impostor import http
from tests.support.listeners import Behaviour, listener
from tests.support.processes import free_port
from tests.support.telegram import UNREACHABLE, FakeTelegram


@pytest.fixture
def api() -> Iterator[FakeTelegram]:
    with FakeTelegram() as api:
        yield api


@pytest.fixture
def settings(api: FakeTelegram, tmp_path: Path) -> Telegram:
    (tmp_path / "token").write_text(api.token + "\n")
    return Telegram(bot_token_file=tmp_path / "token", chat_id=api.chat_id, api_url=api.url)


def failed(settings: Telegram, seconds: float = 20) -> telegram.Answer:
    answer = telegram.send(settings, "hello", seconds)
    assert not answer.sent
    key = settings.bot_token_file.read_text().strip().partition(":")[2] if settings.bot_token_file.is_file() else ""
    assert not key or key not in repr(answer)
    assert answer.said
    assert answer.remedy
    return answer


def test_a_message_is_taken(api: FakeTelegram, settings: Telegram) -> None:
    answer = telegram.send(settings, "<b>Grüße</b> &amp; 🎉", silent=True)
    assert answer == telegram.Answer(True, f"Telegram has taken it for chat {api.chat_id}")
    [message] = api.messages
    assert (message.text, message.silent) == ("Grüße & 🎉", True)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("unknown", "must have written to the bot first"),
        ("invalid", "must have written to the bot first"),
        ("migrated", "set notifications.telegram.chat_id to -1009876543210"),
        ("muted", "allow the bot to write there"),
        ("gone", "the group is gone"),
        ("blocked", "press Restart"),
        ("kicked", "add the bot to the group"),
        ("no member", "add the bot to the group"),
        ("never started", "press Start"),
        ("a bot", "is a bot; it must be you or a group"),
        ("deactivated", "this account of Telegram is gone"),
    ],
)
def test_a_chat_out_of_reach_is_explained(how: str, words: str, api: FakeTelegram, settings: Telegram) -> None:
    api.lose_chat(how)
    answer = failed(settings)
    code, description, _ = UNREACHABLE[how]
    assert answer.said == f"{code} {description}"
    assert words in answer.remedy
    assert answer.retry is False
    assert answer.migrated_to == (-1009876543210 if how == "migrated" else 0)


def test_every_way_of_losing_a_chat_is_tested() -> None:
    [mark] = [mark for mark in test_a_chat_out_of_reach_is_explained.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]
    assert {how for how, _ in mark.args[1]} == UNREACHABLE.keys()


def test_a_wrong_chat_is_told_with_its_number(api: FakeTelegram, settings: Telegram) -> None:
    answer = failed(dataclasses.replace(settings, chat_id=42))
    assert answer.said == "400 Bad Request: chat not found"
    assert "notifications.telegram.chat_id (42)" in answer.remedy


@pytest.mark.parametrize(
    ("token", "said"),
    [("123456789:" + "B" * 35, "401 Unauthorized"), ("123:short", "404 Not Found")],
    ids=["revoked", "malformed"],
)
def test_a_wrong_token_leads_to_botfather(token: str, said: str, settings: Telegram) -> None:
    settings.bot_token_file.write_text(token)
    answer = failed(settings)
    assert (answer.said, answer.retry) == (said, False)
    assert f"write the token that @BotFather shows (/mybots, API Token) into {settings.bot_token_file}" in answer.remedy


@pytest.mark.parametrize("token", ["secretsecret", "1:a b", "1:a/../x", "1:ä", "1:a\r\nX: y", ""])
def test_what_is_no_token_is_not_sent_anywhere(token: str, api: FakeTelegram, settings: Telegram) -> None:
    settings.bot_token_file.write_text(token)
    answer = failed(settings)
    assert str(settings.bot_token_file) in answer.said
    assert (api.rejected, api.messages) == ([], [])


def test_a_token_file_that_is_missing_is_named(settings: Telegram) -> None:
    settings.bot_token_file.unlink()
    assert failed(settings).said == f"{settings.bot_token_file}: No such file or directory"


def test_too_many_messages_are_told_with_the_time_to_wait(api: FakeTelegram, settings: Telegram) -> None:
    api.fail(429, retry_after=35)
    answer = failed(settings)
    assert (answer.retry, answer.retry_after) == (True, 35)
    assert "in 35 s" in answer.remedy


def test_trouble_of_telegram_itself_is_waited_for(api: FakeTelegram, settings: Telegram) -> None:
    api.fail(502)
    answer = failed(settings)
    assert (answer.retry, answer.said) == (True, "502 Internal Server Error")
    api.recover()
    assert telegram.send(settings, "hello").sent


def at(settings: Telegram, port: int, scheme: str = "http") -> Telegram:
    return dataclasses.replace(settings, api_url=f"{scheme}://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Log in to this WLAN</html>",
        b"",
        b"null",
        b"[]",
        b'{"ok": "yes"}',
        b'{"ok": false, "error_code": "x", "description": 1}',
        b'{"ok": false, "error_code": 1e999, "description": 1}',
        b"[" * 50_000,
    ],
)
@pytest.mark.parametrize("status", ["200 OK", "302 Found"])
def test_who_answers_instead_of_telegram_is_told_as_such(body: bytes, status: str, settings: Telegram) -> None:
    with listener(listeners.speaks(b"", http(body, status))) as port:
        answer = failed(at(settings, port))
    assert f"is not Telegram (HTTP status {status[:3]})" in answer.said
    assert "notifications.telegram.api_url" in answer.remedy


@pytest.mark.parametrize(
    "evil",
    [
        listeners.silent,
        listeners.byte_a_second,
        listeners.hang_up,
        listeners.reset,
        listeners.endless_lines,
        listeners.endless_banner,
        listeners.garbage,
        listeners.endless_page(b"HTTP/1.1 200 OK\r\n\r\n"),
        listeners.endless_page(b"HTTP/1.1 200 OK\r\nX: "),
    ],
)
def test_a_hostile_server_is_left_in_time(evil: Behaviour, settings: Telegram) -> None:
    began = time.monotonic()
    with listener(evil) as port:
        failed(at(settings, port), 1.5)
        assert time.monotonic() - began < 10


def test_a_token_that_is_repeated_is_told_to_nobody(api: FakeTelegram, settings: Telegram) -> None:
    told = {"ok": False, "error_code": 400, "description": f"who is {api.token}, {api.token[10:]}?"}
    body = json.dumps(told).encode()
    with listener(listeners.speaks(b"", http(body))) as port:
        answer = telegram.send(at(settings, port), "hello")
    assert api.token[10:] not in repr(answer)
    assert answer.said.startswith("400 who is ")


@pytest.mark.parametrize(("fault", "words"), [("expired", "clock"), ("other name", "name"), ("self-signed", "between")])
def test_a_certificate_that_is_not_good_gets_no_token(
    fault: str, words: str, settings: Telegram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.write_authority(tmp_path / "ca.pem")))
    heard: list[bytes] = []
    with listener(listeners.tls(tmp_path, lambda connection, _: heard.append(connection.recv(99)), fault)) as port:
        answer = failed(at(settings, port, "https"))
    assert "the certificate of" in answer.said
    assert words in answer.remedy
    assert heard == []


def test_https_is_spoken_with_who_has_a_good_certificate(
    settings: Telegram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.write_authority(tmp_path / "ca.pem")))
    good = listeners.speaks(b"", http(b'{"ok": true, "result": {}}'))
    with listener(listeners.tls(tmp_path, good)) as port:
        assert telegram.send(at(settings, port, "https"), "hello").sent


def test_nobody_there(settings: Telegram) -> None:
    port = free_port()
    answer = failed(at(settings, port))
    assert (answer.retry, f"nothing listens on 127.0.0.1:{port}" in answer.said) == (True, True)
    answer = failed(dataclasses.replace(settings, api_url="https://no-such-host.invalid"))
    assert "getent hosts no-such-host.invalid" in answer.remedy


@pytest.mark.parametrize("url", ["http://[::1", "https://:80", "http://x:99999999"])
def test_an_api_url_that_cannot_be_one(url: str, settings: Telegram) -> None:
    assert "notifications.telegram.api_url" in failed(dataclasses.replace(settings, api_url=url), 3).remedy
