"""A real Dovecot of its own: IMAP and POP3, each with STARTTLS and with TLS from the start, and ManageSieve.

Own configuration, folders, ports and log, so that several run side by side and beside a system's. Needs root, as
Dovecot itself does, and Debian's packages ``dovecot-imapd``, ``dovecot-pop3d`` and ``dovecot-managesieved`` (installed,
not started).
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.support.processes import Program, free_port

_CONFIGURATION = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
instance_name = {folder.name}
protocols = imap pop3 sieve
listen = {listen}
ssl = {ssl}
{certificate}
auth_mechanisms = plain
mail_location = maildir:{folder}/mail/%u
passdb {{
  {passdb}
}}
service auth {{
  unix_listener {folder}/auth-client {{
    mode = 0666
  }}
}}
namespace inbox {{
  inbox = yes
  mailbox Junk {{
    auto = create
    special_use = \\Junk
  }}
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={folder}/mail/%u
}}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
    ssl = yes
  }}
}}
service managesieve-login {{
  chroot =
  inet_listener sieve {{
    port = {sieve_port}
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3_port}
  }}
  inet_listener pop3s {{
    port = {pop3s_port}
    ssl = yes
  }}
}}
"""


class Dovecot:
    """A Dovecot instance; starts with the ``with`` block and leaves nothing behind.

    Listens at ``imap_port``, ``pop3_port`` and ``sieve_port``, and with ``certificate`` (a PEM file with the key in it)
    also at ``imaps_port`` and ``pop3s_port``, on 127.0.0.1 and with ``ipv6`` on ::1. Every user may log in with any
    password, or with ``users`` those alone, each with its own. Mail is in ``mail`` / USER / as a Maildir. Postfix can
    ask ``auth_socket`` for passwords.
    """

    def __init__(
        self, certificate: Path | None = None, *, users: Mapping[str, str] | None = None, ipv6: bool = False
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
        self.folder.chmod(0o755)
        self.log = self.folder / "dovecot.log"
        self.mail = self.folder / "mail"
        self._users = self.folder / "users"
        self.auth_socket = self.folder / "auth-client"
        self.imap_port = free_port()
        self.pop3_port = free_port()
        self.sieve_port = free_port()
        self.imaps_port = free_port()
        self.pop3s_port = free_port()
        self._configuration = self.folder / "dovecot.conf"
        self._configuration.write_text(
            _CONFIGURATION.format(
                folder=self.folder,
                listen="127.0.0.1, ::1" if ipv6 else "127.0.0.1",
                passdb=self._passwords(users),
                ssl="yes" if certificate else "no",
                certificate=f"ssl_cert = <{certificate}\nssl_key = <{certificate}" if certificate else "",
                imap_port=self.imap_port,
                pop3_port=self.pop3_port,
                sieve_port=self.sieve_port,
                imaps_port=self.imaps_port if certificate else 0,
                pop3s_port=self.pop3s_port if certificate else 0,
            )
        )
        self._program = Program(
            ["/usr/sbin/dovecot", "-F", "-c", self._configuration], self.folder / "dovecot.out", ready=self._ready
        )

    def _passwords(self, users: Mapping[str, str] | None) -> str:
        if users is None:
            return "driver = static\n  args = nopassword=y"
        self.let_in(users)
        return f"driver = passwd-file\n  args = username_format=%u {self._users}"

    def let_in(self, users: Mapping[str, str]) -> None:
        """From now on let these users in, each with its password, and nobody else; only with ``users`` at the start."""
        new = self._users.with_suffix(".new")
        new.write_text("".join(f"{user}:{{PLAIN}}{password}\n" for user, password in users.items()))
        new.replace(self._users)

    def _ready(self) -> bool:
        for port in (self.imap_port, self.pop3_port, self.sieve_port):
            try:
                with socket.create_connection(("127.0.0.1", port), 2) as connection:
                    connection.settimeout(5)
                    if connection.recv(100)[:1] not in (b"*", b"+", b'"'):
                        return False
            except OSError:
                return False
        return True

    def start(self) -> Dovecot:
        """Start it and wait until all protocols greet; also after ``stop``."""
        self._program.start()
        return self

    def stop(self) -> None:
        """End it with all its processes; its files stay."""
        self.thaw()
        self._program.stop()

    def restart(self) -> None:
        """Start it anew, so that it shows the certificate that is in the file now."""
        self.stop()
        self.start()

    def listen(self, addresses: str) -> None:
        """Change where it listens from its next start on."""
        lines = self._configuration.read_text().splitlines(keepends=True)
        changed = [f"listen = {addresses}\n" if line.startswith("listen = ") else line for line in lines]
        self._configuration.write_text("".join(changed))

    def freeze(self) -> None:
        """Stop all its processes where they are: the kernel still accepts connections, and nobody greets."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let frozen processes go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._program.running():
            os.killpg(self._program.pid, number)  # the master leads a process group of its own

    def output(self) -> str:
        """Return Dovecot's log."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def __enter__(self) -> Dovecot:
        try:
            return self.start()
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.output()[-2000:]}") from error

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
