"""The shipped jail files on real fail2bans, Debian 12's and the newest: they load, find, and bans get longer."""

from __future__ import annotations

import itertools
import re
import sqlite3
from collections.abc import Iterator

import pytest

from mailserver_exporter.sources import fail2ban_db
from mailserver_exporter.sources.fail2ban_db import JailBans
from tests.support.processes import wait_for
from tests.support.shipped_jails import FAILURES, SHIPPED, ShippedJails

HOUR = 3600
DAY = 24 * HOUR
OFFENDER, OTHER = "198.51.100.7", "2001:db8::7"

pytestmark = pytest.mark.parametrize("release", [None, "sid"], ids=["installed", "newest"])


@pytest.fixture
def server(release: str | None) -> Iterator[ShippedJails]:
    with ShippedJails(release) as server:
        yield server


def ban_times(server: ShippedJails, address: str) -> dict[str, int]:
    """Return how long the server says that an address is banned, by jail."""
    found = {}
    for jail in FAILURES:
        for line in server.client("get", jail, "banip", "--with-time").splitlines():
            if line.startswith(f"{address} "):
                found[jail] = int(re.findall(r"\+ (-?\d+) =", line)[0])
    return found


def offend(server: ShippedJails, address: str = OFFENDER) -> dict[str, int]:
    """Guess five passwords at each door; return for how long that is a ban, once it is on record."""
    bans = {jail: on_record(server).get(jail, JailBans()).day for jail in FAILURES}
    for jail in FAILURES:
        server.fail(address, 5, jail)

    def banned() -> bool:
        return all(on_record(server).get(jail, JailBans()).day == bans[jail] + 1 for jail in FAILURES)

    wait_for("all jails have written a ban down", banned, 60)
    return ban_times(server, address)


def on_record(server: ShippedJails) -> dict[str, JailBans]:
    return fail2ban_db.read(str(server.database), server.now())


def let_pass(server: ShippedJails, seconds: float) -> None:
    server.let_pass(seconds)
    wait_for("the bans are lifted", lambda: not any(server.banned(jail) for jail in FAILURES), 60)


def test_four_offences_are_a_day_two_four_and_a_week(server: ShippedJails) -> None:
    for level, hours in enumerate((24, 48, 96, 168), 1):
        assert offend(server) == dict.fromkeys(FAILURES, hours * HOUR)
        for bans in on_record(server).values():
            assert bans.current == tuple(int(level == each) for each in (1, 2, 3, 4))
            assert bans.offenders == (0 if level == 1 else 1)
            assert bans.longest_end is not None
            assert hours * HOUR - 120 < bans.longest_end - server.now() <= hours * HOUR
        let_pass(server, (hours + 1) * HOUR)
    # A week is the most; and an address that is new begins at the beginning.
    assert offend(server) == dict.fromkeys(FAILURES, 168 * HOUR)
    assert offend(server, OTHER) == dict.fromkeys(FAILURES, 24 * HOUR)
    assert server.complaints() == []


def test_an_offence_is_remembered_for_sixty_days_also_across_a_restart(server: ShippedJails) -> None:
    assert offend(server) == dict.fromkeys(FAILURES, 24 * HOUR)
    server.stop()
    server.let_pass(59 * DAY)
    server.start()
    assert offend(server) == dict.fromkeys(FAILURES, 48 * HOUR)

    # fail2ban adds three times the ban's length to what it is told.
    let_pass(server, (60 + 3 * 2) * DAY + HOUR)
    wait_for("the offender is forgotten", lambda: purged(server, "bips"), 60)
    assert offend(server) == dict.fromkeys(FAILURES, 24 * HOUR)


def purged(server: ShippedJails, table: str) -> bool:
    connection = sqlite3.connect(f"file:{server.database}?mode=ro", uri=True)
    try:
        return connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone() == (0,)
    finally:
        connection.close()


def test_four_failures_or_five_in_twenty_minutes_are_no_ban(server: ShippedJails) -> None:
    for jail in FAILURES:
        server.fail(OTHER, 4, jail)
    wait_for("they are found", lambda: server.output().count(f"Found {OTHER}") == 4 * len(FAILURES), 60)
    # What is older than the ten minutes still counts by its rate.
    server.let_pass(1200)
    for jail in FAILURES:
        server.fail(OTHER, 1, jail)
        server.fail(OFFENDER, 5, jail)
    wait_for("another is banned", lambda: ban_times(server, OFFENDER).keys() == FAILURES.keys(), 60)

    assert server.output().count(f"Found {OTHER}") == 5 * len(FAILURES)
    assert ban_times(server, OTHER) == {}


def test_finds_the_failures_in_debians_journal(release: str | None) -> None:
    """The units are Debian's; with the matches of fail2ban 1.0 itself Postfix is never found."""
    server = ShippedJails(release, journal=True)
    server.write_journal(OFFENDER, 5)
    with server:
        wait_for("all are banned", lambda: ban_times(server, OFFENDER).keys() == FAILURES.keys(), 60)
        assert server.complaints() == []


def test_the_files_themselves_are_sound(server: ShippedJails) -> None:
    """Without the test's own overrides: nothing that fail2ban warns of, and every setting is what the files say."""
    (server.config / "jail.d/zz-test.local").unlink()
    dump = server.client("-d")
    log = server.client("-t")

    assert "OK: configuration test is successful" in log
    assert "WARNING" not in dump + log
    assert "ERROR" not in dump + log
    for jail, (setting, value) in itertools.product(
        FAILURES,
        {"maxretry": "5", "findtime": "'10m'", "bantime": "'24h'", "bantime.multipliers": "'1 2 4 7'"}.items(),
    ):
        assert re.search(rf"\['set', '{jail}', '{setting}', '?{value}'?\]", dump), (jail, setting)
        assert f"['add', '{jail}', 'systemd']" in dump
        assert f"['set', '{jail}', 'addaction', 'nftables']" in dump
    assert "['set', 'dbpurgeage', '60d']" in dump


def test_every_file_says_where_it_goes(release: str | None) -> None:
    how = (SHIPPED / "jail.d/mailserver.local").read_text()
    for file in SHIPPED.glob("*/*"):
        assert f"cp {file.relative_to(SHIPPED)} /etc/fail2ban/{file.parent.name}/" in how
