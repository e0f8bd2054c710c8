"""What mailcow's netfilter says (data/Dockerfiles/netfilter/main.py and modules/Logger.py there).

Read are lines with date and level, as it writes them since October 2025, and those without, as it did before.

How it is fenced: a message is recognised by how it begins. The lines that netfilter has matched are repeated behind
"matched rule id", so what is in them is never at the beginning of a line, unless they hold a line break: those of
syslog cannot, and what mailcow's UI tells it of is in small letters, so that no level and no message below fits it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mailserver_exporter.sources.tally import Tally

BANS = "mailserver_mailcow_netfilter_bans_total"
UNBANS = "mailserver_mailcow_netfilter_unbans_total"
WARNINGS = "mailserver_mailcow_netfilter_warnings_total"
STARTS = "mailserver_mailcow_netfilter_starts_total"

_NET = rb"[0-9a-fA-F.:]{2,45}(?:/\d{1,3})?"
_MESSAGE = re.compile(
    rb"(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (?:INFO|WARN|CRIT): )?(?:"
    rb"(?P<ban>Banning %(net)s for \d+ minutes)"
    rb"|(?P<unban>Unbanning %(net)s\s*$)"
    rb"|(?P<warning>\d+ more attempts in the next \d+ seconds until %(net)s is banned)"
    rb"|(?P<start>Watching Redis channel F2B_CHANNEL)"
    rb"|(?P<known>%(net)s matched rule id |Using (?:NFT|IPT)ables backend|Initializing mailcow netfilter chain"
    rb"|Setting |Skipping |DEBUG: |Clearing all bans|%(net)s is not banned|Added host/network |Removed host/network "
    rb"|(?:White|Black|Allow|Deny)list was changed|Address .* is (?:white|allow)listed|Hostname .* timedout on resolve"
    rb"|Error |MAILCOW target is in position ))" % {b"net": _NET}
)
_BAN = re.compile(
    rb"(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (?:INFO|WARN|CRIT): )?"
    rb"(?:Banning (?P<banned>%(net)s) for (?P<minutes>\d{1,9}) minutes|Unbanning (?P<unbanned>%(net)s)\s*$)"
    % {b"net": _NET}
)
_NAMES = {"ban": BANS, "unban": UNBANS, "warning": WARNINGS, "start": STARTS}


def read(lines: Sequence[bytes], tally: Tally) -> int:
    """Count lines of netfilter's; return how many were understood."""
    understood = 0
    for line in lines:
        found = _MESSAGE.match(line)
        if found is None or found.lastgroup is None:
            continue
        understood += 1
        if found.lastgroup in _NAMES:
            tally[(_NAMES[found.lastgroup],)] += 1
    return understood


def ban(line: bytes) -> tuple[str, float] | None:
    """Return which network a line says is banned from now on, and for how many seconds: 0 where a ban is lifted."""
    found = _BAN.match(line)
    if found is None:
        return None
    return (found["banned"] or found["unbanned"]).decode(), float(found["minutes"] or 0) * 60
