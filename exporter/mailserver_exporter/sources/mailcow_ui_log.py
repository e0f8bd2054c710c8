"""What mailcow's web interface says of logins (data/web/inc/functions.auth.inc.php there), in php-fpm's log.

How it is fenced: the message is recognised where PHP's own text ends. A user name with a line break could begin a line
of its own, and so count as a failed login, which it is: it cannot reach another counter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mailserver_exporter.sources.tally import Tally

LOGIN_FAILURES = "mailserver_mailcow_ui_login_failures_total"

# As FastCGI Process Manager writes it: its own messages, those of its workers, and the access log.
_LINE = re.compile(
    rb"(?:\[[^\]]{10,40}\] (?:DEBUG|NOTICE|WARNING|ERROR|ALERT): )?(?:"
    rb"(?:\[pool [\w.-]+\] child \d+ said into std(?:err|out): \")?(?:NOTICE: )?(?:PHP message: )?"
    rb"mailcow UI: (?P<failed>Invalid password for )"
    rb"|(?P<known>\[pool |PHP message: |NOTICE: PHP message: |PHP "
    rb"|fpm is running|ready to handle|\S+ - +\S* ?\d\d/\w{3}/\d{4}:))"
)


def read(lines: Sequence[bytes], tally: Tally) -> int:
    """Count lines of the php-fpm container; return how many were understood."""
    understood = 0
    for line in lines:
        found = _LINE.match(line)
        if found is None:
            continue
        understood += 1
        if found.lastgroup == "failed":
            tally[(LOGIN_FAILURES,)] += 1
    return understood
