"""An Engine that has nothing but containers with logs, which a test fills, rotates and takes away as it likes.

``Server`` is what it answers through: HTTP over a Unix socket, with connections that stay open.
"""

from __future__ import annotations

import json
import select
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.support.impostor import http

Talk = Callable[[socket.socket, str], object]


class Server:
    """Keeps connections open, and lets a function answer each request by its path; False ends the connection."""

    def __init__(self, path: Path, talk: Talk) -> None:
        self._talk = talk
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self.connections = 0
        self.asked: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as requests:
            for line in requests:
                if line.startswith((b"GET ", b"POST ")):
                    path = line.split()[1].decode()
                    self.asked.append(path)
                if line == b"\r\n":
                    try:
                        if self._talk(connection, path) is False:
                            return
                    except OSError:
                        return

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def kept(body: bytes) -> bytes:
    """Return an answer after which the connection stays open."""
    return http(body).replace(b"Connection: close\r\n", b"")


def chunked(*chunks: bytes) -> bytes:
    """Return an answer in chunks, without the empty one that ends it."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


def frame(time: bytes, text: bytes, stream: int = 1) -> bytes:
    """Return an entry as GET /containers/ID/logs?timestamps=1 sends it."""
    content = time + b" " + text
    return bytes([stream, 0, 0, 0]) + len(content).to_bytes(4, "big") + content


@dataclass
class Logged:
    """A container and what its driver has kept."""

    id: str
    created: int
    state: str = "running"
    entries: list[bytes] = field(default_factory=list)
    name: str = "postfix"
    gone: int = 0

    def forget(self, count: int) -> None:
        """Throw the oldest entries away, as a driver does that rotates its files."""
        del self.entries[:count]
        self.gone += count


class LogEngine:
    """The engine: ``containers`` may be changed at any time, newest first."""

    def __init__(self, path: Path) -> None:
        self.containers: list[Logged] = []
        self.server = Server(path, self._talk)

    def _talk(self, connection: socket.socket, path: str) -> object:
        parts = urlsplit(path)
        if parts.path == "/version":
            return connection.sendall(kept(b'{"ApiVersion": "1.41", "MinAPIVersion": "1.12"}'))
        if parts.path.endswith("/containers/json"):
            listed = [
                {"Id": each.id, "Names": [f"/{each.name}"], "State": each.state, "Created": each.created}
                for each in self.containers
            ]
            return connection.sendall(kept(json.dumps(listed).encode()))
        _, _, _, identity, what = parts.path.split("/")
        found = next((each for each in self.containers if each.id == identity), None)
        if found is None:
            return connection.sendall(kept(b'{"message": "No such container"}').replace(b"200 OK", b"404 Not Found"))
        if what == "json":
            return connection.sendall(kept(json.dumps({"Id": identity}).encode()))
        query = parse_qs(parts.query)
        if "follow" in query:
            return self._follow(connection, found)
        entries = list(found.entries)
        if "tail" in query:
            entries = entries[-int(query["tail"][0]) :]
        return connection.sendall(chunked(*entries, b""))

    def _follow(self, connection: socket.socket, found: Logged) -> bool:
        """Send what is added from now on, until the container stops or nobody listens."""
        sent = found.gone + len(found.entries)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
        while True:
            new = found.entries[sent - found.gone :]
            sent += len(new)
            connection.sendall(b"".join(new))
            if found.state != "running":
                return False
            if select.select([connection], [], [], 0.002)[0]:
                return False

    def close(self) -> None:
        self.server.close()
