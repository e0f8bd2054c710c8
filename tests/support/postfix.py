"""A real Postfix of its own: own configuration, queue, ports and log, so that several run side by side.

Everything it accepts goes to a destination that refuses connections, so mail stays in the queue as it does when the
world outside is unreachable. Needs root, as Postfix itself does, and Debian's package ``postfix`` (installed, not
started).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support import postfix_releases, reaper
from tests.support.processes import Program, free_port, wait_for

DAEMONS = Path("/usr/lib/postfix/sbin")

# The part of Debian's master.cf that receiving, queueing and delivering need.
_SERVICES = """\
pickup     unix  n - n 60    1 pickup
cleanup    unix  n - n -     0 cleanup
qmgr       unix  n - n 300   1 qmgr
tlsmgr     unix  - - n 1000? 1 tlsmgr
rewrite    unix  - - n -     - trivial-rewrite
bounce     unix  - - n -     0 bounce
defer      unix  - - n -     0 bounce
trace      unix  - - n -     0 bounce
verify     unix  - - n -     1 verify
flush      unix  n - n 1000? 0 flush
proxymap   unix  - - n -     - proxymap
smtp       unix  - - n -     - smtp
relay      unix  - - n -     - smtp
showq      unix  n - n -     - showq
error      unix  - - n -     - error
retry      unix  - - n -     - error
discard    unix  - - n -     - discard
local      unix  - n n -     - local
anvil      unix  - - n -     1 anvil
scache     unix  - - n -     1 scache
postlog    unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """A Postfix instance; starts with the ``with`` block and leaves nothing behind.

    Listens on 127.0.0.1 at ``smtp_port``, and with ``certificate`` (a PEM file with the key in it) also at
    ``smtps_port`` and ``submission_port``. ``queue`` is its queue directory; what is above it must be enterable for
    everybody (a test's tmp_path is not), so the default is a folder of its own. ``settings`` are added to main.cf,
    ``services`` to master.cf. With ``release`` the daemons are those of another Debian release.
    """

    def __init__(
        self,
        queue: Path | None = None,
        *,
        certificate: Path | None = None,
        settings: Mapping[str, str] | None = None,
        smtp_port: int | None = None,
        release: str = "",
        services: str = "",
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="postfix-"))
        self.folder.chmod(0o755)
        self.config = self.folder / "etc"
        self.queue = queue or self.folder / "spool"
        self.log = self.folder / "mail.log"
        self.certificate = certificate
        self.smtp_port = smtp_port or free_port()
        self.smtps_port = free_port()
        self.submission_port = free_port()
        self.dead_port = free_port()
        self._settings = dict(settings or {})
        self._services = services
        self._root = postfix_releases.root(release) if release else None
        self._master: Program | None = None
        self._write_configuration()

    def _write_configuration(self) -> None:
        self.config.mkdir()
        self.queue.mkdir(parents=True, exist_ok=True)
        # Without postlogd, postsuper writes to the log itself, as the user postfix.
        self.log.touch()
        self.log.chmod(0o666)
        data = self.folder / "data"
        data.mkdir()
        shutil.chown(data, "postfix", "postfix")
        settings = {
            "compatibility_level": "2" if self._root else "3.6",
            "queue_directory": str(self.queue),
            "data_directory": str(data),
            "command_directory": "/usr/sbin",
            "daemon_directory": str(DAEMONS),
            "meta_directory": "/etc/postfix",
            "shlib_directory": "/usr/lib/postfix",
            "mail_owner": "postfix",
            "setgid_group": "postdrop",
            "maillog_file": str(self.log),
            "maillog_file_prefixes": str(self.folder),
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "myhostname": "mail.example.org",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8",
            "local_transport": "error:no local mail here",
            "alias_maps": "",
            "alias_database": "",
            "default_transport": f"smtp:[127.0.0.1]:{self.dead_port}",
            "smtpd_recipient_restrictions": "permit_mynetworks, reject",
            "smtpd_client_connection_rate_limit": "0",
            "smtpd_client_connection_count_limit": "0",
            "smtpd_peername_lookup": "no",
            "smtp_dns_support_level": "disabled",
            "smtp_host_lookup": "native",
            "disable_dns_lookups": "yes",
            "in_flow_delay": "0",
            # A message that failed stays deferred for as long as a test lasts, unless it flushes the queue.
            "minimal_backoff_time": "1000s",
            "queue_run_delay": "300s",
        }
        listeners = [(self.smtp_port, "")]
        if self.certificate is not None:
            settings["smtpd_tls_chain_files"] = str(self.certificate)
            settings["smtpd_tls_security_level"] = "may"
            settings["smtpd_tls_protocols"] = settings["smtpd_tls_mandatory_protocols"] = (
                "!SSLv2, !SSLv3, !TLSv1, !TLSv1.1"
            )
            listeners.append((self.smtps_port, " -o smtpd_tls_wrappermode=yes"))
            listeners.append((self.submission_port, " -o smtpd_tls_security_level=encrypt"))
        settings.update(self._settings)
        (self.config / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        inet = "".join(f"127.0.0.1:{port} inet n - n - - smtpd{options}\n" for port, options in listeners)
        (self.config / "master.cf").write_text(inet + _SERVICES + self._services)

    # Running

    @property
    def pid(self) -> int:
        """The process id of the master, as it wrote it down itself."""
        return int((self.queue / "pid/master.pid").read_text())

    def start(self) -> Postfix:
        """Create the queue's directories with their owners, start the master and wait until port and showq answer."""
        # Its post-install knows which directories belong to whom.
        self._run("/usr/sbin/postfix", "-c", str(self.config), "check")
        master: Sequence[str | Path] = [DAEMONS / "master", "-c", self.config, "-d"]
        if self._root:
            master = postfix_releases.inside(self._root, *master)
        self._master = Program(reaper.command(*master), self.folder / "master.out", ready=self._ready).start()
        return self

    def _ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.smtp_port), 2) as connection:
                connection.settimeout(5)
                if not connection.recv(100).startswith(b"220"):
                    return False
        except OSError:
            return False
        return (self.queue / "public/showq").exists()

    def running(self) -> bool:
        """Say whether the master runs."""
        return self._master is not None and self._master.running()

    def stop(self) -> None:
        """End the master and its children; the queue stays."""
        if self._master is not None:
            self.thaw()
            self._master.stop()
            self._master = None

    def close(self) -> None:
        """End it and remove its files."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def set(self, name: str, value: str) -> None:
        """Change a parameter of main.cf; where it runs, it is started anew."""
        with (self.config / "main.cf").open("a") as file:
            file.write(f"{name} = {value}\n")
        if self.running():
            # Not a reload: two in quick succession can leave the ports without an answer for a minute.
            self.stop()
            self.start()

    def freeze(self) -> None:
        """Stop all its processes where they are: the kernel still accepts connections, and nobody greets."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let frozen processes go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self.running():
            os.killpg(self.pid, number)  # the master leads a process group of its own

    def __enter__(self) -> Postfix:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    # Mail

    def submit(self, messages: int = 1, *, size: int = 500, recipient: str = "user@elsewhere.example") -> None:
        """Hand over messages by SMTP and return when all are accepted; they become deferred a moment later."""
        self._run(
            "/usr/sbin/smtp-source",
            *("-s", str(min(messages, 5)), "-m", str(messages), "-l", str(size), "-f", "sender@example.org"),
            *("-t", recipient, f"127.0.0.1:{self.smtp_port}"),
        )

    def drop(self, messages: int = 1) -> None:
        """Hand over messages with sendmail(1), which works while Postfix is stopped: they wait in maildrop."""
        for _ in range(messages):
            self._run(
                *("/usr/sbin/sendmail", "-C", str(self.config), "-i", "-f", "sender@example.org"),
                "user@elsewhere.example",
                data=b"Subject: test\n\nbody\n",
            )

    def submit_deferred(self, messages: int, *, size: int = 500) -> None:
        """Submit messages and wait until the queue manager has given up on each for now."""
        target = self.count("deferred") + messages
        self.submit(messages, size=size)
        wait_for(f"{target} messages are deferred", lambda: self.count("deferred") >= target, 30)

    def hold(self, what: str = "ALL") -> None:
        """Move messages (``ALL`` or a queue id) to the hold queue."""
        self.postsuper("-h", what)

    def release(self, what: str = "ALL") -> None:
        """Move messages from the hold queue back to the deferred one."""
        self.postsuper("-H", what)

    def requeue(self, what: str = "ALL") -> None:
        """Put messages back to the start of their way, through maildrop."""
        self.postsuper("-r", what)

    def delete(self, what: str = "ALL") -> None:
        """Delete messages; ``ALL`` empties the queue."""
        self.postsuper("-d", what)

    def flush(self) -> None:
        """Try to deliver all deferred messages now."""
        self._run("/usr/sbin/postqueue", "-c", str(self.config), "-f")

    def postsuper(self, *arguments: str) -> None:
        """Run postsuper(1) on this queue."""
        self._run("/usr/sbin/postsuper", "-c", str(self.config), *arguments)

    def backdate(self, seconds: float, queue: str = "deferred") -> int:
        """Make the messages of a queue older, by rewriting the record of their arrival; return how many."""
        files = self.files(queue)
        for path in files:
            data = bytearray(path.read_bytes())
            start, end = _arrival_record(data)
            arrived, _, micro = bytes(data[start:end]).strip().partition(b" ")
            older = b"%d %s" % (int(arrived) - int(seconds), micro.strip())
            data[start:end] = older.rjust(end - start)
            with path.open("r+b") as file:
                file.write(data)
        return len(files)

    # Second opinions on what is queued

    def files(self, queue: str) -> list[Path]:
        """Return the message files of a queue, as find(1) would."""
        found = []
        for folder, _, names in os.walk(self.queue / queue):
            found += [Path(folder) / name for name in names]
        return found

    def count(self, queue: str) -> int:
        """Return how many message files a queue has."""
        return len(self.files(queue))

    def listing(self) -> list[dict[str, Any]]:
        """Return what ``postqueue -j`` says, one dictionary a message."""
        output = self._run("/usr/sbin/postqueue", "-c", str(self.config), "-j")
        return [json.loads(line) for line in output.splitlines()]

    def output(self) -> str:
        """Return Postfix' log."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _run(self, *command: str, data: bytes = b"") -> bytes:
        done = subprocess.run(command, input=data, capture_output=True, timeout=60, check=False)
        if done.returncode:
            said = (done.stdout + done.stderr).decode(errors="replace")
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}: {said}\n{self.output()[-2000:]}")
        return done.stdout


def _arrival_record(data: bytes | bytearray) -> tuple[int, int]:
    """Return where the content of a queue file's first 'T' record begins and ends (facts: Postfix rec_type.h)."""
    position = 0
    while position < len(data):
        kind = data[position]
        position += 1
        length = shift = 0
        while True:
            byte = data[position]
            position += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        if kind == ord("T"):
            return position, position + length
        position += length
    raise AssertionError("a queue file without an arrival record")


def main(arguments: Sequence[str] = ()) -> None:
    """Run an instance by hand: ``python -m tests.support.postfix``."""
    with Postfix() as postfix:
        print(f"SMTP on 127.0.0.1:{postfix.smtp_port}, queue in {postfix.queue}; Ctrl-C ends it", flush=True)
        while True:
            time.sleep(60)


if __name__ == "__main__":
    main()
