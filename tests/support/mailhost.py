"""A small mail host with everything that the product watches, all of it real.

Postfix, Dovecot, nginx, fail2ban, a Docker Engine with a compose project, a file system of its own and a mail store.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.support import dns
from tests.support.backups import DAY, backup, dated, packed, tar
from tests.support.certificates import write, write_authority, write_chain
from tests.support.docker_engine import IMAGE, DockerEngine, docker_compose
from tests.support.fail2ban import Fail2ban
from tests.support.mailserver import MailServer
from tests.support.nginx import Nginx
from tests.support.scope import Scope
from tests.support.systemd import Systemd

PROJECT = "mailstack"
BACKUP = "configs"

# Of a Debian what the exporter reads of it: apt and dpkg themselves are not needed.
DEBIAN = {
    "var/lib/dpkg/status": "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.21.22\n",
    "var/lib/apt/lists/debian_InRelease": "Origin: Debian\nLabel: Debian-Security\nSuite: stable-security\n",
    "var/lib/apt/lists/debian_Packages": "Package: dpkg\nArchitecture: amd64\nVersion: 1.21.22\n",
    "var/run/placeholder": "",
}
UNITS = {
    "certbot.timer": "[Timer]\nOnCalendar=daily\nUnit=backup.service\n",
    "backup.service": "[Service]\nType=oneshot\nExecStart=/bin/false\n",
}

_COMPOSE = f"""\
name: {PROJECT}
services:
  postfix-mailcow: &service
    image: {IMAGE}
    command: ["sleep", "100000"]
    restart: unless-stopped
  dovecot-mailcow: *service
  redis-mailcow:
    <<: *service
    command: ["sh", "-c", "touch /good; sleep 100000"]
    healthcheck: {{test: ["CMD", "test", "-e", "/good"], interval: 1s, timeout: 1s, retries: 1, start_period: 0s}}
  netfilter-mailcow:
    <<: *service
    command: ["sh", "-c", "echo Watching Redis channel F2B_CHANNEL; sleep 100000"]
"""


# The probe mailbox; who sends from this machine needs no password.
PROBE, PROBE_PASSWORD = "probe@example.org", "the probe's own"
USERS = {PROBE: PROBE_PASSWORD, "restored@example.org": "anything"}
_POSTFIX = {
    "mynetworks": "127.0.0.0/8",
    "smtpd_recipient_restrictions": "permit_mynetworks, permit_sasl_authenticated, reject",
}


class MailHost(Scope):
    """The host; starts with the ``with`` block and leaves nothing behind."""

    def __init__(self) -> None:
        # Not a test's tmp_path: Postfix and Dovecot need to be able to enter it with their own users.
        self.folder = Path(tempfile.mkdtemp(prefix="mailhost-"))
        self.folder.chmod(0o755)
        self.small = self.folder / "small"
        self.vmail = self.folder / "vmail"
        self.backups = self.folder / "backups"
        self.backups_copy = self.folder / "backups-copy"
        self.project = self.folder / "project"
        self.certificate = self.folder / "certificate.pem"
        # The webmail's own, because Postfix reads the file anew for each process.
        self.web_certificate = self.folder / "web.pem"
        self.authority = self.folder / "authority.pem"
        self.debian = self.folder / "debian"
        self.textfiles = self.folder / "textfiles"
        self.probe_password = self.folder / "probe-password"
        super().__init__()

    def _start(self) -> None:
        enter = self._cleanup.enter_context
        self._cleanup.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "mailhost", self.small], check=True)
        self._cleanup.callback(subprocess.run, ["umount", self.small], check=True)
        self.make_vmail()
        self.make_backups()
        subprocess.run(["cp", "-a", self.backups, self.backups_copy], check=True)
        write_chain(self.certificate)
        write_authority(self.authority)
        self.renew_web_certificate()
        self.probe_password.touch(mode=0o600)
        self.probe_password.write_text(PROBE_PASSWORD + "\n")
        server = enter(MailServer(self.certificate, USERS, _POSTFIX))
        self.postfix, self.dovecot = server.postfix, server.dovecot
        self.nginx = enter(Nginx(certificate=self.web_certificate))
        self.fail2ban = enter(Fail2ban())
        self.dns = enter(dns.Authority(dns.mail_zones()))
        for log in self.logs().values():
            if not Path(log).exists():
                Path(log).touch()
        self._care()
        self.docker = enter(DockerEngine())
        self.docker.import_busybox()
        self.project.mkdir()
        (self.project / "compose.yaml").write_text(_COMPOSE)
        self.compose("up", "--detach", "--wait")

    def _care(self) -> None:
        """Make what the care of the host is measured on: a systemd, a Debian's files, other jobs' text files."""
        self.textfiles.mkdir()
        (self.textfiles / "job.prom").touch()
        for path, content in DEBIAN.items():
            (self.debian / path).parent.mkdir(parents=True, exist_ok=True)
            (self.debian / path).write_text(content)
        self.systemd = Systemd()
        for name, content in UNITS.items():
            self.systemd.write(name, content)
        self._cleanup.enter_context(self.systemd)
        self.systemd.systemctl("start", "certbot.timer")

    def make_vmail(self) -> None:
        """Make the mail store anew, all of it owned as it should be."""
        mailbox = self.vmail / "example.org" / "user" / "Maildir" / "cur"
        mailbox.mkdir(parents=True, exist_ok=True)
        for number in range(20):
            (mailbox / f"{number}.mail").touch()
        for path in (self.vmail, *self.vmail.rglob("*")):
            os.chown(path, 5000, 5000)

    def make_backups(self) -> None:
        """Make the backups of three days anew."""
        shutil.rmtree(self.backups, ignore_errors=True)
        for days in range(3):
            parts = {"etc.tar.gz": packed("gzip", tar()), "packages.txt": b"postfix 3.7\n"}
            backup(self.backups / dated(days), parts, days * DAY)

    @property
    def newest_backup(self) -> Path:
        """The one of today."""
        return max(self.backups.iterdir())

    def renew_web_certificate(self, days: float = 90) -> None:
        """Write a certificate that ends in ``days`` days; nginx shows it once it is reloaded."""
        write_chain(self.web_certificate, days=days)

    def logs(self) -> dict[str, str]:
        """Return the log file of each program that has one; of programs that do not run here it is empty."""
        logs = {"postfix": self.postfix.log, "dovecot": self.dovecot.log}
        others = {name: self.folder / f"{name}.log" for name in ("sshd", "sogo", "php-fpm")}
        return {name: str(path) for name, path in {**logs, **others}.items()}

    def spoil_web_certificate(self, fault: str) -> None:
        """Write a certificate with one of the FAULTS of tests/support/certificates.py."""
        write(self.web_certificate, fault)

    def compose(self, *arguments: str) -> None:
        """Run docker compose on the project; raises AssertionError with what it said when it fails."""
        done = subprocess.run(
            [docker_compose(), "--project-directory", self.project, *arguments],
            env={**os.environ, "DOCKER_HOST": self.docker.host},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def container(self, service: str) -> Any:
        """Return the container of a service of the project."""
        return self.docker.client().containers.get(f"{PROJECT}-{service}-1")

    def settings(self) -> dict[str, Any]:
        """Return the part of config.yml that says where everything is: nothing here is where it is on a usual host."""
        ports = [
            {"port": self.postfix.smtp_port, "protocol": "smtp", "tls": "starttls"},
            {"port": self.postfix.submission_port, "protocol": "smtp", "tls": "starttls"},
            {"port": self.postfix.smtps_port, "protocol": "smtp", "tls": "implicit"},
            {"port": self.dovecot.imap_port, "protocol": "imap", "tls": "starttls"},
            {"port": self.dovecot.imaps_port, "protocol": "imap", "tls": "implicit"},
            {"port": self.dovecot.pop3_port, "protocol": "pop3", "tls": "starttls"},
            {"port": self.dovecot.pop3s_port, "protocol": "pop3", "tls": "implicit"},
            {"port": self.dovecot.sieve_port, "protocol": "sieve", "tls": "starttls"},
            {"port": self.nginx.https_port, "protocol": "https", "tls": "implicit"},
        ]
        mailbox = {
            "address": PROBE,
            "password_file": str(self.probe_password),
            "smtp": f"127.0.0.1:{self.postfix.submission_port}",
            "smtp_tls": "starttls",
            "imap": f"127.0.0.1:{self.dovecot.imaps_port}",
            "imap_tls": "implicit",
        }
        return {
            "mail_stack": {"kind": "none"},
            # Not to be sent while the tests run.
            "notifications": {"email": {"to": ["admin@example.net"], "sender": "watch@example.net"}},
            "report": {"at": time.strftime("%H:%M", time.gmtime(time.time() + 12 * 3600)), "time_zone": "Etc/UTC"},
            "filesystem": {"mountpoints": [str(self.small)]},
            "containers": {"socket": str(self.docker.socket)},
            "queue": {"directory": str(self.postfix.queue)},
            "ports": {"targets": ports},
            "roundtrip": mailbox,
            # Outside is here, too.
            "roundtrip_outside": mailbox,
            "certificates": {
                "name": "localhost",
                "files": [str(self.certificate), str(self.web_certificate)],
                "ca_file": str(self.authority),
            },
            "systemd": {"socket": str(self.systemd.socket)},
            "updates": {"root": str(self.debian)},
            "textfile": {"directories": [str(self.textfiles)]},
            "fail2ban": {"socket": str(self.fail2ban.socket)},
            "logs": {"sources": {**self.logs(), "netfilter": "container/netfilter-mailcow"}},
            "backups": {
                "quiet": "1s",
                "sets": {
                    BACKUP: {
                        "path": str(self.backups),
                        "parts": ["etc.tar.gz", "packages.txt"],
                        "copy": str(self.backups_copy),
                    }
                },
            },
            "vmail": {"directory": str(self.vmail), "owner": 5000, "group": 5000},
            "dns": {
                "resolver": f"127.0.0.1:{self.dns.port}",
                "hostname": f"mail.{dns.DOMAIN}",
                "domains": [{"name": dns.DOMAIN, "dkim_selectors": ["dkim"]}],
            },
            "blocklists": {"lists": [dns.BLOCKLIST]},
        }
