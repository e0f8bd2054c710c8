"""Something that answers at a Docker socket and is not Docker, for answers that a real Engine does not give."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

ID = "97bd9b4b5afd74f3760630b456dd719c63f689eb268055298281371e2f818256"

# curl --unix-socket /run/docker.sock http://d/v1.41/containers/json?all=1 , without Ports, Mounts and networks
LISTED = {
    "Id": ID,
    "Names": ["/web/alias", "/postfix"],
    "Image": "busybox:test",
    "ImageID": "sha256:db3c9a02a11383bd61c41eb98dd110c1c29c1b6e7f953ce0203499965beb448b",
    "Created": 1795306902,
    "Labels": {"com.docker.compose.project": "mail"},
    "State": "running",
    "Status": "Up 4 seconds (unhealthy)",
}
# curl --unix-socket /run/docker.sock http://d/v1.41/containers/ID/json , what is read of it
INSPECTED = {
    "Id": ID,
    "State": {
        "Status": "running",
        "Running": True,
        "OOMKilled": False,
        "Pid": 30735,
        "ExitCode": 0,
        "StartedAt": "2026-11-22T00:21:42.814309721Z",
        "FinishedAt": "0001-01-01T00:00:00Z",
        "Health": {"Status": "unhealthy", "FailingStreak": 4, "Log": []},
    },
    "Name": "/postfix",
    "RestartCount": 2,
    "HostConfig": {"NetworkMode": "default"},
    "Config": {"Image": "busybox:test", "Labels": {}},
}


def dumps(value: object) -> bytes:
    """Return JSON as the Engine sends it."""
    return json.dumps(value).encode()


class Impostor:
    """Something that listens at a socket and sends, for each request line, what a function says."""

    def __init__(self, path: Path, answer: Callable[[str], bytes]) -> None:
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self.asked: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as requests:
                line = requests.readline().decode()
                if line:
                    self.asked.append(line.split()[1])
                    try:
                        connection.sendall(self._answer(line.split()[1]))
                    except OSError:
                        continue

    def close(self) -> None:
        """Stop listening."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def http(body: bytes, status: str = "200 OK") -> bytes:
    """Return an HTTP answer."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


def engine_with(containers: Mapping[str, Mapping[str, object]]) -> Callable[[str], bytes]:
    """Return the answers of an engine that has these containers, by id; a change of the mapping shows at once."""

    def answer(path: str) -> bytes:
        if path == "/version":
            return http(dumps({"ApiVersion": "1.41"}))
        if path == "/v1.41/containers/json?all=1":
            names = {identity: container["Name"] for identity, container in containers.items()}
            return http(dumps([{**LISTED, "Id": identity, "Names": [name]} for identity, name in names.items()]))
        identity = path.split("/")[3]
        return http(dumps(containers[identity])) if identity in containers else http(b"{}", "404 Not Found")

    return answer
