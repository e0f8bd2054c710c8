"""What a receiving server thought of a message's SPF, DKIM and DMARC: Authentication-Results (RFC 8601)."""

from __future__ import annotations

import re
from collections.abc import Collection

METHODS = ("spf", "dkim", "dmarc")
RESULTS = ("pass", "fail", "none")

_MAX_LENGTH = 65536
_VERDICT = re.compile(r"\s*(spf|dkim|dmarc)\s*(?:/\s*\d+\s*)?=\s*([a-z]+)", re.IGNORECASE)


def verdicts(header: str, servers: Collection[str] = ()) -> dict[str, str]:
    """Return pass, fail or none for each of METHODS; of several signatures the best one counts, as it does for DMARC.

    ``header`` is the topmost field: those below may be forged. It may be, too, where the receiving server writes none;
    so, with ``servers``, only what one of these names or domains has signed with its name counts (RFC 8601 5).
    Everything that is neither pass nor absent is fail: softfail, permerror, temperror, policy and what else there is.
    """
    found = dict.fromkeys(METHODS, "none")
    server, *parts = _without_comments(header[:_MAX_LENGTH]).split(";")
    name = (server.split() or [""])[0].lower()
    if servers and not any(name == trusted or name.endswith(f".{trusted}") for trusted in servers):
        return found
    for part in parts:
        if (match := _VERDICT.match(part)) is None:
            continue
        method, result = match[1].lower(), match[2].lower()
        if result == "pass":
            found[method] = "pass"
        elif result != "none" and found[method] == "none":
            found[method] = "fail"
    return found


def _without_comments(text: str) -> str:
    """Take RFC 5322's comments out, which nest."""
    depth = 0
    kept = []
    for part in re.split(r"([()])", text):
        if part == "(":
            depth += 1
        elif part == ")":
            depth = max(0, depth - 1)
        elif not depth:
            kept.append(part)
    return " ".join(kept)
