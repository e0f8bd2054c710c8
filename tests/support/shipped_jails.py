"""A real fail2ban with Debian's configuration and our jail files, in a time that a test makes pass.

The jails watch log files in place of the journal unless told otherwise, and ban nobody. fail2ban asks one module for
the time, which its own tests set, too; here it is as much ahead as a file says. What it does
each hour it does each second.
"""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tests.support.fail2ban import ACTION, Fail2ban
from tests.support.tools import ROOT, unpacked

SHIPPED = ROOT / "compose" / "fail2ban"

# Python runs it before the program.
_CLOCK = """
import datetime, time
from fail2ban.server.observer import ObserverThread
from fail2ban.server.mytime import MyTime

def now():
    with open({file!r}) as file:
        return time.time() + float(file.read())

def hurried(self, init=ObserverThread.__init__):
    init(self)
    self._ObserverThread__db_purge_interval = 1

ObserverThread.__init__ = hurried
MyTime.time = staticmethod(now)
MyTime.now = staticmethod(lambda: datetime.datetime.fromtimestamp(now()))
MyTime.gmtime = staticmethod(lambda: time.gmtime(now()))
MyTime.localtime = staticmethod(lambda x=None: time.localtime(now() if x is None else x))
"""

# As the programs write them, after date, host, program and PID.
FAILURES: Mapping[str, tuple[str, str]] = {
    "sshd": ("sshd", "Failed password for root from {} port 55122 ssh2"),
    "postfix-sasl": ("postfix/smtpd", "warning: unknown[{}]: SASL LOGIN authentication failed: UGFzc3dvcmQ6"),
    "dovecot": (
        "dovecot",
        "imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<info@example.org>, "
        "method=PLAIN, rip={}, lip=192.0.2.1, TLS, session=<x>",
    ),
}
# By Debian's packages; that of Postfix is an instance of a template.
UNITS = {"sshd": "ssh.service", "postfix-sasl": "postfix@-.service", "dovecot": "dovecot.service"}


class ShippedJails(Fail2ban):
    """fail2ban of a Debian release with the files of compose/fail2ban; with ``journal`` they read one."""

    def __init__(self, release: str | None, *, journal: bool = False) -> None:
        super().__init__(jails=tuple(FAILURES), release=release)
        self._debian = (unpacked("fail2ban", release) if release else Path("/")) / "etc" / "fail2ban"
        self.journal = self.folder / "test.journal"
        self._reads_journal = journal
        self._clock = self.folder / "clock"
        self._offset = 0.0
        self._pids = itertools.count(4711)
        (self.folder / "python").mkdir()
        (self.folder / "python" / "sitecustomize.py").write_text(_CLOCK.format(file=str(self._clock)))
        python = [str(self.folder / "python"), self._environment.get("PYTHONPATH", "")]
        self._environment["PYTHONPATH"] = ":".join(filter(None, python))
        self.let_pass(0)

    def _write_configuration(self) -> None:
        for folder in (self.socket.parent, self.database.parent):
            folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(self._debian, self.config, dirs_exist_ok=True)
        for folder in ("jail.d", "fail2ban.d"):
            for file in (SHIPPED / folder).iterdir():
                shutil.copy(file, self.config / folder)
        (self.config / "action.d/nothing.conf").write_text(ACTION)
        (self.config / "fail2ban.d/zz-test.local").write_text(
            f"[Definition]\nlogtarget = {self.log}\nsyslogsocket = auto\ndbfile = {self.database}\n"
        )
        jails = ["[DEFAULT]\naction = nothing\nusedns = no\nignoreself = false\n"]
        for jail in self.jails:
            self.logfile(jail).touch()
            where = f"backend = polling\nlogpath = {self.logfile(jail)}\n"
            if self._reads_journal:
                where = f"backend = systemd[journalfiles={self.journal}]\n"
            jails.append(f"[{jail}]\n{where}")
        (self.config / "jail.d/zz-test.local").write_text("".join(jails))

    def now(self) -> float:
        """Return the time as the server has it."""
        return time.time() + self._offset

    def let_pass(self, seconds: float) -> None:
        """Let time pass for the server."""
        self._offset += seconds
        new = self._clock.with_suffix(".new")
        new.write_text(str(self._offset))
        new.replace(self._clock)

    def fail(self, address: str, times: int = 1, jail: str = "sshd") -> None:
        """Write failed logins into a jail's log file, as its program does: each is a process of its own."""
        program, text = FAILURES[jail]
        stamp = time.strftime("%b %d %H:%M:%S", time.localtime(self.now()))
        with self.logfile(jail).open("a") as file:
            for _ in range(times):
                file.write(f"{stamp} mail {program}[{next(self._pids)}]: {text.format(address)}\n")

    def write_journal(self, address: str, times: int) -> None:
        """Write the same failures into a journal of our own, each from the unit that it is from on Debian."""
        entries = []
        for number, jail in enumerate(self.jails):
            program, text = FAILURES[jail]
            for failure in range(times):
                pid = str(next(self._pids))
                fields = {
                    "__REALTIME_TIMESTAMP": f"{(self.now() - 60 + failure) * 1e6 + number:.0f}",
                    "__MONOTONIC_TIMESTAMP": "1000000",
                    "_BOOT_ID": "4b8f0ae3d2d64b5d8d9e6b5c5c1f2a3b",
                    "_HOSTNAME": "mail",
                    "_SYSTEMD_UNIT": UNITS[jail],
                    "_COMM": program.partition("/")[2] or program,
                    "_PID": pid,
                    "SYSLOG_IDENTIFIER": program,
                    "SYSLOG_PID": pid,
                    "MESSAGE": text.format(address),
                }
                entries.append("".join(f"{name}={value}\n" for name, value in fields.items()))
        subprocess.run(
            ["/usr/lib/systemd/systemd-journal-remote", f"--output={self.journal}", "-"],
            input="\n".join([*entries, ""]).encode(),
            capture_output=True,
            check=True,
            timeout=60,
        )

    def complaints(self) -> list[str]:
        """Return what the server's log complains of; that it made its database is none."""
        found = re.findall(r".*(?:WARNING|ERROR|CRITICAL).*", self.output())
        return [line for line in found if "New database created" not in line]
