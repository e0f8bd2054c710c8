"""A real fail2ban server of its own: own configuration, socket, database and log, and jails that ban nobody.

Each jail watches a log file of its own; its action does nothing. Needs Debian's package ``fail2ban`` (installed, not
started), or fetches that of another release.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.support.processes import Program, wait_for
from tests.support.tools import unpacked

_FILTER = r"""
[Definition]
failregex = ^\s*login failed from <HOST>$
datepattern = ^%%Y-%%m-%%d %%H:%%M:%%S
"""

ACTION = """
[Definition]
actionstart =
actionstop =
actioncheck =
actionban =
actionunban =
"""


class Fail2ban:
    """A fail2ban server; starts with the ``with`` block and leaves nothing behind.

    ``folder`` holds everything and is removed at the end only when it was made here; the socket is
    ``folder/run/fail2ban.sock`` unless ``socket`` says otherwise. ``release`` is the Debian release whose fail2ban
    runs, the installed one unless given. ``jails`` can be changed while it is stopped.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        jails: Sequence[str] = ("sshd",),
        socket: Path | None = None,
        database: Path | None = None,
        release: str | None = None,
        ban_time: str = "10m",
        find_time: str = "10m",
        max_retry: int = 3,
    ) -> None:
        self._made = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="fail2ban-"))
        self.config = self.folder / "etc"
        self.socket = socket or self.folder / "run" / "fail2ban.sock"
        self.database = database or self.folder / "lib" / "fail2ban.sqlite3"
        self.log = self.folder / "fail2ban.log"
        self.jails = list(jails)
        self._defaults = f"bantime = {ban_time}\nfindtime = {find_time}\nmaxretry = {max_retry}\n"
        self._server: Program | None = None
        self._programs = ["fail2ban-server"], ["fail2ban-client"]
        self._environment: dict[str, str] = {}
        if release is not None:
            root = unpacked("fail2ban", release)
            self._environment["PYTHONPATH"] = str(root / "usr/lib/python3/dist-packages")
            python = "/usr/bin/python3"
            self._programs = [python, f"{root}/usr/bin/fail2ban-server"], [python, f"{root}/usr/bin/fail2ban-client"]

    def _write_configuration(self) -> None:
        for folder in (self.config / "filter.d", self.config / "action.d", self.socket.parent, self.database.parent):
            folder.mkdir(parents=True, exist_ok=True)
        (self.config / "filter.d/test.conf").write_text(_FILTER)
        (self.config / "action.d/nothing.conf").write_text(ACTION)
        (self.config / "fail2ban.conf").write_text(
            "[Definition]\n"
            f"loglevel = INFO\nlogtarget = {self.log}\nsyslogsocket = auto\n"
            f"socket = {self.socket}\npidfile = {self.socket.parent / 'fail2ban.pid'}\n"
            f"dbfile = {self.database}\ndbpurgeage = 7d\ndbmaxmatches = 10\n"
        )
        jails = "".join(
            f"[{jail}]\nenabled = true\nfilter = test\nlogpath = {self.logfile(jail)}\n" for jail in self.jails
        )
        (self.config / "jail.conf").write_text(
            f"[DEFAULT]\n{self._defaults}backend = polling\nusedns = no\naction = nothing\nignoreself = false\n{jails}"
        )
        for jail in self.jails:
            self.logfile(jail).touch()

    def logfile(self, jail: str) -> Path:
        """Return the log file that a jail watches."""
        return self.folder / f"{jail}.log"

    # Running

    def start(self) -> Fail2ban:
        """Start the server and wait until it answers and every jail is there."""
        self._write_configuration()
        self._server = Program(
            [*self._programs[0], *self._where(), "-f", "start"],
            self.folder / "server.out",
            ready=self._ready,
            environment=self._environment,
        ).start()
        return self

    def _ready(self) -> bool:
        # Knocking first spares the client's own wait of some seconds for a server that is not there yet.
        with socket.socket(socket.AF_UNIX) as knock:
            try:
                knock.connect(str(self.socket))
            except OSError:
                return False
        done = self._run("status")
        line = next((line for line in done.stdout.decode().splitlines() if "Jail list" in line), "")
        names = {name.strip() for name in line.partition("\t")[2].split(",")} if line else set()
        return set(self.jails) <= names

    def stop(self) -> None:
        """End the server; its database stays."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def close(self) -> None:
        """End it and remove its files."""
        self.stop()
        if self._made:
            shutil.rmtree(self.folder, ignore_errors=True)

    def restart(self) -> None:
        """End it and start it again."""
        self.stop()
        self.start()

    @property
    def server(self) -> Program:
        """The running server."""
        assert self._server is not None
        return self._server

    def __enter__(self) -> Fail2ban:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    # Doing things

    def ban(self, *addresses: str, jail: str = "sshd") -> None:
        """Ban addresses and wait until the jail says so."""
        self.client("set", jail, "banip", *addresses)
        wait_for(f"{jail} has banned {len(addresses)}", lambda: set(addresses) <= set(self.banned(jail)), 30)

    def unban(self, *addresses: str, jail: str = "sshd") -> None:
        """Lift bans."""
        self.client("set", jail, "unbanip", *addresses)

    def fail(self, address: str, times: int = 1, jail: str = "sshd") -> None:
        """Write failed logins into the jail's log, which its filter finds within a second or two."""
        with self.logfile(jail).open("a") as file:
            file.write(time.strftime(f"%Y-%m-%d %H:%M:%S login failed from {address}\n") * times)

    def add_jail(self, jail: str) -> None:
        """Add a jail to the running server."""
        self.jails.append(jail)
        self._write_configuration()
        self.client("reload")
        wait_for(f"jail {jail} is there", self._ready)

    def remove_jail(self, jail: str) -> None:
        """Take a jail out of the running server."""
        self.jails.remove(jail)
        self._write_configuration()
        self.client("stop", jail)

    def banned(self, jail: str = "sshd") -> list[str]:
        """Return the addresses that are banned now."""
        return self.client("get", jail, "banip").split()

    def client(self, *command: str) -> str:
        """Run fail2ban-client on this server and return what it prints; raises AssertionError when it fails."""
        done = self._run(*command)
        if done.returncode:
            said = (done.stdout + done.stderr).decode(errors="replace")
            raise AssertionError(f"fail2ban-client {' '.join(command)} ended with {done.returncode}: {said}")
        return done.stdout.decode(errors="replace")

    def _run(self, *command: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self._programs[1], *self._where(), *command],
            capture_output=True,
            timeout=60,
            check=False,
            env={**os.environ, **self._environment},
        )

    def output(self) -> str:
        """Return the server's log."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _where(self) -> list[str]:
        return ["-c", str(self.config), "-s", str(self.socket), "-p", str(self.socket.parent / "fail2ban.pid")]
