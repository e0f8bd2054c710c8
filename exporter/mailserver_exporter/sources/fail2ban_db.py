"""The bans that fail2ban has recorded in its SQLite database (schema: fail2ban, server/database.py)."""

from __future__ import annotations

import os
from urllib.parse import quote

from mailserver_exporter.sources import SourceError

_BUSY_SECONDS = 1.0
# A jail's bans of a day by the million would still be one number; what is bounded is the time to count them.
_MAX_STEPS = 50_000_000


def bans_since(path: str, since: float) -> dict[str, int]:
    """Return the number of bans by jail since a time in seconds since the epoch; jails without bans are not in it.

    The server writes bans a moment after they are made, and strikes out those that are lifted by hand.
    The database is opened for reading only. Raises SourceError when it is missing, locked for a second or not
    fail2ban's.
    """
    # 1.4 MiB that only hosts with fail2ban pay.
    import sqlite3

    if not os.path.isfile(path):
        raise SourceError(f"cannot read fail2ban's database {path}: no such file")
    try:
        connection = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
        try:
            connection.set_progress_handler(_Steps(_MAX_STEPS), 10_000)
            rows = connection.execute(
                "SELECT jail, COUNT(*) FROM bans WHERE timeofban >= ? GROUP BY jail LIMIT 1000", (int(since),)
            )
            return {str(jail): int(count) for jail, count in rows}
        finally:
            connection.close()
    except (sqlite3.Error, OverflowError) as error:
        raise SourceError(f"cannot read fail2ban's database {path}: {error}") from error


class _Steps:
    """Says when SQLite has worked long enough."""

    def __init__(self, most: int) -> None:
        self._left = most // 10_000

    def __call__(self) -> bool:
        self._left -= 1
        return self._left < 0
