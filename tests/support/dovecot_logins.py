"""A real Dovecot that logs to syslog, 2.3 or 2.4, with users and quotas, and clients of all kinds of luck."""

from __future__ import annotations

import base64
import contextlib
import imaplib
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from tests.support.certificates import write_chain
from tests.support.processes import Program, free_port
from tests.support.syslogd import LoggedServer, Syslogd

PASSWORD = "correct"
PORTS = ("imap", "imaps", "pop3", "submission")

_COMMON = """\
base_dir = {folder}/base
state_dir = {folder}/state
listen = 127.0.0.1
ssl = yes
auth_verbose = yes
auth_failure_delay = 0
mail_max_userip_connections = 2
hostname = mail.example.org
imap_max_line_length = 200 M
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service submission-login {{
  chroot =
  inet_listener submission {{
    port = {submission}
  }}
}}
service imap {{
  vsz_limit = 128 M
}}
submission_relay_host = 127.0.0.1
submission_relay_port = 9
"""
_OF_2_3 = """\
protocols = imap pop3 lmtp submission
ssl_cert = <{folder}/certificate.pem
ssl_key = <{folder}/certificate.pem
auth_mechanisms = plain
disable_plaintext_auth = no
mail_location = maildir:{folder}/mail/%u
mail_plugins = quota
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
plugin {{
  quota = maildir:User quota
}}
"""
_OF_2_4 = """\
protocols = imap pop3 lmtp submission
ssl_server_cert_file = {folder}/certificate.pem
ssl_server_key_file = {folder}/certificate.pem
auth_mechanisms = plain
auth_allow_cleartext = yes
mail_driver = maildir
mail_path = {folder}/mail/%{{user}}
mail_plugins = quota
quota "User quota" {{
  driver = maildir
}}
passdb passwd-file {{
  passwd_file_path = {folder}/users
}}
userdb passwd-file {{
  passwd_file_path = {folder}/users
}}
"""


class Dovecot(LoggedServer):
    """The server and its log. Users are ``user``, ``locked`` and ``full``, whose mailbox takes 2 KB."""

    def __init__(self, release: str) -> None:
        syslogd = Syslogd(release)
        self.folder = syslogd.folder
        self.mail = self.folder / "mail"
        self.users = self.folder / "users"
        self.ports = {name: free_port() for name in PORTS}
        self.certificate = self.folder / "certificate.pem"
        write_chain(self.certificate)
        self.mail.mkdir()
        os.chown(self.mail, 65534, 65534)
        full = "userdb_quota_rule=*:bytes=2K userdb_quota_storage_size=2K"
        lines = [f"{user}:{{PLAIN}}{PASSWORD}:65534:65534::{self.mail}/{user}::" for user in ("user", "locked", "full")]
        self.users.write_text("\n".join(lines) + full + "\n")
        new = release not in ("bullseye", "bookworm")
        version = "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n" if new else ""
        text = (_COMMON + (_OF_2_4 if new else _OF_2_3)).format(folder=self.folder, **self.ports)
        (self.folder / "dovecot.conf").write_text(version + text)
        program = Program(
            syslogd.command("/usr/sbin/dovecot", "-F", "-c", self.folder / "dovecot.conf"),
            self.folder / "dovecot.out",
            ready=lambda: b"starting up for" in syslogd.file.read_bytes(),
        )
        super().__init__(syslogd, program)

    def imap(self, user: str = "user") -> imaplib.IMAP4:
        """Return a connection on which ``user`` is logged in."""
        connection = imaplib.IMAP4("127.0.0.1", self.ports["imap"], timeout=30)
        try:
            connection.login(user, PASSWORD)
        except imaplib.IMAP4.error:
            connection.shutdown()
            raise
        return connection

    def authenticate(self, user: str, password: str, times: int = 1) -> None:
        """Send user name and password by IMAP, which need not be good ones, and go."""
        secret = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        self.talk("imap", *([f"a AUTHENTICATE PLAIN {secret}\r\n"] * times))

    def talk(self, port: str, *lines: str) -> None:
        """Send lines, waiting for an answer to each, and go."""
        with self.connected(port) as connection:
            for line in lines:
                connection.sendall(line.encode())
                connection.recv(1000)

    @contextlib.contextmanager
    def connected(self, port: str, greeted: bool = True) -> Iterator[socket.socket]:
        """Connect and wait for the greeting."""
        with socket.create_connection(("127.0.0.1", self.ports[port]), 30) as connection:
            if greeted:
                connection.recv(1000)
            yield connection

    def deliver(self, user: str, message: str) -> None:
        """Deliver a message by LMTP."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(self.folder / "base/lmtp"))
            lines = connection.makefile("rwb")
            lines.readline()
            for command in ("LHLO x", "MAIL FROM:<a@example.org>", f"RCPT TO:<{user}>", "DATA", f"{message}\r\n."):
                lines.write(f"{command}\r\n".encode())
                lines.flush()
                while lines.readline()[3:4] == b"-":
                    pass

    def lock(self, folder: Path) -> None:
        """Take a folder away from the mail's user."""
        os.chown(folder, 0, 0)
        folder.chmod(0o700)

    def restart(self) -> None:
        """End it and start it anew."""
        self.program.stop()
        started = self.syslogd.file.read_bytes().count(b"starting up for")
        self.program.start()
        self.said(b"starting up for", started + 1)

    def __exit__(self, *_: object) -> None:
        self.program.stop()
        shutil.rmtree(self.mail, ignore_errors=True)
        super().__exit__()
