"""A syslog daemon for a single program, which runs where /dev/log, the accounts and PAM are its own.

It is in a mount namespace and, where another Debian release is wanted, below that one's root. So nothing of the
machine's is touched. Needs root.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import debian_root
from tests.support.processes import Program, wait_for

if TYPE_CHECKING:
    from typing import Self  # since Python 3.11

_PACKAGES = ["openssh-server", "dovecot-imapd", "dovecot-pop3d", "dovecot-lmtpd", "dovecot-submissiond"]
_DEVICES = "null zero full random urandom tty"
_IN_NAMESPACE = f"""\
set -e
folder=$1 root=$2
shift 2
dev=$folder/dev
mount -t tmpfs -o mode=755 none "$dev"
for name in {_DEVICES}; do
  touch "$dev/$name"
  mount --bind "/dev/$name" "$dev/$name"
done
mkdir "$dev/pts" "$dev/shm"
mount --bind /dev/pts "$dev/pts"
ln -s pts/ptmx "$dev/ptmx"
ln -s /proc/self/fd "$dev/fd"
touch "$dev/log"
mount --bind "$folder/log" "$dev/log"
for name in passwd shadow group pam.d; do
  if [ -d "$folder/$name" ]; then mkdir -p "$root/etc/$name"; else touch "$root/etc/$name"; fi
  mount --bind "$folder/$name" "$root/etc/$name"
done
mkdir -p "$root/run" "$root/dev" "$root/proc" "$root/tmp"
mount -t tmpfs -o mode=755 none "$root/run"
mkdir "$root/run/sshd"
mount --rbind "$dev" "$root/dev"
if [ -n "$root" ]; then
  mount --rbind /tmp "$root/tmp"
  mount --rbind /proc "$root/proc"
  exec chroot "$root" "$@"
fi
exec "$@"
"""
_PAM = """\
auth required pam_unix.so nodelay
account required pam_unix.so
password required pam_deny.so
session required pam_permit.so
"""
_USERS = {
    "root": "0:0:root:/root",
    "nobody": "65534:65534:nobody:/nonexistent",
    "sshd": "9001:65534:sshd:/run/sshd",
    "dovecot": "9002:9002:dovecot:/nonexistent",
    "dovenull": "9003:9003:dovenull:/nonexistent",
}
_GROUPS = {"root": 0, "nogroup": 65534, "dovecot": 9002, "dovenull": 9003, "mail": 8, "tty": 5, "shadow": 42}


class Syslogd:
    """The daemon; ``file`` is the log, as rsyslog would write it.

    ``release`` is the Debian release of the programs, and ``users`` are the passwords of accounts by their names.
    """

    def __init__(self, release: str, users: dict[str, str] | None = None) -> None:
        self.root = debian_root.unpacked("servers", release, _PACKAGES)
        # Not a test's tmp_path: the programs' own users need to enter it.
        self.folder = Path(tempfile.mkdtemp(prefix="syslogd-"))
        self.folder.chmod(0o755)
        self.file = self.folder / "messages"
        self.file.touch()
        (self.folder / "dev").mkdir()
        self._write_accounts(users or {})
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.folder / "log"))
        (self.folder / "log").chmod(0o666)
        self._thread = threading.Thread(target=self._receive)
        self._thread.start()

    def _write_accounts(self, users: dict[str, str]) -> None:
        passwd = [f"{name}:x:{rest}:/usr/sbin/nologin" for name, rest in _USERS.items()]
        shadow = [f"{name}:*:19000:0:99999:7:::" for name in _USERS]
        for number, (name, password) in enumerate(users.items()):
            passwd.append(f"{name}:x:{9100 + number}:65534:{name}:/:/bin/sh")
            shadow.append(f"{name}:{_hash(password)}:19000:0:99999:7:::")
        (self.folder / "passwd").write_text("".join(f"{line}\n" for line in passwd))
        (self.folder / "shadow").write_text("".join(f"{line}\n" for line in shadow))
        (self.folder / "group").write_text("".join(f"{name}:x:{gid}:\n" for name, gid in _GROUPS.items()))
        (self.folder / "pam.d").mkdir()
        for service in ("sshd", "dovecot", "other"):
            (self.folder / "pam.d" / service).write_text(_PAM)

    def command(self, *command: str | Path) -> Sequence[str | Path]:
        """Return the command that runs ``command`` there."""
        return ["unshare", "--mount", "sh", "-c", _IN_NAMESPACE, "sh", self.folder, self.root or "", *command]

    def lines(self) -> list[bytes]:
        """Return the lines so far."""
        return self.file.read_bytes().splitlines()

    def _receive(self) -> None:
        with self.file.open("ab", buffering=0) as file:
            while (data := self._socket.recv(65536)) != b"end":
                # Of "<38>Nov 22 03:15:55 sshd[1]: text", the header is rsyslog's to write.
                message = re.sub(rb"^<\d+>(?:\w{3} [ \d]\d [\d:]{8} )?", b"", data).rstrip(b"\0\n")
                date = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()).encode()
                file.write(b"%s mail %s\n" % (date, message.replace(b"\n", b"#012")))

    def __enter__(self) -> Syslogd:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"end", str(self.folder / "log"))
        self._thread.join(10)
        self._socket.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class LoggedServer:
    """A server of one of those releases that logs there: ``program`` runs it, with the ``with`` block."""

    def __init__(self, syslogd: Syslogd, program: Program) -> None:
        self.syslogd = syslogd
        self.program = program

    def said(self, message: bytes, times: int = 1) -> None:
        """Wait until the log has a message so often; raises AssertionError."""
        wait_for(f"it says {message!r}", lambda: self.syslogd.file.read_bytes().count(message) >= times, 30)

    def lines(self) -> Sequence[bytes]:
        """Return the lines of the log so far."""
        return self.syslogd.lines()

    def __enter__(self) -> Self:
        try:
            self.program.start()
        except AssertionError as error:
            said = f"{self.program.output()}\n{self.syslogd.file.read_text(errors='replace')}"
            self.syslogd.__exit__()
            raise AssertionError(f"{error}\n{said}") from error
        return self

    def __exit__(self, *_: object) -> None:
        self.program.stop()
        self.syslogd.__exit__()


def _hash(password: str) -> str:
    command = ["openssl", "passwd", "-6", "-stdin"]
    done = subprocess.run(command, input=password, check=True, capture_output=True, text=True, env=dict(os.environ))
    return done.stdout.strip()
