"""What fail2ban has on record, whatever state its database is in."""

from __future__ import annotations

import math
import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from mailserver_exporter.collectors.fail2ban import Fail2banDatabaseCollector
from mailserver_exporter.errands import fail2ban_database
from mailserver_exporter.sources import SourceError, fail2ban_db
from mailserver_exporter.sources.fail2ban_db import JailBans
from tests.support.contexts import context
from tests.support.metrics import Exposition

DAY = 86400
NOW = 100 * DAY

# fail2ban 1.0.2, `sqlite3 fail2ban.sqlite3 .schema`; 0.11.2 and 1.1.0 say the same.
SCHEMA_4 = """
CREATE TABLE fail2banDb(version INTEGER);
CREATE TABLE bans(jail TEXT NOT NULL, ip TEXT, timeofban INTEGER NOT NULL, bantime INTEGER NOT NULL, bancount INTEGER
 NOT NULL default 1, data JSON, FOREIGN KEY(jail) REFERENCES jails(name) );
CREATE INDEX bans_jail_timeofban_ip ON bans(jail, timeofban);
CREATE INDEX bans_jail_ip ON bans(jail, ip);
CREATE INDEX bans_ip ON bans(ip);
CREATE TABLE bips(ip TEXT NOT NULL, jail TEXT NOT NULL, timeofban INTEGER NOT NULL, bantime INTEGER NOT NULL, bancount
 INTEGER NOT NULL default 1, data JSON, PRIMARY KEY(ip, jail), FOREIGN KEY(jail) REFERENCES jails(name) );
CREATE INDEX bips_timeofban ON bips(timeofban);
CREATE INDEX bips_ip ON bips(ip);
INSERT INTO fail2banDb VALUES (4);
"""
# fail2ban 0.10.2
SCHEMA_2 = """
CREATE TABLE fail2banDb(version INTEGER);
CREATE TABLE bans(jail TEXT NOT NULL, ip TEXT, timeofban INTEGER NOT NULL, data JSON);
INSERT INTO fail2banDb VALUES (2);
"""

Ban = tuple[str, str, int, int, int]  # jail, address, when, how long, the how manieth


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fail2ban.sqlite3"


def database(path: Path, bans: Sequence[Ban] = (), schema: str = SCHEMA_4) -> Path:
    """Make a database with these bans, oldest first, as the server writes them into both tables."""
    connection = sqlite3.connect(path)
    with connection:
        connection.executescript(schema)
        for jail, ip, when, bantime, count in bans:
            connection.execute("INSERT INTO bans VALUES (?, ?, ?, ?, ?, '{}')", (jail, ip, when, bantime, count))
            connection.execute(
                "INSERT OR REPLACE INTO bips VALUES (?, ?, ?, ?, ?, '{}')", (ip, jail, when, bantime, count)
            )
    connection.close()
    return path


def read(path: Path) -> dict[str, JailBans]:
    return fail2ban_db.read(str(path), NOW)


def test_counts_the_bans_of_a_day(path: Path) -> None:
    bans = [("sshd", f"192.0.2.{n}", when, 600, 1) for n, when in enumerate((NOW - DAY - 1, NOW - DAY, NOW - 5))]
    assert read(database(path, [*bans, ("postfix", "192.0.2.9", NOW, 600, 1)])) == {
        "sshd": JailBans(day=2, current=(1, 0, 0, 0), longest_end=NOW + 595),
        "postfix": JailBans(day=1, current=(1, 0, 0, 0), longest_end=NOW + 600),
    }


def test_sorts_who_is_banned_now_by_the_number_of_the_ban(path: Path) -> None:
    bans = [("sshd", f"192.0.2.{count}", NOW - DAY - 1, 3 * DAY, count) for count in range(8)]

    found = read(database(path, bans))["sshd"]

    # A count of 0 is that of a server that does not count; such a ban is a first one.
    assert found.current == (2, 1, 1, 4)
    assert found.offenders == 6


def test_a_ban_is_over_at_its_last_second(path: Path) -> None:
    database(path, [("sshd", "192.0.2.1", NOW - 10, 10, 2), ("sshd", "192.0.2.2", NOW - 10, 11, 2)])

    assert read(path)["sshd"] == JailBans(day=2, current=(0, 1, 0, 0), longest_end=NOW + 1, offenders=2)


def test_a_ban_for_ever_is_the_longest_and_one_of_unknown_length_is_in_force(path: Path) -> None:
    database(path, [("a", "192.0.2.1", NOW, -1, 1), ("a", "192.0.2.2", NOW, 600, 2), ("b", "192.0.2.2", NOW, -2, 1)])

    found = read(path)

    assert found["a"] == JailBans(day=2, current=(1, 1, 0, 0), longest_end=None, offenders=1)
    assert found["b"].current == (1, 0, 0, 0)


def test_knows_offenders_of_jails_that_do_not_count_by_their_bans(path: Path) -> None:
    database(path, [("sshd", "192.0.2.1", NOW - n * DAY, 600, 1) for n in (9, 5, 2)])

    assert read(path) == {"sshd": JailBans(offenders=1)}


def test_a_database_without_bans_has_nothing_to_tell(path: Path) -> None:
    assert read(database(path)) == {}


def test_text_that_is_no_utf8_is_still_a_name(path: Path) -> None:
    database(path)
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("INSERT INTO bans VALUES (CAST(x'66ff' AS TEXT), '192.0.2.1', ?, 600, 1, '{}')", (NOW,))
    connection.close()

    assert read(path) == {"f\ufffd": JailBans(day=1)}


def test_a_path_with_odd_characters_is_opened(tmp_path: Path) -> None:
    odd = tmp_path / "a?mode=rwc&b#c %20"
    odd.mkdir()

    assert read(database(odd / "f.sqlite3", [("sshd", "192.0.2.1", NOW, 600, 1)])).keys() == {"sshd"}


@pytest.mark.parametrize("content", [None, b"", b"SQLite format 3\0" + b"\xff" * 5000, b"text" * 1000])
def test_a_database_that_cannot_be_used_is_a_failure_and_stays_as_it_is(content: bytes | None, path: Path) -> None:
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SourceError, match="cannot read fail2ban's database"):
        read(path)
    assert (path.read_bytes() if path.exists() else None) == content
    assert list(path.parent.iterdir()) == ([] if content is None else [path])


def test_a_database_that_ends_early_is_a_failure_with_a_remedy(path: Path) -> None:
    database(path, [("sshd", f"192.0.2.{n % 250}", NOW - n, 600, 1) for n in range(2000)])
    os.truncate(path, path.stat().st_size // 2)

    with pytest.raises(SourceError, match="malformed") as caught:
        read(path)
    assert caught.value.remedy.startswith("systemctl stop fail2ban; mv ")


def test_values_that_are_no_numbers_are_a_failure(path: Path) -> None:
    database(path, schema="CREATE TABLE fail2banDb(version); INSERT INTO fail2banDb VALUES ('four')")

    with pytest.raises(SourceError, match="cannot read fail2ban's database"):
        read(path)


def test_an_old_schema_says_which_fail2ban_it_takes(path: Path) -> None:
    with pytest.raises(SourceError, match="schema 2, which keeps no counts") as caught:
        read(database(path, schema=SCHEMA_2))
    assert "0.11" in caught.value.remedy


def test_a_schema_of_the_future_is_read_as_long_as_the_columns_are_there(path: Path) -> None:
    later = SCHEMA_4.replace("VALUES (4)", "VALUES (9)").replace("data JSON,", "data JSON, country TEXT,")
    database(path, schema=later)
    assert read(path) == {}
    path.unlink()
    database(path, schema=later.replace("bancount", "times"))
    with pytest.raises(SourceError, match="no such column: bancount"):
        read(path)


def test_a_locked_database_is_given_up_after_a_second(path: Path) -> None:
    database(path)
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    try:
        started = time.monotonic()
        with pytest.raises(SourceError, match="locked"):
            read(path)
        assert time.monotonic() - started < 4
    finally:
        writer.close()


def test_a_database_that_would_keep_fail2ban_waiting_is_given_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fail2ban_db, "_QUESTION_SECONDS", 0.0)
    database(path, [("sshd", f"10.0.{n // 250}.{n % 250}", NOW, 600, 2) for n in range(5000)])

    with pytest.raises(SourceError, match=r"\(\d MB\) is too large to be read in 0 s"):
        read(path)


def test_the_errand_tells_what_can_travel_as_json(path: Path) -> None:
    database(path, [("sshd", "192.0.2.1", NOW, -1, 1)])

    assert fail2ban_database.run({"path": str(path), "now": NOW}) == {
        "sshd": {"day": 1, "current": (1, 0, 0, 0), "longest_end": None, "offenders": 0}
    }


# The collector, while no server answers


@pytest.fixture
def collector(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fail2banDatabaseCollector:
    monkeypatch.setattr("mailserver_exporter.collectors.fail2ban._USUAL_DATABASE", str(path))
    return Fail2banDatabaseCollector(context(tmp_path / "state", f"fail2ban: {{socket: {tmp_path}/none.sock}}"))


def test_what_is_on_record_is_shown_while_the_server_is_away(collector: Fail2banDatabaseCollector, path: Path) -> None:
    now = int(time.time())
    bans = [("sshd", "192.0.2.1", now, 600, 5), ("postfix", "192.0.2.1", now, -1, 1)]
    database(path, bans)

    found = Exposition.of(collector.collect())

    levels = {s.labels["level"]: s.value for s in found.all("mailserver_fail2ban_bans_current", jail="sshd")}
    assert levels == {"1": 0, "2": 0, "3": 0, "4+": 1}
    assert 500 < found.value("mailserver_fail2ban_longest_remaining_ban_seconds", jail="sshd") <= 600
    assert found.value("mailserver_fail2ban_longest_remaining_ban_seconds", jail="postfix") == math.inf
    assert found.value("mailserver_fail2ban_known_offenders", jail="sshd") == 1
    assert "192.0.2" not in found.text


def test_without_server_and_database_the_server_is_what_is_missing(collector: Fail2banDatabaseCollector) -> None:
    with pytest.raises(SourceError, match="does not answer"):
        list(collector.collect())


def test_reads_again_only_what_has_changed(
    collector: Fail2banDatabaseCollector, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []

    def send(name: str, request: object, seconds: float) -> object:
        sent.append(name)
        return fail2ban_database.run(request)

    monkeypatch.setattr("mailserver_exporter.errand.send", send)
    monkeypatch.setattr("mailserver_exporter.collectors.fail2ban._SHARE", math.inf)
    database(path, [("sshd", "192.0.2.1", int(time.time()), 600, 1)])
    for _ in range(3):
        list(collector.collect())
    assert len(sent) == 1
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("INSERT INTO bips SELECT '192.0.2.2', jail, timeofban, bantime, 4, data FROM bips")
    connection.close()
    found = Exposition.of(collector.collect())

    assert len(sent) == 2
    assert found.value("mailserver_fail2ban_bans_current", jail="sshd", level="4+") == 1


def test_a_database_that_is_slow_to_read_is_left_alone_for_a_while(
    collector: Fail2banDatabaseCollector, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []

    def fail(name: str, request: object, seconds: float) -> object:
        sent.append(name)
        time.sleep(0.05)
        raise SourceError("too large", remedy="lower dbpurgeage")

    monkeypatch.setattr("mailserver_exporter.errand.send", fail)
    database(path)
    for _ in range(3):
        with pytest.raises(SourceError, match="too large") as caught:
            list(collector.collect())
        assert caught.value.remedy == "lower dbpurgeage"
    assert len(sent) == 1
