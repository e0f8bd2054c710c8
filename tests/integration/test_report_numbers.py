"""The numbers of the report against what was recorded: sent through a real Postfix, and read back from the mailbox."""

from __future__ import annotations

import email
import email.policy
import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from mailserver_exporter.cli import main
from tests.support import certificates
from tests.support.history import SCENARIOS, ZONE, History
from tests.support.history_host import START
from tests.support.history_series import DAY, END, Span
from tests.support.mailserver import MailServer
from tests.support.processes import wait_for

pytestmark = pytest.mark.usefixtures("own_log")

ADMIN, PASSWORD = "admin@example.org", "app password"
DELIVERIES = "mailserver_postfix_deliveries_total"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    pem = certificates.write_chain(tmp_path_factory.mktemp("server") / "chain.pem")
    with MailServer(pem, {ADMIN: PASSWORD}) as server:
        yield server


class Received(NamedTuple):
    """What the admin got, and what it was made of."""

    text: str
    history: History
    days: tuple[int, ...]

    def row(self, name: str) -> str:
        """Return what the row of a table says after its name; one that is too long goes on in indented lines."""
        [found] = re.findall(rf"(?m)^(?:[✖▲•] )?{re.escape(name)}(?::|  )(.*(?:\n  .*)*)", self.text)
        return " ".join(str(found).split())

    def numbers(self, name: str) -> list[float]:
        """Return the numbers of a row that has nothing else."""
        return [float(each.replace(",", "")) for each in re.findall(r"\d[\d,.]*", self.row(name))]

    def rose(self, name: str, **labels: str) -> list[float]:
        """Return how much counters rose on the days that are compared."""
        return [self.history.increase(name, Span(START - day, END - day + 1), **labels) for day in self.days]

    def at_end(self, name: str, **labels: str) -> float:
        """Return the last value of the day."""
        return [value for at, value in self.history.series(name, **labels) if at <= END][-1]


@pytest.fixture(scope="module", params=SCENARIOS)
def received(request: pytest.FixtureRequest, server: MailServer, tmp_path_factory: pytest.TempPathFactory) -> Received:
    folder: Path = tmp_path_factory.mktemp("report")
    (folder / "password").write_text(PASSWORD)
    before = set(server.messages(ADMIN))
    with History(request.param) as history:
        settings = {
            "hostname": history.instance,
            "state_directory": str(folder / "state"),
            "mail_stack": {"kind": "none"},
            "notifications": {
                "email": {
                    "to": [ADMIN],
                    "sender": ADMIN,
                    "smarthost": f"127.0.0.1:{server.postfix.submission_port}",
                    "username": ADMIN,
                    "password_file": str(folder / "password"),
                    "ca_file": str(certificates.write_authority(folder / "authority.pem")),
                }
            },
            "report": {"time_zone": ZONE.key, "prometheus_url": history.url},
        }
        (folder / "config.yml").write_text(yaml.safe_dump(settings))
        end = datetime.fromtimestamp(END, ZONE)
        assert main([f"--config.file={folder}/config.yml", "report", "--to", f"{end:%Y-%m-%d %H:%M}"]) == 0
        wait_for("it is delivered", lambda: set(server.messages(ADMIN)) - before, 30)
        [message] = set(server.messages(ADMIN)) - before
        body = email.message_from_bytes(message.read_bytes(), policy=email.policy.default).get_body(("plain",))
        assert body is not None
        return Received(body.get_content(), history, (0,) if request.param == "first_day" else (0, DAY, 7 * DAY))


COUNTS: dict[str, Callable[[Received], list[float]]] = {
    "sent to other servers": lambda got: got.rose(DELIVERIES, service="smtp", status="sent"),
    "bounced": lambda got: got.rose(DELIVERIES, status="bounced"),
    "deferred (attempts)": lambda got: got.rose(DELIVERIES, status="deferred"),
    "rejected by the spam filter": lambda got: got.rose("mailserver_postfix_milter_rejects_total"),
    "SSH: refused": lambda got: got.rose("mailserver_sshd_failed_passwords_total"),
    "SSH: unknown users": lambda got: got.rose("mailserver_sshd_invalid_users_total"),
    "Postfix: warnings": lambda got: got.rose("mailserver_postfix_log_messages_total", level="warning"),
}


@pytest.mark.parametrize("name", COUNTS)
def test_what_is_counted(received: Received, name: str) -> None:
    assert received.numbers(name) == COUNTS[name](received)


def test_memory_and_swap(received: Received) -> None:
    free, total = (received.at_end(f"node_memory_{name}_bytes") for name in ("MemAvailable", "MemTotal"))
    assert received.numbers("Memory")[0] == pytest.approx(100 * (1 - free / total), abs=1)
    free, total = (received.at_end(f"node_memory_Swap{name}_bytes") for name in ("Free", "Total"))
    assert received.numbers("Swap")[0] == pytest.approx(100 * (1 - free / total), abs=1)


@pytest.mark.parametrize("mountpoint", ["/", "/boot", "/var/vmail"])
def test_file_systems(received: Received, mountpoint: str) -> None:
    size, free, avail = (
        received.at_end(f"node_filesystem_{what}_bytes", mountpoint=mountpoint) for what in ("size", "free", "avail")
    )
    assert received.numbers(mountpoint)[0] == pytest.approx(100 * (1 - avail / (size - free + avail)), abs=0.06)


def test_the_queue(received: Received) -> None:
    queues = received.history.matching("postfix_showq_queue_depth")
    wanted = [each for each in queues if each.labels["queue"] in ("maildrop", "incoming", "active", "deferred")]
    assert received.numbers("waiting now")[0] == sum(
        [value for at, value in each.points() if at <= END][-1] for each in wanted
    )


@pytest.mark.parametrize("target", ["127.0.0.1:25 (smtp_starttls)", "127.0.0.1:993 (imap_tls)"])
def test_availability(received: Received, target: str) -> None:
    address, module = target.rstrip(")").split(" (")
    up = [
        value
        for at, value in received.history.series("probe_success", target=address, module=module)
        if START < at <= END
    ]
    [told] = re.findall(r"Available ▲? ?([\d.]+)%", received.row(target))
    assert float(told) == pytest.approx(100 * sum(up) / len(up), abs=0.1)


def test_certificates(received: Received) -> None:
    expiries = received.history.matching("probe_ssl_earliest_cert_expiry")
    soonest = min([value for at, value in each.points() if at <= END][-1] for each in expiries)
    left = int((soonest - END) / DAY)
    assert re.search(rf"\d certificates?, the next one ends in {left}\sd$", received.text, re.MULTILINE)


@pytest.mark.parametrize("jail", ["sshd", "postfix", "dovecot", "recidive"])
def test_bans(received: Received, jail: str) -> None:
    [told] = re.findall(rf"(?m)^{jail}: Bans in 24 h (\d+)", received.text)
    assert float(told) == received.at_end("mailserver_fail2ban_bans_24h", jail=jail)


def test_probe_messages(received: Received) -> None:
    sent, arrived = received.numbers("from us to us")[:2]
    [attempts, *_] = received.rose("mailserver_roundtrip_attempts_total")
    [failures, *_] = received.rose("mailserver_roundtrip_failures_total")
    assert (sent, arrived) == (attempts, pytest.approx(100 * (1 - failures / attempts), abs=0.06))


def test_backups(received: Received) -> None:
    # Not the line above the table, which begins with the name where something is wrong.
    row = received.text[received.text.rindex("\nconfigs") :]
    size = received.at_end("mailserver_backup_last_size_bytes")
    assert f"{size / (1 << 20):.1f}" in row.partition("MiB")[0]
    made = received.at_end("mailserver_backup_last_timestamp_seconds")
    days, hours = divmod(int((END - made) / 3600), 24)
    assert (f"{days} d {hours} h" if days else f"{hours} h") in " ".join(row.split())


def test_updates(received: Received) -> None:
    wanted = [received.at_end("mailserver_updates_pending", **{"class": "security"})]
    assert received.numbers("security updates")[:1] == wanted


def test_every_command_can_be_pasted_into_a_shell(received: Received) -> None:
    actions = received.text.partition("Recommended actions\n")[2].partition("\n\n")[0]
    commands = re.findall(r"(?m)^    (\S.*)$", actions)
    assert bool(commands) == bool(actions)
    for command in commands:
        done = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), command
