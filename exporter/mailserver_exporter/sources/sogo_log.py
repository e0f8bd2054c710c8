"""What SOGo says of logins (UI/MainUI/SOGoRootPage.m there), in the log of mailcow's container or in a file.

How it is fenced: before the message stand only dates, the names of host and program and process ids, so no quotation
mark; the lines of SOGo's access log, whose addresses anybody may choose, have one before anything that is chosen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mailserver_exporter.sources.tally import Tally

LOGIN_FAILURES = "mailserver_sogo_login_failures_total"

_HEADER = rb"[^\"'()=]{0,200}?"
_FAILED = re.compile(rb"%s\bSOGoRootPage\S{0,8} Login from '" % _HEADER)
_KNOWN = re.compile(rb"%s\bsogod\b" % _HEADER)


def read(lines: Sequence[bytes], tally: Tally) -> int:
    """Count lines of SOGo's; return how many were understood."""
    understood = 0
    for line in lines:
        if _FAILED.match(line):
            tally[(LOGIN_FAILURES,)] += 1
            understood += 1
        elif _KNOWN.match(line):
            understood += 1
    return understood
