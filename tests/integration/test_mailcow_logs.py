# ruff: noqa: E501 - lines of logs are as long as they are
"""mailcow's containers, found and followed by their services, give the series that the same lines in files give."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from mailserver_exporter.collectors.logs import LogsCollector
from tests.support.contexts import context
from tests.support.docker_engine import IMAGE, DockerEngine
from tests.support.metrics import Exposition
from tests.support.processes import wait_for

# Another's Docker Engine may have to end first.
pytestmark = pytest.mark.timeout(900)

PROJECT = "mailcowdockerized"
# What syslog-ng, netfilter and php-fpm of mailcow write to their containers' output; addresses are examples.
LINES = {
    "postfix": """\
Nov 22 03:15:55 5f0d3c2b1a90 postfix/smtpd[366]: connect from unknown[192.0.2.7]
Nov 22 03:15:56 5f0d3c2b1a90 postfix/submission/smtpd[367]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: UGFzc3dvcmQ6
Nov 22 03:15:57 5f0d3c2b1a90 postfix/smtpd[366]: NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 554 5.7.1 <a@example.net>: Relay access denied; from=<b@example.net> to=<a@example.net> proto=ESMTP helo=<x>
Nov 22 03:15:58 5f0d3c2b1a90 postfix/smtp[370]: 4C1D21A2B3: to=<a@example.net>, relay=mx.example.net[198.51.100.4]:25, delay=1.2, delays=0.1/0.01/0.59/0.5, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 9F8)
Nov 22 03:15:59 5f0d3c2b1a90 postfix/qmgr[340]: 4C1D21A2B3: removed
""",
    "dovecot": """\
Nov 22 03:15:55 9a8b7c6d5e4f dovecot: imap-login: Login: user=<a@example.org>, method=PLAIN, rip=192.0.2.9, lip=172.22.1.250, mpid=900, TLS, session=<abc>
Nov 22 03:15:56 9a8b7c6d5e4f dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<a@example.org>, method=PLAIN, rip=192.0.2.9, lip=172.22.1.250, TLS, session=<abd>
Nov 22 03:15:57 9a8b7c6d5e4f dovecot: imap(a@example.org)<900><abc>: Error: open(/var/vmail/example.org/a/Maildir/cur) failed: Permission denied
""",
    "sogo": """\
Nov 22 03:15:55 1b2c3d4e5f60 sogod [69]: SOGoRootPage Login from '192.0.2.1' for user 'a@example.org' might not have worked - password policy: 65535  grace: -1  expire: -1  bound: 0
""",
    "netfilter": """\
2026-11-22 03:15:50 INFO: Watching Redis channel F2B_CHANNEL
2026-11-22 03:15:55 WARN: 1 more attempts in the next 600 seconds until 192.0.2.1/32 is banned
2026-11-22 03:15:56 CRIT: Banning 192.0.2.1/32 for 30 minutes
""",
    "php-fpm": """\
NOTICE: PHP message: mailcow UI: Invalid password for admin by 192.0.2.1
""",
}


@pytest.fixture
def host(docker_engine: DockerEngine, tmp_path: Path) -> Iterator[Path]:
    """A mailcow host whose services say nothing until they are told to."""
    docker_engine.remove_containers()
    (tmp_path / "opt/mailcow-dockerized").mkdir(parents=True)
    (tmp_path / "opt/mailcow-dockerized/mailcow.conf").write_text(f"COMPOSE_PROJECT_NAME={PROJECT}\n")
    (tmp_path / "run").mkdir()
    os.link(docker_engine.socket, tmp_path / "run/docker.sock")
    for program in LINES:
        service = f"{program}-mailcow"
        docker_engine.client().containers.run(
            IMAGE,
            name=f"{PROJECT}-{service}-1",
            detach=True,
            labels={"com.docker.compose.project": PROJECT, "com.docker.compose.service": service},
        )
    yield tmp_path
    docker_engine.remove_containers()


def say(engine: DockerEngine, program: str, text: str) -> None:
    container = engine.client().containers.get(f"{PROJECT}-{program}-mailcow-1")
    script = f"printf %s {shlex.quote(text)} >/proc/1/fd/1"
    assert container.exec_run(["sh", "-c", script]).exit_code == 0


def logs_of(folder: Path, yaml: str, rootfs: Path | str = "/") -> LogsCollector:
    return LogsCollector(context(folder, f"{yaml}\nstate_directory: {folder}\n", rootfs))


def look(collector: LogsCollector) -> Exposition:
    return Exposition.of(collector.collect())


def events(exposition: Exposition) -> Mapping[str, float]:
    """Return what the lines were counted into, without what tells of the logs themselves."""
    lines = (line.rpartition(" ") for line in exposition.text.splitlines() if not line.startswith("#"))
    own = ("mailserver_log_", "mailserver_threshold_log_silence_seconds")
    return {series: float(value) for series, _, value in lines if not series.startswith(own)}


def test_mailcows_containers_give_the_series_of_native_logs(
    docker_engine: DockerEngine, host: Path, tmp_path: Path
) -> None:
    collector = logs_of(tmp_path / "state", "containers: {socket: /run/docker.sock}", host)
    first = look(collector)
    assert {(s.labels["source"], s.value) for s in first.all("mailserver_log_source_up")} >= {
        (f"container/{program}-mailcow", 1.0) for program in LINES
    }
    for program, text in LINES.items():
        say(docker_engine, program, text)

    def understood() -> bool:
        found = look(collector)
        return all(
            found.value("mailserver_log_lines_understood_total", program=program) == len(text.splitlines())
            for program, text in LINES.items()
        )

    wait_for("every line is read and understood", understood)
    ours = events(look(collector))
    collector.close()

    logs = {program: tmp_path / f"{program}.log" for program in LINES}
    for path in logs.values():
        path.touch()
    sources = ", ".join(f"{program}: {path}" for program, path in logs.items())
    native = logs_of(tmp_path / "native", f"logs: {{sources: {{{sources}, sshd: none}}}}")
    look(native)
    for program, text in LINES.items():
        logs[program].write_text(text)
    theirs = events(look(native))
    native.close()

    assert {series: value for series, value in ours.items() if "sshd" not in series} == theirs
    assert theirs["mailserver_mailcow_netfilter_bans_total"] == 1
    assert theirs["mailserver_mailcow_ui_login_failures_total"] == 1
    assert theirs["mailserver_sogo_login_failures_total"] == 1
    assert theirs["postfix_qmgr_messages_removed_total"] == 1
    assert sum(value for series, value in theirs.items() if series.startswith("mailserver_dovecot_errors_total")) == 1


def test_a_service_that_is_made_anew_is_followed(docker_engine: DockerEngine, host: Path, tmp_path: Path) -> None:
    collector = logs_of(tmp_path / "state", "containers: {socket: /run/docker.sock}", host)
    look(collector)
    name = f"{PROJECT}-netfilter-mailcow-1"
    old = docker_engine.client().containers.get(name)
    old.remove(force=True)
    docker_engine.client().containers.run(
        IMAGE,
        ["sh", "-c", "echo 'Watching Redis channel F2B_CHANNEL'; sleep 1000"],
        name=name,
        detach=True,
        labels=old.labels,
    )
    wait_for("the start is counted", lambda: look(collector).value("mailserver_mailcow_netfilter_starts_total") == 1)
    collector.close()
