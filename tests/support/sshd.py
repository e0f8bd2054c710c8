"""A real sshd with its own keys on a port of its own, and one key that may do only what its line says."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

from tests.support.processes import Program, free_port

_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
LogLevel VERBOSE
"""


class Sshd(Program):
    """Takes root's logins with ``key``, for which ``line`` is written before it in authorized_keys."""

    def __init__(self, folder: Path, line: str) -> None:
        folder.mkdir()
        self.folder = folder
        self.port = free_port()
        self.key = folder / "key"
        self.known_hosts = folder / "known_hosts"
        for name in ("host", "key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(folder / name)]
            subprocess.run(command, check=True)
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {(folder / 'host.pub').read_text()}")
        self.allow(line)
        (folder / "config").write_text(_CONFIG.format(port=self.port, folder=folder))
        # Where sshd locks up its unprivileged half; a package's service makes it, and here none runs.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        command = ["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "config")]
        super().__init__(command, folder / "log", ready=self._listens)

    def allow(self, line: str) -> None:
        """Let the key do what ``line`` says; nothing at all when it is empty."""
        (self.folder / "authorized_keys").write_text(f"{line} {(self.folder / 'key.pub').read_text()}" if line else "")

    def sessions(self) -> list[int]:
        """Return the processes that serve a connection each."""
        tasks = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(pid) for pid in tasks]

    def ssh(self) -> list[str]:
        """Return the command that logs in."""
        options = {
            "UserKnownHostsFile": str(self.known_hosts),
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
        }
        given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return ["ssh", "-p", str(self.port), "-i", str(self.key), *given]

    def _listens(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False


def cut(pid: int) -> None:
    """Kill a process and all that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        grandchildren = children.read_text().split()
        os.kill(pid, 9)
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in grandchildren:
        cut(int(child))
