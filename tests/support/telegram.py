"""A stand-in for Telegram's Bot API: the one fake among real servers, so it is as strict as the original or stricter.

The rules are those of core.telegram.org/bots/api (HTML style, sendMessage, errors) and of the parser that Telegram
publishes with its own server (tdlib, td/telegram/MessageEntity.cpp).
"""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

MAX_CHARACTERS = 4096
TOKEN = "123456789:AAfake-token_for-tests-0123456789abc"
CHAT_ID = -1001234567890

_TAGS = frozenset(
    [
        "b",
        "strong",
        "i",
        "em",
        "u",
        "ins",
        "s",
        "strike",
        "del",
        "span",
        "tg-spoiler",
        "tg-emoji",
        "a",
        "code",
        "pre",
        "blockquote",
    ]
)
_MARKUP = re.compile(r"<(?P<close>/?)(?P<tag>[^<>\s/]*)(?P<rest>[^<>]*)>|&(?P<entity>[^;&<\s]{0,12};?)|(?P<stray>[<>])")
_ATTRIBUTE = re.compile(r'\s+([a-zA-Z-]+)(?:="([^"<>]*)")?')
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}


# How a chat can be out of the bot's reach, in the words of the server that Telegram publishes (Client.cpp) and of
# github.com/TelegramBotAPI/errors.
UNREACHABLE: dict[str, tuple[int, str, dict[str, int]]] = {
    "unknown": (400, "Bad Request: chat not found", {}),
    "invalid": (400, "Bad Request: PEER_ID_INVALID", {}),
    "migrated": (
        400,
        "Bad Request: group chat was upgraded to a supergroup chat",
        {"migrate_to_chat_id": -1009876543210},
    ),
    "muted": (400, "Bad Request: not enough rights to send text messages to the chat", {}),
    "gone": (403, "Forbidden: the group chat was deleted", {}),
    "blocked": (403, "Forbidden: bot was blocked by the user", {}),
    "kicked": (403, "Forbidden: bot was kicked from the supergroup chat", {}),
    "no member": (403, "Forbidden: bot is not a member of the channel chat", {}),
    "never started": (403, "Forbidden: bot can't initiate conversation with a user", {}),
    "a bot": (403, "Forbidden: bot can't send messages to bots", {}),
    "deactivated": (403, "Forbidden: user is deactivated", {}),
}


class ApiError(Exception):
    """What the API answers instead of a result."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        self.code = code
        self.description = description
        self.parameters = parameters
        super().__init__(f"{code} {description}")


@dataclass(frozen=True)
class Message:
    """A message that was accepted: when (time.monotonic), as it was sent, and as it is read on the phone."""

    time: float
    html: str
    text: str
    links: tuple[str, ...] = ()
    silent: bool = False


@dataclass(frozen=True)
class Rejected:
    """A request that was refused: when (time.monotonic), with which status, and why."""

    time: float
    code: int
    description: str
    html: str


@dataclass
class FakeTelegram:
    """The API at ``url``; ends with the ``with`` block.

    ``messages`` holds what was accepted, ``rejected`` what was not, both in order.
    """

    token: str = TOKEN
    chat_id: int = CHAT_ID
    messages: list[Message] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Listen on a free port."""
        self._lock = threading.Lock()
        self._trouble: tuple[int, int | None] | None = None
        self._unreachable = ""
        handler = type("BoundHandler", (_Handler,), {"api": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="telegram", daemon=True)

    @property
    def url(self) -> str:
        """What ``notifications.telegram.api_url`` is to be set to."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def fail(self, code: int, retry_after: int | None = None) -> None:
        """Answer every request with ``code`` (429 with ``retry_after`` seconds, 500, ...) until ``recover``."""
        self._trouble = code, retry_after

    def lose_chat(self, how: str) -> None:
        """Refuse messages to the chat as one of UNREACHABLE until ``recover``."""
        assert how in UNREACHABLE
        self._unreachable = how

    def recover(self) -> None:
        """Work again."""
        self._trouble, self._unreachable = None, ""

    def call(self, path: str, parameters: dict[str, Any]) -> Any:
        """Answer one request; raises ApiError."""
        html = str(parameters.get("text", ""))
        with self._lock:
            try:
                return self._call(path, parameters)
            except ApiError as error:
                self.rejected.append(Rejected(time.monotonic(), error.code, error.description, html))
                raise

    def _call(self, path: str, parameters: dict[str, Any]) -> Any:
        if self._trouble is not None:
            code, retry_after = self._trouble
            if code == 429:
                raise ApiError(429, f"Too Many Requests: retry after {retry_after or 1}", retry_after=retry_after or 1)
            raise ApiError(code, "Internal Server Error")
        found = re.fullmatch(r"/bot([^/]+)/(\w+)", path)
        if found is None or not re.fullmatch(r"\d+:[\w-]{30,}", found[1]):
            raise ApiError(404, "Not Found")
        if found[1] != self.token:
            raise ApiError(401, "Unauthorized")
        methods = {"getme": self._get_me, "getchat": self._get_chat, "sendmessage": self._send_message}
        if found[2].lower() not in methods:
            raise ApiError(404, "Not Found: method not found")
        return methods[found[2].lower()](parameters)

    def _get_me(self, parameters: dict[str, Any]) -> dict[str, Any]:
        return {"id": int(self.token.split(":")[0]), "is_bot": True, "first_name": "watch", "username": "watch_bot"}

    def _get_chat(self, parameters: dict[str, Any]) -> dict[str, Any]:
        if parameters.get("chat_id") in (None, ""):
            raise ApiError(400, "Bad Request: chat_id is empty")
        if str(parameters["chat_id"]) != str(self.chat_id):
            raise ApiError(400, "Bad Request: chat not found")
        return {"id": self.chat_id, "type": "supergroup", "title": "admins"}

    def _send_message(self, parameters: dict[str, Any]) -> dict[str, Any]:
        chat = self._get_chat(parameters)
        if self._unreachable:
            code, description, details = UNREACHABLE[self._unreachable]
            raise ApiError(code, description, **details)
        mode = str(parameters.get("parse_mode", ""))
        source = str(parameters.get("text", ""))
        if mode.lower() not in ("", "html"):
            raise ApiError(400, "Bad Request: this stand-in reads HTML and plain text only")
        text, links = parse_html(source) if mode else (source, ())
        text = text.strip()
        if not text:
            raise ApiError(400, "Bad Request: message text is empty")
        if length(text) > MAX_CHARACTERS:
            raise ApiError(400, "Bad Request: message is too long")
        silent = str(parameters.get("disable_notification", "")).lower() == "true"
        self.messages.append(Message(time.monotonic(), source, text, links, silent))
        return {"message_id": len(self.messages), "date": int(time.time()), "chat": chat, "text": text}

    def __enter__(self) -> FakeTelegram:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def length(text: str) -> int:
    """Count as Telegram's clients do, in UTF-16 code units: most emoji are two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def parse_html(source: str) -> tuple[str, tuple[str, ...]]:
    """Return the text that is read and the addresses that it links to; raises ApiError for what Telegram refuses.

    Stricter than Telegram in one point: a ``&`` that begins no entity is refused, too, as its documentation demands.
    """
    text: list[str] = []
    links: list[str] = []
    open_tags: list[str] = []
    position = 0

    def refuse(what: str) -> ApiError:
        offset = len(source[: found.start()].encode()) if found else len(source.encode())
        return ApiError(400, f"Bad Request: can't parse entities: {what} at byte offset {offset}")

    for found in _MARKUP.finditer(source):
        text.append(source[position : found.start()])
        position = found.end()
        tag = (found["tag"] or "").lower()
        if found["stray"]:
            raise refuse(f'Unescaped "{found["stray"]}"')
        if found["entity"] is not None:
            text.append(_entity(found["entity"], refuse))
        elif found["close"]:
            if not open_tags:
                raise refuse("Unexpected end tag")
            if open_tags.pop() != tag:
                raise refuse(f'Unmatched end tag, found "</{tag}>"')
        else:
            if tag not in _TAGS:
                raise refuse(f'Unsupported start tag "{tag}"')
            attributes = dict(_ATTRIBUTE.findall(found["rest"]))
            if _ATTRIBUTE.sub("", found["rest"]).strip():
                raise refuse(f'Bad attributes of the start tag "{tag}"')
            if tag == "span" and attributes.get("class") != "tg-spoiler":
                raise refuse('Tag "span" must have class "tg-spoiler"')
            if "href" in attributes:
                links.append(re.sub(r"&(#?\w+;)", lambda match: _entity(match[1], refuse), attributes["href"]))
            open_tags.append(tag)
    found = None
    if open_tags:
        raise refuse(f'Can\'t find end tag corresponding to start tag "{open_tags[-1]}"')
    return "".join([*text, source[position:]]), tuple(links)


def _entity(name: str, refuse: Any) -> str:
    if name.endswith(";") and name[:-1] in _NAMED:
        return _NAMED[name[:-1]]
    number = re.fullmatch(r"#(?:x([0-9a-fA-F]{1,6})|(\d{1,7}));", name)
    if number is None:
        raise refuse(f'Unknown entity "&{name}"')
    code = int(number[1], 16) if number[1] else int(number[2])
    if not 0 < code < 0x110000:
        raise refuse(f'Bad entity "&{name}"')
    return chr(code)


class _Handler(BaseHTTPRequestHandler):
    api: FakeTelegram

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get_content_type() == "application/json":
            self._answer(json.loads(body))
        else:
            self._answer(dict(parse_qsl(body.decode())))

    def _answer(self, parameters: dict[str, Any]) -> None:
        url = urlsplit(self.path)
        try:
            code, answer = (
                200,
                {"ok": True, "result": self.api.call(url.path, {**dict(parse_qsl(url.query)), **parameters})},
            )
        except ApiError as error:
            code, answer = error.code, {"ok": False, "error_code": error.code, "description": error.description}
            if error.parameters:
                answer["parameters"] = error.parameters
        body = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""
