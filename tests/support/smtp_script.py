"""A submission server that keeps to the order of RFC 5321 and answers as it is told: for words of others' servers.

Strict: a command out of turn, a bare newline or a password without TLS is refused and noted in ``faults``.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.listeners import Behaviour, listener

_AFTER = {
    "EHLO": "",
    "HELO": "",
    "STARTTLS": "EHLO",
    "AUTH": "EHLO",
    "MAIL": "EHLO",
    "RCPT": "MAIL",
    "DATA": "RCPT",
    "RSET": "EHLO",
    "QUIT": "",
}
_GOOD = {
    "greeting": "220 mx.example.net ESMTP ready",
    "STARTTLS": "220 2.0.0 go ahead",
    "AUTH": "235 2.7.0 Accepted",
    "MAIL": "250 2.1.0 OK",
    "RCPT": "250 2.1.5 OK",
    "DATA": "354 Go ahead",
    ".": "250 2.0.0 OK 1795300000 abc123 - gsmtp",
    "QUIT": "221 2.0.0 closing connection",
}


@dataclass
class SmtpScript:
    """The server; ``answers`` replace the good ones, by command, ``greeting`` and ``.`` (the message) included.

    An answer may be a Behaviour instead of words: the server then behaves so. RCPT may also be by recipient.
    """

    pem: Path
    answers: Mapping[str, str | Behaviour] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ("SIZE 35882577", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8")
    mechanisms: str = "LOGIN PLAIN XOAUTH2 PLAIN-CLIENTTOKEN OAUTHBEARER XOAUTH"
    starttls: bool = True
    implicit: bool = False
    demand_login: bool = True
    said: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def address(self) -> str:
        """What ``notifications.email.smarthost`` is to be set to."""
        return f"127.0.0.1:{self.port}"

    @contextmanager
    def running(self, port: int = 0) -> Iterator[SmtpScript]:
        """Listen on a free port."""
        with listener(self._serve, port=port) as self.port:
            yield self

    def _serve(self, connection: socket.socket, closing: threading.Event) -> None:
        conversation = _Conversation(self, self.encrypted(connection) if self.implicit else connection, closing)
        try:
            conversation.hold()
        finally:
            conversation.connection.close()

    def encrypted(self, connection: socket.socket) -> ssl.SSLSocket:
        """Shake hands."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem)
        return context.wrap_socket(connection, server_side=True)


class _Conversation:
    def __init__(self, script: SmtpScript, connection: socket.socket, closing: threading.Event) -> None:
        self._script = script
        self.connection = connection
        self._closing = closing
        self._lines = connection.makefile("rb")
        self._tls = script.implicit
        self._done: set[str] = set()

    def hold(self) -> None:
        if not self._answer("greeting"):
            return
        while line := self._lines.readline(2049):
            if not line.endswith(b"\r\n") or len(line) > 2048:
                self._script.faults.append(f"no line: {line!r}")
            verb, blank, rest = line.decode(errors="replace").rstrip("\r\n").partition(" ")
            verb = verb.upper()
            text = verb + blank + rest
            self._script.said.append(text)
            if (wrong := self._out_of_turn(verb, text)) or not self._obey(verb, text):
                if not wrong:
                    return
                self._script.faults.append(wrong)
                self._send(wrong)

    def _out_of_turn(self, verb: str, text: str) -> str:
        if verb not in _AFTER:
            return "502 5.5.1 Unrecognized command"
        if _AFTER[verb] and _AFTER[verb] not in self._done:
            return f"503 5.5.1 {_AFTER[verb]} first"
        if verb in ("AUTH", "MAIL") and self._script.starttls and not self._tls:
            return "530 5.7.0 Must issue a STARTTLS command first"
        if verb in ("MAIL", "RCPT") and not re.fullmatch(r"\w+ (FROM|TO):<\S+@\S+>( \S+)*", text):
            return "501 5.5.4 syntax"
        if verb == "MAIL" and self._script.demand_login and "AUTH" not in self._done:
            return "530 5.7.0 Authentication Required. - gsmtp"
        if verb == "EHLO" and not re.fullmatch(r"EHLO ([\w-]+(\.[\w-]+)+|\[(IPv6:)?[\da-fA-F.:]+\])", text):
            return "501 5.5.4 HELO/EHLO argument invalid"
        return ""

    def _obey(self, verb: str, text: str) -> bool:
        """Answer a command; say whether there is more to say."""
        if verb == "EHLO":
            offers = [*self._script.capabilities]
            if self._script.starttls and not self._tls:
                offers.append("STARTTLS")
            elif self._script.mechanisms:
                offers.append(f"AUTH {self._script.mechanisms}")
            lines = ["mx.example.net at your service", *offers]
            last = len(lines) - 1
            default = "\r\n".join(f"250{' ' if i == last else '-'}{line}" for i, line in enumerate(lines))
            done = self._answer("EHLO", default)
        elif verb == "RCPT":
            recipient = text.partition("<")[2].partition(">")[0]
            done = self._answer(recipient if recipient in self._script.answers else "RCPT")
        elif verb == "AUTH" and text.upper().startswith("AUTH LOGIN"):
            self._send("334 UGFzc3dvcmQ6")
            self._script.said.append(self._lines.readline().decode().strip())
            done = self._answer(verb)
        else:
            done = self._answer(verb)
        if done == "2" or done == "3":
            self._done.add(verb)
            if verb == "STARTTLS":
                self.connection = self._script.encrypted(self.connection)
                self._lines = self.connection.makefile("rb")
                self._tls, self._done = True, set()
            if verb == "DATA":
                return self._message()
        return bool(done) and verb != "QUIT"

    def _message(self) -> bool:
        body = b""
        while not body.endswith(b"\r\n.\r\n"):
            line = self._lines.readline()
            if not line:
                return False
            body += line
        if re.search(rb"(?<!\r)\n|\r(?!\n)", body):
            self._script.faults.append("a bare newline in the message")
        self._script.said.append(".")
        self._done -= {"MAIL", "RCPT", "DATA"}
        done = self._answer(".")
        if done == "2":
            self._script.messages.append(re.sub(rb"(?m)^\.", b"", body.removesuffix(b".\r\n")))
        return bool(done)

    def _answer(self, what: str, default: str = "") -> str:
        """Say it; return the class of the code, nothing after a Behaviour."""
        answer = self._script.answers.get(what, default or _GOOD.get(what, "250 OK"))
        if isinstance(answer, str):
            self._send(answer)
            return answer[0]
        answer(self.connection, self._closing)
        return ""

    def _send(self, text: str) -> None:
        self.connection.sendall(text.encode() + b"\r\n")
