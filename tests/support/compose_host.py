"""What an exporter in a container is to find on the host, all of it real; beside it runs the stack of compose.yml."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support import dns
from tests.support.backups import DAY, backup, dated, packed, tar
from tests.support.certificates import write_authority, write_chain
from tests.support.docker_engine import IMAGE, DockerEngine
from tests.support.fail2ban import Fail2ban
from tests.support.mailhost import DEBIAN, UNITS
from tests.support.mailserver import MailServer
from tests.support.systemd import Systemd

PROBE, PASSWORD = "probe@localhost.example", "geheim"
BANNED = "192.0.2.7"


class ComposeHost:
    """The host. What belongs into the folder of config.yml is written to ``config``."""

    def __init__(self, engine: DockerEngine, config: Path) -> None:
        self._engine = engine
        self._config = config
        # Not a test's tmp_path: Postfix and Dovecot need to be able to enter it with their own users.
        self.folder = Path(tempfile.mkdtemp(prefix="compose-host-"))
        self.folder.chmod(0o755)
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> ComposeHost:
        with contextlib.ExitStack() as stack:
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self._start(stack)
            self._cleanup = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def _start(self, stack: contextlib.ExitStack) -> None:
        for path, content in DEBIAN.items():
            (self.folder / "debian" / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / "debian" / path).write_text(content)
        (self.folder / "textfiles").mkdir()
        (self.folder / "textfiles/job.prom").write_text("my_job_success 1\n")
        for days in range(3):
            parts = {"a.tar.zst": packed("zstd", tar()), "b.tar.xz": packed("xz", tar())}
            # Read only by their owner, who is not the exporter's user, as backups should be.
            backup(self.folder / "backups" / dated(days), parts, days * DAY + 60)
        self.folder.joinpath("backups").chmod(0o700)
        self.certificate = write_chain(self.folder / "certificate.pem")
        write_authority(self._config / "authority.pem")
        (self._config / "password").write_text(f"{PASSWORD}\n")
        (self._config / "password").chmod(0o600)
        self.systemd = Systemd()
        self.systemd.write("certbot.timer", UNITS["certbot.timer"])
        self.systemd.write("backup.service", UNITS["backup.service"])
        stack.enter_context(self.systemd)
        self.systemd.systemctl("start", "certbot.timer")
        self.fail2ban = stack.enter_context(Fail2ban())
        self.fail2ban.ban(BANNED)
        self.dns = stack.enter_context(dns.Authority(dns.mail_zones()))
        self.mail = stack.enter_context(MailServer(self.certificate, {PROBE: PASSWORD}))
        said = "echo WARN: Failed login attempt by 192.0.2.1; sleep 0.5"
        self.netfilter = self._engine.client().containers.run(
            IMAGE, ["sh", "-c", f"while :; do {said}; done"], name="netfilter", detach=True
        )

    def settings(self) -> dict[str, Any]:
        """Return what config.yml has to say, because little of it is where it is on a usual host."""
        smtp, imap = self.mail.postfix.submission_port, self.mail.dovecot.imap_port
        given = "/etc/mailserver-exporter"
        return {
            "mail_stack": {"kind": "none"},
            "containers": {"socket": str(self._engine.socket)},
            "queue": {"directory": str(self.mail.postfix.queue)},
            "ports": {
                "targets": [
                    {"port": smtp, "protocol": "smtp", "tls": "starttls"},
                    {"port": imap, "protocol": "imap", "tls": "starttls"},
                ]
            },
            "certificates": {
                "name": "localhost",
                "files": [str(self.certificate)],
                "ca_file": f"{given}/authority.pem",
            },
            "systemd": {"socket": str(self.systemd.socket)},
            "updates": {"root": str(self.folder / "debian")},
            "textfile": {"directories": [str(self.folder / "textfiles")]},
            "fail2ban": {"socket": str(self.fail2ban.socket)},
            "logs": {"sources": {"netfilter": "container/netfilter", "postfix": str(self.mail.postfix.log)}},
            "backups": {
                "quiet": "1s",
                "sets": {"configs": {"path": str(self.folder / "backups"), "parts": ["a.tar.zst"]}},
            },
            "dns": {
                "resolver": f"127.0.0.1:{self.dns.port}",
                "hostname": f"mail.{dns.DOMAIN}",
                "domains": [{"name": dns.DOMAIN, "dkim_selectors": ["dkim"]}],
            },
            "blocklists": {"lists": [dns.BLOCKLIST]},
            "roundtrip": {
                "address": PROBE,
                "password_file": f"{given}/password",
                "smtp": f"127.0.0.1:{smtp}",
                "imap": f"127.0.0.1:{imap}",
                "smtp_tls": "starttls",
                "imap_tls": "starttls",
            },
        }
