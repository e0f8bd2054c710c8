"""The bans that fail2ban has recorded in its SQLite database (schema: fail2ban, server/database.py).

Two tables matter: ``bans`` has a row for each ban, ``bips`` the newest ban of each address and jail with its number
among the bans of that address. Both are cleared of what is older than ``dbpurgeage``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mailserver_exporter.sources import SourceError

if TYPE_CHECKING:
    from sqlite3 import Connection

# The first, the second and the third ban of an address; the last level is for all after them.
LEVELS = 4
DAY = 86400

_BUSY_SECONDS = 1.0
# While a question is answered fail2ban cannot write, and it gives up a ban that it could not write for five seconds.
_QUESTION_SECONDS = 2.5
_MAX_ROWS = 4000
# bips came with version 4 of the schema, in fail2ban 0.11.
_OLDEST_SCHEMA = 4

_BANS_SINCE = "SELECT jail, COUNT(*) FROM bans WHERE timeofban >= ? GROUP BY jail"
# As _getCurrentBans() asks; a bantime of -1 is for ever, -2 a ban whose length an old version did not write down.
_CURRENT = """
    SELECT jail, MIN(bancount, ?) AS level, COUNT(*), MAX(bantime = -1), MAX(timeofban + bantime)
    FROM bips WHERE timeofban + bantime > ? OR bantime <= -1 GROUP BY jail, level
"""
# bancount counts only where bantime.increment is on; elsewhere the rows of an address tell.
_OFFENDERS = """
    SELECT jail, COUNT(*) FROM (
        SELECT jail, ip FROM bips WHERE bancount > 1
        UNION SELECT jail, ip FROM bans GROUP BY jail, ip HAVING COUNT(*) > 1
    ) GROUP BY jail
"""


@dataclass(frozen=True)
class JailBans:
    """What is recorded of a jail.

    ``current`` are the addresses that are banned now, by level: the first is for the first ban of an address.
    ``longest_end`` is when the longest of these ends, in seconds since the epoch, 0 without any, None for never.
    ``offenders`` are the addresses that were banned more than once.
    """

    day: int = 0
    current: tuple[int, ...] = (0,) * LEVELS
    longest_end: float | None = 0.0
    offenders: int = 0


def read(path: str, now: float) -> dict[str, JailBans]:
    """Return what is recorded of each jail; one of which nothing is, is not in it.

    The server writes bans a moment after they are made, and strikes out those that are lifted by hand.
    The database is opened for reading only. Raises SourceError when it is missing, damaged, locked for a second, not
    fail2ban's, of a version without counts of bans, or so large that fail2ban would have to wait.
    """
    # 1.4 MiB: for errands, not for the exporter itself.
    import sqlite3

    if not os.path.isfile(path):
        raise SourceError(
            f"cannot read fail2ban's database {path}: no such file", remedy="fail2ban-client get dbfile; ls -l the file"
        )
    try:
        connection = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
        # Text that is no UTF-8 is still text.
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        try:
            return _read(connection, path, int(now))
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        if str(error) == "interrupted":
            size = os.stat(path).st_size / 1e6
            raise SourceError(
                f"fail2ban's database {path} ({size:.0f} MB) is too large to be read in {_QUESTION_SECONDS:g} s",
                remedy="lower dbpurgeage in /etc/fail2ban/fail2ban.local; systemctl restart fail2ban",
            ) from error
        raise SourceError(f"cannot read fail2ban's database {path}: {error}") from error
    except (sqlite3.Error, OverflowError, TypeError, ValueError) as error:
        raise SourceError(
            f"cannot read fail2ban's database {path}: {error}",
            remedy=f"systemctl stop fail2ban; mv {path} {path}.bad; systemctl start fail2ban",
        ) from error


def _read(connection: Connection, path: str, now: int) -> dict[str, JailBans]:
    version = _version(connection)
    if version < _OLDEST_SCHEMA:
        raise SourceError(
            f"fail2ban's database {path} has schema {version}, which keeps no counts of bans",
            remedy="fail2ban 0.11 or newer does",
        )
    found: dict[str, JailBans] = {}
    for jail, count in _ask(connection, _BANS_SINCE, now - DAY):
        found[str(jail)] = JailBans(day=int(count))
    for jail, level, count, for_ever, end in _ask(connection, _CURRENT, LEVELS, now):
        known = found.get(str(jail), JailBans())
        current = list(known.current)
        current[max(int(level), 1) - 1] += int(count)
        longest = None if for_ever or known.longest_end is None else max(known.longest_end, float(end))
        found[str(jail)] = replace(known, current=tuple(current), longest_end=longest)
    for jail, count in _ask(connection, _OFFENDERS):
        found[str(jail)] = replace(found.get(str(jail), JailBans()), offenders=int(count))
    return found


def _version(connection: Connection) -> int:
    [row] = _ask(connection, "SELECT MAX(version) FROM fail2banDb")
    return int(row[0] or 0)


def _ask(connection: Connection, question: str, *values: int) -> Iterator[tuple[Any, ...]]:
    """Yield the rows, as many as are believed; each question has a lock of its own."""
    end = time.monotonic() + _QUESTION_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > end, 10_000)
    yield from connection.execute(f"{question} LIMIT ?", (*values, _MAX_ROWS)).fetchall()
