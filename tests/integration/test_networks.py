"""Who failed to log in most, by the logs of real servers that real clients were refused by."""

from __future__ import annotations

import contextlib
import gzip
import imaplib
import json
import os
import re
import shutil
import smtplib
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from mailserver_exporter.config import Config
from mailserver_exporter.host import Host
from mailserver_exporter.report import networks
from mailserver_exporter.report.networks import Networks
from mailserver_exporter.schema import read_text
from tests.support.certificates import write_chain
from tests.support.docker_engine import IMAGE, DockerEngine
from tests.support.fail2ban import Fail2ban
from tests.support.journald import Journald
from tests.support.mailserver import MailServer
from tests.support.processes import wait_for
from tests.support.sshd_logins import Sshd
from tests.support.tools import ROOT

DAY = timedelta(days=1)


def worst(
    folder: Path, yaml: str, rootfs: Path | str = "/", start: datetime | None = None, end: datetime | None = None
) -> Networks:
    config = read_text(f"state_directory: {folder}/state\n{yaml}", "config.yml", Config())
    now = datetime.now(timezone.utc) + timedelta(seconds=2)
    return networks.worst(config, Host(str(rootfs)), start or now - DAY, end or now, seconds=60)


def told(found: Networks) -> dict[str, int]:
    assert (found.problems, found.complete) == ((), True)
    return {network.name: network.failures for network in found.networks}


def by_network(addresses: Iterable[str]) -> Counter[str]:
    """Count addresses by /24, the plain way."""
    return Counter(f"{address.rpartition('.')[0]}.0/24" for address in addresses)


@pytest.mark.parametrize("release", ["bookworm", "sid"])
def test_what_a_real_sshd_refused_is_counted_across_rotation(tmp_path: Path, release: str) -> None:
    with Sshd(release, "PerSourcePenalties no" if release == "sid" else "LogLevel INFO") as sshd:
        for source, user, tries in (
            ("127.0.5.1", "alice", 3),
            ("127.0.5.2", "nobody-knows", 2),
            ("127.0.6.1", "root from 192.0.2.66 port 22 ssh2", 1),
        ):
            assert not sshd.login(user, password="wrong", tries=tries, source=source)
        # Somebody with the wrong key, and nothing else.
        assert not sshd.login("alice", key="other_key", source="127.0.7.1")
        sshd.said(b"127.0.7.1")
        wait_for(
            "sshd has said of all that they are gone", lambda: sshd.syslogd.file.read_bytes().count(b"[preauth]") > 3
        )
        log = sshd.syslogd.file.read_bytes()
    # As logrotate does, in the middle of what was said.
    middle = log.index(b"\n", len(log) // 2) + 1
    (tmp_path / "auth.log.2.gz").write_bytes(gzip.compress(log[:middle]))
    (tmp_path / "auth.log.1").write_bytes(log[middle:])
    (tmp_path / "auth.log").touch()

    found = worst(tmp_path, f"logs: {{sources: {{sshd: {tmp_path}/auth.log, postfix: none, dovecot: none}}}}")

    passwords = re.findall(rb"Failed password for .* from (\S+) port \d+ ssh2$", log, re.MULTILINE)
    assert len(passwords) == 6
    expected = by_network(address.decode() for address in passwords) + Counter({"127.0.7.0/24": 1})
    assert told(found) == expected == {"127.0.5.0/24": 5, "127.0.6.0/24": 1, "127.0.7.0/24": 1}
    first = found.networks[0]
    assert (first.addresses, first.services, first.address) == (2, {"ssh": 5}, "")
    assert found.networks[1].address == "127.0.6.1"
    assert timedelta(0) <= first.last - first.first < timedelta(minutes=5)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("certificate") / "chain.pem"
    write_chain(path)
    path.parent.chmod(0o755)
    return path


def test_what_postfix_and_dovecot_refused_is_counted_together(certificate: Path, tmp_path: Path) -> None:
    tls = ssl._create_unverified_context()

    def submission(port: int, source: str) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=60, source_address=(source, 0)) as client:
            client.starttls(context=tls)
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("user@example.org", "wrong")

    def imap(port: int, source: str) -> None:
        class Client(imaplib.IMAP4_SSL):
            def _create_socket(self, timeout: float | None) -> Any:
                import socket

                plain = socket.create_connection((self.host, self.port), timeout, (source, 0))
                return tls.wrap_socket(plain)

        client = Client("127.0.0.1", port, ssl_context=tls, timeout=60)
        with contextlib.suppress(imaplib.IMAP4.error):
            client.login("user@example.org", "wrong")
        client.shutdown()

    with MailServer(certificate, {"user@example.org": "right"}) as server, ThreadPoolExecutor(8) as pool:
        calls: list[tuple[Callable[[int, str], None], int, str]] = [
            *[(submission, server.postfix.submission_port, f"127.0.5.{host}") for host in (1, 1, 2)],
            (submission, server.postfix.submission_port, "127.0.6.1"),
            *[(imap, server.dovecot.imaps_port, f"127.0.5.{host}") for host in (2, 3)],
            (imap, server.dovecot.imaps_port, "127.0.7.1"),
        ]
        for call in [pool.submit(function, port, source) for function, port, source in calls]:
            call.result(90)
        wait_for("Dovecot tells of each", lambda: server.dovecot.output().count("(auth failed") == 3, 60)
        wait_for("Postfix tells of each", lambda: server.postfix.output().count("authentication failed") == 4, 60)
        for source in (server.postfix.log, server.dovecot.log):
            shutil.copy2(source, tmp_path)

    sources = f"sshd: none, postfix: {tmp_path}/mail.log, dovecot: {tmp_path}/dovecot.log"
    found = worst(tmp_path, f"logs: {{sources: {{{sources}}}}}")

    text = (tmp_path / "mail.log").read_text() + (tmp_path / "dovecot.log").read_text()
    plain = re.findall(r"\[([\d.]+)\]: SASL \w+ authentication failed|\(auth failed.* rip=([\d.]+),", text)
    assert told(found) == by_network(one or other for one, other in plain)
    first = found.networks[0]
    assert (first.name, first.services, first.addresses) == ("127.0.5.0/24", {"smtp": 3, "imap": 2}, 3)
    assert datetime.now(timezone.utc) - first.last < timedelta(minutes=5)


def test_the_journal_is_found_and_read_for_its_time_only(tmp_path: Path) -> None:
    failed = "postfix/smtpd[1]: warning: unknown[192.0.%d.%d]: SASL LOGIN authentication failed: UGFzc3dvcmQ6"
    with Journald() as journald:
        program = tmp_path / "sshd-session"
        shutil.copy2(os.path.realpath("/usr/bin/python3"), program)
        journald.log([(failed % (1, host)).encode() for host in range(200)])
        # Whoever may write to the journal is not believed.
        journald.log_as(65534, "sshd[1]: Failed password for root from 192.0.2.66 port 22 ssh2")
        journald.log_as(0, "sshd-session[9]: Failed password for root from 192.0.2.1 port 22 ssh2", program=program)
        wait_for("all is there", lambda: journald.holds("Failed password for root from 192.0.2.1 port 22 ssh2"))
        journald.rotate()
        middle = datetime.now(timezone.utc)
        journald.log([(failed % (3, host % 250)).encode() for host in range(300)])
        journald.log([b"postfix/smtpd[1]: the end"])
        wait_for("the end is there", lambda: journald.holds("the end"))

        found = worst(tmp_path, "logs: {sources: {}}", journald.root)
        assert found.logs == ("journal",)
        assert told(found) == {"192.0.3.0/24": 300, "192.0.1.0/24": 200, "192.0.2.0/24": 1}
        assert [network.addresses for network in found.networks] == [250, 200, 1]
        assert told(worst(tmp_path, "", journald.root, end=middle)) == {"192.0.1.0/24": 200, "192.0.2.0/24": 1}
        assert told(worst(tmp_path, "", journald.root, start=middle)) == {"192.0.3.0/24": 300}


def test_how_many_of_a_networks_addresses_are_banned_is_told(tmp_path: Path) -> None:
    now = datetime.now(timezone.utc).isoformat()
    line = f"{now} mail sshd[1]: Failed password for root from 192.0.2.1 port 22 ssh2\n"
    (tmp_path / "auth.log").write_text(line + line.replace("192.0.2.1", "2001:db8:1::1").replace("[1]", "[2]"))
    with Fail2ban(jails=("sshd", "postfix")) as server:
        server.ban("192.0.2.1", "192.0.2.9")
        server.ban("192.0.2.1", jail="postfix")
        yaml = f"logs: {{sources: {{sshd: {tmp_path}/auth.log}}}}\nfail2ban: {{socket: {server.socket}}}"
        banned = {network.name: network.banned for network in worst(tmp_path, yaml).networks}
    assert banned == {"192.0.2.0/24": 2, "2001:db8:1::/48": 0}


_CHILD = """
import json, resource, sys, time
from datetime import datetime, timedelta, timezone
from mailserver_exporter.config import Config
from mailserver_exporter.host import Host
from mailserver_exporter.report import networks
from mailserver_exporter.schema import read_text

config = read_text(sys.argv[1], "config.yml", Config())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.monotonic()
now = datetime.now(timezone.utc)
found = networks.worst(config, Host(), now - timedelta(days=1), now, seconds=float(sys.argv[2]))
json.dump({
    "seconds": time.monotonic() - began,
    "kilobytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before,
    "failures": found.failures,
    "complete": found.complete,
    "problems": found.problems,
    "networks": [[each.name, each.failures, each.addresses, each.at_least] for each in found.networks],
}, sys.stdout)
"""


def test_a_flood_of_a_million_addresses_stays_within_its_bounds(tmp_path: Path) -> None:
    now = datetime.now(timezone.utc)
    plain = Counter[str]()
    with (tmp_path / "auth.log").open("w") as file:
        for second in range(10_000):
            stamp = (now - timedelta(seconds=10_000 - second)).isoformat()
            for each in range(100):
                number = second * 100 + each
                # Every address its own, in a million networks; and ten who try again and again.
                address = f"{1 + number % 100}.{number // 100 % 250}.{number // 25_000}.{number % 250}"
                if each % 10 == 0:
                    address = f"198.51.{min(second % 55, each % 7)}.{number % 200}"
                plain[f"{address.rpartition('.')[0]}.0/24"] += 1
                file.write(
                    f"{stamp} mail sshd[{number % 32768}]: Failed password for root from {address} port 22 ssh2\n"
                )
    yaml = f"state_directory: {tmp_path}/state\nlogs: {{sources: {{sshd: {tmp_path}/auth.log}}}}"

    def run(seconds: float) -> Any:
        command = [sys.executable, "-c", _CHILD, yaml, str(seconds)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "exporter")}
        return json.loads(subprocess.run(command, capture_output=True, check=True, env=environment).stdout)

    whole = run(300)
    assert (whole["failures"], whole["complete"]) == (1_000_000, True)
    assert whole["kilobytes"] < 40_000
    heavy = [[name, count] for name, count in plain.most_common(4)]
    assert [[name, count] for name, count, _, _ in whole["networks"][:4]] == heavy
    assert all(not at_least for *_, at_least in whole["networks"][:4])

    short = run(1)
    assert short["seconds"] < 15
    assert short["kilobytes"] < 40_000
    assert short["networks"][0][0] == heavy[0][0]
    if not short["complete"]:
        assert "is too large to be read in time: only what was written since" in short["problems"][0]
    assert short["complete"] == (short["failures"] == 1_000_000)


SAID = {
    "postfix": "Nov 22 03:15:55 5f0d3c2b1a90 postfix/submission/smtpd[9]: warning: unknown[192.0.2.1]: "
    "SASL LOGIN authentication failed: UGFzc3dvcmQ6",
    "dovecot": "Nov 22 03:15:56 9a8b7c6d5e4f dovecot: imap-login: Disconnected: Connection closed (auth failed, "
    "4 attempts in 20 secs): user=<a>, method=PLAIN, rip=192.0.2.2, lip=172.22.1.250, TLS, session=<abd>",
    "sogo": "Nov 22 03:15:55 1b2c3d4e5f60 sogod [69]: SOGoRootPage Login from '192.0.2.1' for user 'a' might not have "
    "worked - password policy: 65535  grace: -1  expire: -1  bound: 0",
    "php-fpm": "NOTICE: PHP message: mailcow UI: Invalid password for admin by 198.51.100.7",
    "netfilter": "2026-11-22 03:15:50 CRIT: Banning 192.0.2.1/32 for 30 minutes\n"
    "2026-11-22 03:15:51 CRIT: Banning 192.0.2.2/32 for 30 minutes\n2026-11-22 03:15:52 INFO: Unbanning 192.0.2.2/32",
}


@pytest.mark.timeout(900)  # another's Docker Engine may have to end first
def test_the_containers_of_mailcow_are_asked(docker_engine: DockerEngine, tmp_path: Path) -> None:
    docker_engine.remove_containers()
    (tmp_path / "opt/mailcow-dockerized").mkdir(parents=True)
    (tmp_path / "opt/mailcow-dockerized/mailcow.conf").write_text("COMPOSE_PROJECT_NAME=mailcow\n")
    (tmp_path / "run").mkdir()
    os.link(docker_engine.socket, tmp_path / "run/docker.sock")
    for terminal in (False, True):
        for program, line in SAID.items():
            docker_engine.client().containers.run(
                IMAGE,
                ["sh", "-c", 'echo "$1"; echo "no failure"; exec sleep 1000', "sh", line],
                detach=True,
                tty=terminal,
                labels={"com.docker.compose.project": "mailcow", "com.docker.compose.service": f"{program}-mailcow"},
            )
    yaml = "containers: {socket: /run/docker.sock}\nlogs: {sources: {sshd: none}}"
    expected = {"192.0.2.0/24": 12, "198.51.100.0/24": 2}
    wait_for("all is said", lambda: told(worst(tmp_path, yaml, tmp_path)) == expected)

    first, second = worst(tmp_path, yaml, tmp_path).networks
    assert (first.services, first.addresses, first.banned) == ({"imap": 8, "smtp": 2, "webmail": 2}, 2, 1)
    assert (second.services, second.address, second.banned) == ({"mailcow": 2}, "198.51.100.7", 0)
    # The Engine's time counts, not what stands in the line.
    assert datetime.now(timezone.utc) - first.first < timedelta(minutes=10)
    long_ago = datetime.now(timezone.utc) - DAY
    assert told(worst(tmp_path, yaml, tmp_path, end=long_ago, start=long_ago - DAY)) == {}

    # A service that is switched off has no log, which is no problem.
    docker_engine.remove_containers()
    gone = worst(tmp_path, yaml, tmp_path)
    assert (gone.networks, gone.complete) == ((), True)
    # An Engine that is not there is one.
    (tmp_path / "run/docker.sock").unlink()
    assert {problem.partition(":")[0] for problem in worst(tmp_path, yaml, tmp_path).problems} == {
        f"container/{program}-mailcow" for program in SAID
    }
