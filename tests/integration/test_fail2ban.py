"""The fail2ban collector beside real servers: the installed one, and the newest, which is asked in another way."""

from __future__ import annotations

import math
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver_exporter.app import build
from mailserver_exporter.collectors.base import Collector
from mailserver_exporter.collectors.fail2ban import Fail2banCollector, Fail2banDatabaseCollector
from mailserver_exporter.config import Config
from mailserver_exporter.host import Host
from mailserver_exporter.schema import read_text
from mailserver_exporter.sources import SourceError
from tests.support.contexts import context
from tests.support.fail2ban import Fail2ban
from tests.support.metrics import Exposition
from tests.support.processes import wait_for

ADDRESSES = [f"10.1.{number // 250}.{number % 250 + 1}" for number in range(1000)]


@pytest.fixture(params=[None, "sid"], ids=["installed", "newest"])
def server(request: pytest.FixtureRequest) -> Iterator[Fail2ban]:
    with Fail2ban(jails=("sshd", "postfix"), release=request.param) as server:
        yield server


def collector(server: Fail2ban, more: str = "") -> Fail2banCollector:
    return Fail2banCollector(context(server.folder / "state", f"fail2ban: {{socket: {server.socket}{more}}}"))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the database at each run, however long the last one took."""
    monkeypatch.setattr("mailserver_exporter.collectors.fail2ban._SHARE", math.inf)


def record(server: Fail2ban) -> Fail2banDatabaseCollector:
    return Fail2banDatabaseCollector(context(server.folder / "state", f"fail2ban: {{socket: {server.socket}}}"))


def collect(watching: Collector) -> Exposition:
    return Exposition.of(watching.collect())


def status(server: Fail2ban, jail: str) -> dict[str, int]:
    """What fail2ban-client prints of a jail, by its own words."""
    return {
        name: int(number) for name, number in re.findall(r"- (\w+ \w+):\s+(\d+)$", server.client("status", jail), re.M)
    }


def test_shows_what_the_client_shows(server: Fail2ban) -> None:
    server.ban("192.0.2.1", "192.0.2.2", "2001:db8::1")
    server.unban("192.0.2.1")
    server.fail("198.51.100.7", 2, jail="postfix")
    wait_for("the failures are found", lambda: status(server, "postfix")["Total failed"] == 2)

    found = collect(collector(server))

    assert found.value("f2b_up") == 1
    assert found.value("f2b_jail_count") == 2
    for jail in ("sshd", "postfix"):
        told = status(server, jail)
        assert found.value("f2b_jail_failed_current", jail=jail) == told["Currently failed"]
        assert found.value("f2b_jail_failed_total", jail=jail) == told["Total failed"]
        assert found.value("f2b_jail_banned_current", jail=jail) == told["Currently banned"]
        assert found.value("f2b_jail_banned_total", jail=jail) == told["Total banned"]
    assert found.value("f2b_jail_banned_current", jail="sshd") == 2
    assert found.value("f2b_jail_banned_total", jail="sshd") == 3
    assert found.all("f2b_version")[0].labels["fail2ban"] in server.client("version")
    assert found.families["f2b_jail_banned"].type == "counter"


def test_failed_logins_lead_to_a_ban_that_is_seen(server: Fail2ban) -> None:
    watching = collector(server)
    assert collect(watching).value("f2b_jail_banned_current", jail="postfix") == 0
    server.fail("198.51.100.9", 3, jail="postfix")

    wait_for("the ban is seen", lambda: collect(watching).value("f2b_jail_banned_current", jail="postfix") == 1)
    written = record(server)
    wait_for("and written down", lambda: collect(written).value("mailserver_fail2ban_bans_24h", jail="postfix") == 1)
    found = collect(written)
    assert found.value("mailserver_fail2ban_bans_current", jail="postfix", level="1") == 1
    assert 0 < found.value("mailserver_fail2ban_longest_remaining_ban_seconds", jail="postfix") <= 600
    assert found.value("mailserver_fail2ban_longest_remaining_ban_seconds", jail="sshd") == 0


def test_settings_are_those_of_the_jails(tmp_path: Path) -> None:
    with Fail2ban(ban_time="-1", find_time="1h", max_retry=7) as server:
        found = collect(collector(server))

    assert found.value("f2b_config_jail_ban_time", jail="sshd") == -1
    assert found.value("f2b_config_jail_find_time", jail="sshd") == 3600
    assert found.value("f2b_config_jail_max_retries", jail="sshd") == 7


def test_a_thousand_bans_are_counted_and_lifted(server: Fail2ban) -> None:
    watching, written = collector(server), record(server)
    server.ban(*ADDRESSES)

    def of_the_day() -> float:
        return collect(written).value("mailserver_fail2ban_bans_24h", jail="sshd")

    wait_for("the server has written them down", lambda: of_the_day() == 1000)
    assert collect(watching).value("f2b_jail_banned_current", jail="sshd") == 1000
    assert collect(written).value("mailserver_fail2ban_bans_24h", jail="postfix") == 0

    server.unban(*ADDRESSES)
    found = collect(watching)
    assert found.value("f2b_jail_banned_current", jail="sshd") == 0
    assert found.value("f2b_jail_banned_total", jail="sshd") == 1000
    # What is lifted by hand is struck from the database, too.
    wait_for("the server has struck them out", lambda: of_the_day() == 0)
    assert not any(address in found.text + collect(written).text for address in ADDRESSES)


def test_a_jail_that_is_removed_is_shown_as_missing(server: Fail2ban) -> None:
    watching = collector(server, ", jails: [must]")
    first = collect(watching)
    server.remove_jail("postfix")
    second = collect(watching)
    server.add_jail("dovecot")
    third = collect(watching)

    def present(found: Exposition) -> dict[str, float]:
        return {s.labels["jail"]: s.value for s in found.all("mailserver_fail2ban_jail_present")}

    assert present(first) == {"must": 0, "postfix": 1, "sshd": 1}
    assert present(second) == {"must": 0, "postfix": 0, "sshd": 1}
    assert present(third) == {"dovecot": 1, "must": 0, "postfix": 0, "sshd": 1}
    assert not second.all("f2b_jail_banned_current", jail="postfix")
    assert third.value("f2b_config_jail_ban_time", jail="dovecot") == 600


def test_a_server_that_stops_is_a_failure_until_it_is_back(fail2ban: Fail2ban, tmp_path: Path) -> None:
    config = f"state_directory: {tmp_path}\nfail2ban: {{socket: {fail2ban.socket}}}"

    def scrape() -> Exposition:
        """Scrape with a collection of its own, so that no result of the background is an old one."""
        watched = build(read_text(config, "config.yml", Config()), Host(), (Fail2banCollector,)).collection
        try:
            return Exposition(watched.scrape().decode())
        finally:
            watched.close()

    def success() -> float:
        return scrape().value("mailserver_collector_success", collector="fail2ban")

    assert success() == 1
    fail2ban.stop()
    gone = scrape()
    assert gone.value("mailserver_collector_success", collector="fail2ban") == 0
    assert not gone.all("f2b_up")
    fail2ban.start()
    assert success() == 1


def test_a_restart_in_between_goes_unnoticed(server: Fail2ban) -> None:
    watching = collector(server)
    collect(watching)
    server.restart()

    assert collect(watching).value("f2b_up") == 1


def test_without_the_database_only_what_is_on_record_is_missing(fail2ban: Fail2ban) -> None:
    watching, written = collector(fail2ban), record(fail2ban)
    assert collect(written).value("mailserver_fail2ban_bans_24h", jail="sshd") == 0
    fail2ban.database.rename(fail2ban.folder / "away")
    try:
        assert collect(watching).value("f2b_up") == 1
        with pytest.raises(SourceError, match=f"cannot read fail2ban's database {fail2ban.database}: No such file"):
            collect(written)
    finally:
        (fail2ban.folder / "away").rename(fail2ban.database)

    assert collect(written).value("mailserver_fail2ban_bans_24h", jail="sshd") == 0


def test_what_is_on_record_outlasts_a_restart(server: Fail2ban) -> None:
    written = record(server)
    server.ban("192.0.2.1", "192.0.2.2")
    wait_for("two bans are on record", lambda: collect(written).value("mailserver_fail2ban_bans_24h", jail="sshd") == 2)
    server.stop()
    assert collect(written).value("mailserver_fail2ban_bans_24h", jail="sshd") == 2
    server.start()

    found = collect(written)
    assert found.value("mailserver_fail2ban_bans_24h", jail="sshd") == 2
    assert found.value("mailserver_fail2ban_bans_current", jail="sshd", level="1") == 2


def test_a_server_without_a_database_has_nothing_on_record(tmp_path: Path) -> None:
    with Fail2ban(database=Path("None")) as server:
        assert collect(collector(server)).value("f2b_up") == 1
        assert collect(record(server)).samples == []


def test_is_seen_through_the_hosts_root(tmp_path: Path) -> None:
    """Debian's /var/run is a link to /run, which must not be followed to our own."""
    root = Path("/tmp") / f"f2b-{tmp_path.name}"  # a socket's path is short
    (root / "run").mkdir(parents=True)
    (root / "var").mkdir()
    (root / "var/run").symlink_to("/run")
    try:
        with Fail2ban(tmp_path / "server", socket=root / "run/fail2ban/fail2ban.sock") as server:
            watching = Fail2banCollector(context(tmp_path, "", root))
            assert watching.detect().found
            found = collect(watching)
            assert found.value("f2b_jail_count") == 1
            # The database is where the server says, which is not below the root that we see.
            with pytest.raises(SourceError, match=f"cannot read fail2ban's database {root}/"):
                list(Fail2banDatabaseCollector(context(tmp_path, "", root)).collect())
            server.stop()
            assert not watching.detect().found
    finally:
        shutil.rmtree(root)


def test_asking_costs_little_and_leaves_no_complaint_in_the_servers_log(server: Fail2ban) -> None:
    server.ban(*ADDRESSES)
    watching = collector(server)
    collect(watching)
    costs = []
    for _ in range(21):
        started = time.process_time()
        collect(watching)
        costs.append(time.process_time() - started)

    assert sorted(costs)[10] < 0.02
    complaints = re.findall(r".*(?:WARNING|ERROR).*", server.output())
    assert not [line for line in complaints if "New database created" not in line]
