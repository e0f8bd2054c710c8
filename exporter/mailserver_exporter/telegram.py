"""Send a message by Telegram's Bot API (core.telegram.org/bots/api, sendMessage), and say what it answers.

The texts of its errors are in no document; they are those of the server that Telegram publishes
(tdlib/telegram-bot-api, Client.cpp) and what bots have met (github.com/TelegramBotAPI/errors).
"""

from __future__ import annotations

import http.client
import json
import re
from dataclasses import dataclass
from typing import Any

from mailserver_exporter import network_advice
from mailserver_exporter.settings.notifications import Telegram
from mailserver_exporter.sources import SourceError, https, secret
from mailserver_exporter.sources.deadline import TooMuchError

_TOKEN = re.compile(r"\d{1,20}:[\w-]{1,200}", re.ASCII)
_MAX_BYTES = 64 * 1024
_MAX_SAID = 200

_BOTFATHER = "write the token that @BotFather shows (/mybots, API Token) into {file}"
_WRITE_FIRST = (
    "a person must have written to the bot first, a group must have it as a member; is notifications.telegram.chat_id "
    "({chat}) right? https://api.telegram.org/botTOKEN/getUpdates shows it after a message (groups are negative, "
    "supergroups and channels begin with -100)"
)
_MIGRATED = "the group has become a supergroup: set notifications.telegram.chat_id to {new}"
_RULES = (
    (r"^400 .*(upgraded|migrated) to a supergroup", _MIGRATED),
    (r"^400 .*(chat not found|chat_id|PEER_ID_INVALID|user not found)", _WRITE_FIRST),
    (
        r"^400 .*(rights|CHAT_WRITE_FORBIDDEN|restricted)",
        "allow the bot to write there: the group's settings, Permissions",
    ),
    (
        r"(400|403) .*group.*(deactivated|deleted)",
        "the group is gone: write to another one, see notifications.telegram.chat_id",
    ),
    (r"^403 .*blocked by the user", "open the chat with the bot and press Restart (Unblock)"),
    (r"^403 .*(kicked|not a member|left)", "add the bot to the group or channel again"),
    (r"^403 .*initiate conversation", "open the bot in Telegram and press Start"),
    (r"^403 .*to bots", "notifications.telegram.chat_id ({chat}) is a bot; it must be you or a group"),
    (r"^403 .*user is deactivated", "this account of Telegram is gone: set another notifications.telegram.chat_id"),
    (r"^401", "the token is wrong or was revoked: " + _BOTFATHER),
    (r"^404", "no bot has such a token, or notifications.telegram.api_url ({api}) is wrong: " + _BOTFATHER),
    (r"^409", "another program uses the bot's token in another way; make a bot for this alone"),
    (r"^429", "too many messages: Telegram takes the next one in {seconds} s"),
    (r"^5", "Telegram is in trouble itself: wait, and try again"),
)


@dataclass(frozen=True)
class Answer:
    """What has become of a message. ``said`` is the API's word or what happened, without the token; see ``remedy``.

    ``retry`` says that it may succeed later without anybody changing anything, ``retry_after`` in how many seconds at
    the earliest; ``migrated_to`` is the group's new id where it has one.
    """

    sent: bool
    said: str
    remedy: str = ""
    retry: bool = False
    retry_after: int = 0
    migrated_to: int = 0


def send(settings: Telegram, text: str, seconds: float = 20, *, silent: bool = False) -> Answer:
    """Send a text in Telegram's HTML. Never raises for what the API or the network does."""
    try:
        token = secret.read(settings.bot_token_file, "token")
    except SourceError as error:
        return Answer(False, str(error), error.remedy)
    if not _TOKEN.fullmatch(token):
        # Anything else could even change where the request goes.
        said = f"{settings.bot_token_file} holds no bot token, which looks like 123456:ABC-def"
        return Answer(False, said, _BOTFATHER.format(file=settings.bot_token_file))
    message = {"chat_id": settings.chat_id, "text": text, "parse_mode": "HTML", "disable_notification": silent}
    url = f"{settings.api_url.rstrip('/')}/bot{token}/sendMessage"
    try:
        answer = https.post(url, json.dumps(message).encode(), "application/json", seconds, _MAX_BYTES)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _unreachable(settings, error)
    return _understood(settings, answer, token)


def _understood(settings: Telegram, answer: https.Answer, token: str) -> Answer:
    try:
        told = json.loads(answer.body)
        said = "" if told["ok"] is True else f"{int(told['error_code'])} {told['description']}"
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError):
        said = f"what answers at {settings.api_url} is not Telegram (HTTP status {answer.status})"
        remedy = "is notifications.telegram.api_url right? a proxy or a login page of the network may answer instead"
        return Answer(False, said, remedy, retry=True)
    if not said:
        return Answer(True, f"Telegram has taken it for chat {settings.chat_id}")
    parameters = told.get("parameters")
    new, wait = _number(parameters, "migrate_to_chat_id"), _number(parameters, "retry_after")
    remedy = next((remedy for pattern, remedy in _RULES if re.search(pattern, said, re.IGNORECASE)), "")
    filled = remedy.format(
        file=settings.bot_token_file,
        chat=settings.chat_id,
        api=settings.api_url,
        new=new or "its new id (getUpdates shows it)",
        seconds=wait or "some",
    )
    shown = " ".join(secret.hide(said, token.split(":")).split())[:_MAX_SAID]
    return Answer(False, shown, filled, said.startswith(("429", "5")), wait, new)


def _number(parameters: Any, name: str) -> int:
    value = parameters.get(name) if isinstance(parameters, dict) else None
    return value if isinstance(value, int) else 0


def _unreachable(settings: Telegram, error: Exception) -> Answer:
    """Say why there was no answer; in the text of an error may be the token."""
    where = settings.api_url
    try:
        host, port = https.server(where)
    except ValueError:
        return Answer(False, f"{where} is no address", "see notifications.telegram.api_url")
    advice = network_advice.explain(error, host, port) if isinstance(error, OSError) else None
    if advice is not None:
        return Answer(False, advice.said, advice.remedy, advice.retry)
    said = "sends without end" if isinstance(error, TooMuchError) else f"does not speak HTTP ({type(error).__name__})"
    return Answer(False, f"what answers at {where} {said}", "is notifications.telegram.api_url right?", retry=True)
