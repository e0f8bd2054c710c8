"""A real systemd-journald beside the machine's own, if it has one: in a mount namespace where its folders are ours."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from tests.support.processes import Program, wait_for

# With `Storage=persistent` and the mark of a flush it writes to /var/log/journal at once.
_SETTINGS = """\
[Journal]
Storage={storage}
RateLimitIntervalSec=0
SystemMaxUse=200M
SystemMaxFileSize={file_size}
RuntimeMaxUse=200M
RuntimeMaxFileSize={file_size}
ReadKMsg=no
Audit=no
ForwardToSyslog=no
ForwardToWall=no
"""
_IN_NAMESPACE = """\
set -e
mount --bind "$1/run" /run/systemd
mkdir -p /run/log
mount --bind "$1/root/run/log" /run/log
mount -t tmpfs none /var/log
mkdir /var/log/journal
mount --bind "$1/root/var/log/journal" /var/log/journal
exec /usr/lib/systemd/systemd-journald
"""
# Priorities are facility * 8 + severity, syslog(3).
MAIL_INFO = 2 * 8 + 6
AUTH_INFO = 4 * 8 + 6


class Journald:
    """The daemon; ``root`` is the host's root as the exporter sees it."""

    def __init__(self, *, storage: str = "persistent", file_size: str = "8M") -> None:
        # Not a test's tmp_path: other users write to the socket, too.
        self.folder = Path(tempfile.mkdtemp(prefix="journald-"))
        self.folder.chmod(0o755)
        self.root = self.folder / "root"
        run = self.folder / "run"
        for folder in (run / "journal", run / "journald.conf.d", self.root / "etc"):
            folder.mkdir(parents=True)
        for folder in (self.root / "run/log", self.root / "var/log/journal"):
            folder.mkdir(parents=True)
        (run / "journal/flushed").touch()
        settings = _SETTINGS.format(storage=storage, file_size=file_size)
        (run / "journald.conf.d/test.conf").write_text(settings)
        for name in ("machine-id", "passwd"):
            shutil.copyfile(f"/etc/{name}", self.root / "etc" / name)
        self._copy("/usr/bin/journalctl")
        self._socket_path = run / "journal/dev-log"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._program = Program(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", _IN_NAMESPACE, "journald", self.folder],
            self.folder / "journald.log",
            ready=self._reachable,
        )

    def __enter__(self) -> Journald:
        self._program.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._program.stop()
        self._socket.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def inside(self) -> list[str]:
        """The beginning of a command that makes another one run where the journal is this one."""
        return ["nsenter", f"--target={self._program.pid}", "--mount", "--"]

    def files(self) -> list[Path]:
        """Return the journal's files, wherever they are."""
        return sorted(self.root.glob("*/log/journal/*/*.journal*"))

    def log(self, messages: Iterable[bytes], priority: int = MAIL_INFO) -> None:
        """Send ``ident[pid]: message`` as syslog(3) does; waits where journald does not keep up."""
        for message in messages:
            self._socket.send(b"<%d>Nov 22 03:13:51 %s" % (priority, message))

    def log_as(
        self, user: int, message: str, priority: int = AUTH_INFO, program: str | Path = "/usr/bin/python3"
    ) -> None:
        """Send one message as a local user, from a copy of Python that may have another name."""
        script = "import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(sys.argv[1])\n"
        # journald looks at who it was while it still is there.
        script += "s.send(sys.argv[2].encode()); import time; time.sleep(0.3)"
        subprocess.run(
            [program, "-c", script, self._socket_path, f"<{priority}>Nov 22 03:13:51 {message}"],
            check=True,
            user=user,
            env={"PYTHONHOME": "/usr"},
        )

    def rotate(self) -> None:
        """Archive the file that is written to, as `journalctl --rotate` does."""
        before = len(self.files())
        self._program.send(signal.SIGUSR2)
        wait_for("the journal is rotated", lambda: len(self.files()) > before)

    def holds(self, text: str) -> bool:
        """Say whether an entry with this message is there."""
        found = subprocess.run(
            ["journalctl", "--quiet", *(f"--file={path}" for path in self.files()), "--output=cat", f"MESSAGE={text}"],
            capture_output=True,
            text=True,
            check=False,
        )
        return text in found.stdout

    def _copy(self, program: str) -> None:
        """Copy a program and what it needs to the host's root."""
        needed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
        for path in [program, *re.findall(r"/\S+", needed)]:
            target = self.root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)

    def _reachable(self) -> bool:
        try:
            self._socket.connect(str(self._socket_path))
        except OSError:
            return False
        return bool(self.files())
