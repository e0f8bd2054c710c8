"""Ask a Docker Engine (docs.docker.com/reference/api/engine) over its Unix socket, within bounds of time and size.

The standard library's http.client reads the answers. It knows a timeout for each read only, so it is given a socket
that ends all of them at one moment, whatever trickles in until then.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import time
from typing import Any

from mailserver_exporter.sources import SourceError

MAX_BYTES = 8_000_000

# The newest version that this was written for (Docker 29). An engine that is not as far is asked in its own, and one
# that has left it behind in the oldest that it still speaks.
_NEWEST = (1, 52)
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})")
_PIECE = 65536
_OK, _NO_CONTENT, _NOT_FOUND = 200, 204, 404

# What http.client raises for an answer that is none; a ValueError comes of a chunk with a negative size.
_FAILURES = (OSError, http.client.HTTPException, ValueError)

_DOWN = "systemctl status docker"
_HUNG = "journalctl -u docker -n 50; if it stays so: systemctl restart docker"
_FORBIDDEN = "run the exporter as root, or let its user in: usermod -aG docker USER"
_NOT_DOCKER = "set containers.socket to what `docker context inspect -f '{{.Endpoints.docker.Host}}'` says"


class RefusedError(SourceError):
    """The engine understood and said no, as with a log that its driver cannot give back."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message, remedy=_HUNG)
        self.status = status


class Api:
    """The engine behind a Unix socket. Not for two threads at a time.

    Paths are given without the API version, which is agreed upon at the first request and again after each failure.
    ``end`` is on the monotonic clock.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._version = ""
        self._kept = _Connection(path)
        self._inode = 0

    def get(self, path: str, end: float, *, may_be_missing: bool = False) -> bytes:
        """Return the body of an answer that is whole before ``end``; empty for 404 where that may be.

        Raises SourceError when the engine is not there, or does not answer in time, or not properly.
        """
        try:
            return self._get(f"/v{self._agreed(end)}{path}", end, may_be_missing)
        except SourceError:
            self.close()
            raise

    def post(self, path: str, end: float) -> None:
        """Have the engine do something, and return when it is done. Raises SourceError as ``get`` does."""
        version = self._agreed(end)
        # Never sent a second time, as a request on a kept connection may be.
        self._kept.close()
        try:
            self._kept.ask(f"/v{version}{path}", end, "POST")
        finally:
            self.close()

    def stream(self, path: str, end: float) -> Stream:
        """Return an answer that may be of any size, on a connection of its own; its head is there before ``end``.

        Raises SourceError as ``get`` does.
        """
        connection = _Connection(self.path)
        try:
            return Stream(connection, connection.ask(f"/v{self._agreed(end)}{path}", end))
        except SourceError:
            connection.close()
            self.close()
            raise

    def tap(self, path: str, end: float) -> Tap:
        """Return an answer without end. Raises SourceError as ``get`` does."""
        return Tap(self.path, f"/v{self._agreed(end)}{path}", end)

    def renewed(self) -> bool:
        """Say whether the socket is another than at the last call, and let go of the connection to the old one.

        Raises SourceError when there is no socket.
        """
        try:
            inode = os.stat(self.path).st_ino
        except OSError as error:
            self.close()
            raise _failure(self.path, error) from error
        if inode == self._inode:
            return False
        self.close()
        self._inode = inode
        return True

    def close(self) -> None:
        """Close the connection, and agree upon the version anew at the next request."""
        self._version = ""
        self._kept.close()

    def _agreed(self, end: float) -> str:
        if not self._version:
            self._version = agreed_version(self._get("/version", end, False))
        return self._version

    def _get(self, path: str, end: float, may_be_missing: bool) -> bytes:
        try:
            answer = self._kept.ask(path, end)
        except RefusedError as refusal:
            if may_be_missing and refusal.status == _NOT_FOUND:
                return b""
            raise
        pieces = []
        size = 0
        while piece := self._kept.read(answer, end):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_BYTES:
                raise SourceError(f"the Docker Engine at {self.path} answered more than {MAX_BYTES} bytes")
        return b"".join(pieces)


class Stream:
    """An answer that is read piece by piece, as slowly as the caller likes: the engine waits."""

    def __init__(self, connection: _Connection, answer: http.client.HTTPResponse) -> None:
        self._connection = connection
        self._answer = answer

    def read(self, end: float) -> bytes:
        """Return the next piece, nothing after the last. Raises SourceError, also where the answer breaks off."""
        return self._connection.read(self._answer, end)

    def close(self) -> None:
        """Close the connection; the engine stops sending then."""
        self._answer.close()
        self._connection.close()


class Tap:
    """An answer that goes on until the engine ends it, read without waiting.

    Asked for in HTTP/1.0, where what follows the head is the content and nothing else.
    """

    def __init__(self, path: str, request: str, end: float) -> None:
        try:
            self._wire = _Wire(path, end)
        except OSError as error:
            raise _failure(path, error) from error
        try:
            self._wire.sendall(f"GET {request} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
            head = b""
            while b"\r\n\r\n" not in head and len(head) < _PIECE:
                piece = self._wire.receive()
                if not piece:
                    break
                head += piece
            head, _, self._begun = head.partition(b"\r\n\r\n")
            if not re.match(rb"HTTP/1\.[01] 200 ", head):
                raise http.client.BadStatusLine(repr(head[:80]))
            self._wire.setblocking(False)
        except _FAILURES as error:
            self._wire.close()
            raise _failure(path, error) from error

    def read(self, limit: int) -> tuple[bytes, bool]:
        """Return what has come since, up to about ``limit`` bytes, and whether the engine has ended it."""
        pieces = [self._begun]
        size, self._begun = len(self._begun), b""
        while size < limit:
            try:
                piece = self._wire.recv(_PIECE)
            except BlockingIOError:
                return b"".join(pieces), False
            except OSError:
                piece = b""
            if not piece:
                return b"".join(pieces), True
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces), False

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()


def agreed_version(body: bytes) -> str:
    """Return the API version to use with an engine, by its answer to GET /version. Raises SourceError."""
    try:
        told = json.loads(body)
        newest, oldest = (_numbers(told.get(key) or "0.0") for key in ("ApiVersion", "MinAPIVersion"))
        if not newest > (0, 0):
            raise ValueError  # noqa: TRY301 - nothing that Docker would say
    except (ValueError, AttributeError, RecursionError) as error:
        raise SourceError(
            f"the Docker Engine does not tell its API version: {body[:80]!r}", remedy=_NOT_DOCKER
        ) from error
    major, minor = max(min(newest, _NEWEST), oldest)
    return f"{major}.{minor}"


def _numbers(text: object) -> tuple[int, int]:
    parts = _VERSION.fullmatch(text) if isinstance(text, str) else None
    if parts is None:
        raise ValueError(text)
    return int(parts[1]), int(parts[2])


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("docker")
        self._path = path
        self._end = 0.0
        # Beside http.client's ``sock``, which is gone once an answer says that it is the last.
        self._wire: _Wire | None = None

    def connect(self) -> None:
        """Open the socket, when http.client finds that it has none."""
        self.sock = self._wire = _Wire(self._path, self._end)

    def ask(self, path: str, end: float, method: str = "GET") -> http.client.HTTPResponse:
        """Return the head of the answer. Raises SourceError, RefusedError when the status is neither 200 nor 204."""
        self._allow(end)
        reused = self.sock is not None
        try:
            try:
                answer = self._ask(method, path)
            except ConnectionError:
                # What was kept open may have been closed by the engine meanwhile.
                self.close()
                if not reused:
                    raise
                answer = self._ask(method, path)
        except _FAILURES as error:
            raise _failure(self._path, error) from error
        if answer.status not in (_OK, _NO_CONTENT):
            body = self.read(answer, end)
            # A connection with the rest of an answer in it is good for nothing.
            self.close()
            what = f"answered {answer.status}: {_said(body)}"
            raise RefusedError(f"the Docker Engine at {self._path} {what}", answer.status)
        return answer

    def _ask(self, method: str, path: str) -> http.client.HTTPResponse:
        self.request(method, path)
        return self.getresponse()

    def read(self, answer: http.client.HTTPResponse, end: float) -> bytes:
        """Return the next piece of an answer, nothing at its end. Raises SourceError."""
        self._allow(end)
        try:
            piece = answer.read(_PIECE)
            if not piece and answer.length:
                raise http.client.IncompleteRead(piece, answer.length)
        except _FAILURES as error:
            raise _failure(self._path, error) from error
        return piece

    def _allow(self, end: float) -> None:
        self._end = end
        if self._wire is not None:
            self._wire.end = end


def _failure(path: str, error: Exception) -> SourceError:
    """Say what went wrong in words, and what to do about it."""
    where = f"the Docker Engine at {path}"
    if isinstance(error, TimeoutError):
        return SourceError(f"{where} did not answer in time", remedy=_HUNG)
    if isinstance(error, (http.client.HTTPException, ValueError)):
        reason = str(error) or type(error).__name__
        return SourceError(f"{where} does not answer properly: {reason[:200]}", remedy=_NOT_DOCKER)
    reason = getattr(error, "strerror", None) or str(error)
    forbidden = isinstance(error, PermissionError)
    return SourceError(f"{where} cannot be reached: {reason}", remedy=_FORBIDDEN if forbidden else _DOWN)


class _Wire(socket.socket):
    """A connected Unix socket for which everything ends at one moment."""

    def __init__(self, path: str, end: float) -> None:
        super().__init__(socket.AF_UNIX)
        self.end = end
        try:
            self._allow_the_rest()
            self.connect(path)
        except BaseException:
            self.close()
            raise

    def sendall(self, *arguments: Any) -> None:
        self._allow_the_rest()
        super().sendall(*arguments)

    def recv_into(self, *arguments: Any) -> int:
        self._allow_the_rest()
        return super().recv_into(*arguments)

    def receive(self) -> bytes:
        self._allow_the_rest()
        return self.recv(_PIECE)

    def _allow_the_rest(self) -> None:
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.settimeout(left)


def _said(body: bytes) -> str:
    """Return the message of an error's body (ErrorResponse in the Engine's API), or what stands there instead."""
    try:
        return str(json.loads(body)["message"])[:200]
    except (ValueError, TypeError, KeyError, RecursionError):
        return repr(body[:80])
