"""Read fail2ban's database: SQLite's library is 1.4 MiB that the exporter does not keep."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from mailserver_exporter.sources import fail2ban_db


def run(request: Any) -> object:
    """Return what is recorded of each jail in the database ``path`` at the time ``now``."""
    return {jail: asdict(bans) for jail, bans in fail2ban_db.read(request["path"], request["now"]).items()}
