"""A real sshd that logs to syslog, of this Debian release or another, and clients that log in to it or fail to."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess

from tests.support.processes import Program, free_port
from tests.support.syslogd import LoggedServer, Syslogd

PASSWORD = "correct horse"

_CONFIGURATION = """\
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
PermitRootLogin yes
UseDNS no
MaxAuthTries 3
PasswordAuthentication yes
"""


class Sshd(LoggedServer):
    """The server and its log; ``alice`` and ``denied`` have accounts, and alice's key is ``key``."""

    def __init__(self, release: str, *settings: str) -> None:
        syslogd = Syslogd(release, {"alice": PASSWORD, "denied": PASSWORD})
        self.folder = syslogd.folder
        self.port = free_port()
        for name in ("host_key", "key", "other_key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        shutil.copy(self.folder / "key.pub", self.folder / "authorized_keys")
        # Another release's sshd reads it below its own root, where /tmp is the same.
        text = _CONFIGURATION.format(port=self.port, folder=self.folder)
        (self.folder / "sshd_config").write_text(text + "".join(f"{setting}\n" for setting in settings))
        program = Program(
            syslogd.command("/usr/sbin/sshd", "-D", "-f", self.folder / "sshd_config"),
            self.folder / "sshd.out",
            ready=lambda: b"Server listening on" in syslogd.file.read_bytes(),
        )
        super().__init__(syslogd, program)

    def login(
        self, user: str, *, password: str = "", key: str = "", methods: str = "", tries: int = 1, source: str = ""
    ) -> bool:
        """Try to log in as ``user``, from the address ``source`` if given; return whether it worked."""
        options = {
            "User": f'"{user}"',
            "NumberOfPasswordPrompts": str(tries),
            "PreferredAuthentications": methods or ("publickey" if key else "password"),
            "IdentitiesOnly": "yes",
            "IdentityFile": str(self.folder / (key or "none")),
            "IdentityAgent": "none",
            "UserKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "no",
            "LogLevel": "ERROR",
            **({"BindAddress": source} if source else {}),
        }
        askpass = self.folder / "askpass"
        askpass.write_text(f"#!/bin/sh\necho '{password}'\n")
        askpass.chmod(0o755)
        configuration = self.folder / "ssh_config"
        configuration.write_text("".join(f"{name} {value}\n" for name, value in options.items()))
        done = subprocess.run(
            ["ssh", "-F", configuration, "-p", str(self.port), "127.0.0.1", "true"],
            env={**os.environ, "SSH_ASKPASS": str(askpass), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return done.returncode == 0

    def send(self, data: bytes = b"") -> None:
        """Connect, send bytes that are no SSH, and go away."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            connection.settimeout(10)
            if data:
                connection.recv(100)
                connection.sendall(data)
                connection.recv(1000)
