"""MTA-STS: the promise that our MX hosts do TLS, and the policy that says so (RFC 8461 3.1, 3.2, 3.3, 4.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mailserver_exporter.sources.posture import tags
from mailserver_exporter.sources.posture.answers import Lookup, Verdict, absent, bad, good, shown

MODES = ("enforce", "testing", "none")
MAX_POLICY_BYTES = 64 * 1024
_MAX_AGE_LIMIT = 31_557_600
_DAY = 86_400


class PolicyError(ValueError):
    """A policy that cannot be fetched, or means nothing."""


@dataclass(frozen=True)
class Policy:
    """A policy; ``max_age`` is in seconds."""

    mode: str
    mx: tuple[str, ...]
    max_age: int


def parse(data: bytes) -> Policy:
    """Parse a policy; raises PolicyError."""
    keys: dict[str, str] = {}
    mx: list[str] = []
    for line in data.decode("utf-8", "replace").splitlines():
        if not line.strip():
            continue
        key, colon, value = (part.strip() for part in line.partition(":"))
        if not colon:
            raise PolicyError(f"the line {shown(line.strip(), 40)!r} is not KEY: VALUE")
        if key == "mx":
            mx.append(value.lower().rstrip("."))
        else:
            keys.setdefault(key, value)  # of several, the first counts (3.2)
    if keys.get("version") != "STSv1":
        raise PolicyError("version: must be STSv1")
    mode = keys.get("mode", "")
    if mode not in MODES:
        raise PolicyError("mode: must be enforce, testing or none")
    age = keys.get("max_age", "")
    if not re.fullmatch("[0-9]{1,10}", age) or int(age) > _MAX_AGE_LIMIT:
        raise PolicyError(f"max_age: must be a number of seconds up to {_MAX_AGE_LIMIT}")
    if not mx and mode != "none":
        raise PolicyError("names no mx:")
    return Policy(mode, tuple(mx), int(age))


def permits(policy: Policy, host: str) -> bool:
    """Say whether an MX host is one of the policy's; ``*.`` stands for exactly one label (4.1)."""
    behind = host.partition(".")[2]
    return any(pattern == host or (pattern.startswith("*.") and pattern[2:] == behind) for pattern in policy.mx)


def check(domain: str, hosts: Sequence[str], lookup: Lookup, fetch: Callable[[str], bytes]) -> Verdict:
    """Judge record and policy. ``fetch`` gets the policy from a host, raising PolicyError and LookupFailed."""
    name = f"_mta-sts.{domain}"
    records = tags.with_version(lookup(name, "TXT").records, "STSv1")
    if not records:
        return absent(f"no MTA-STS record at {name}")
    if len(records) > 1:
        return bad(f"{name} has {len(records)} MTA-STS records, so none of them counts", "leave one")
    try:
        identity = tags.parse(records[0]).get("id", "")
    except ValueError as error:
        return bad(f"the MTA-STS record {name} is broken: {error}")
    if not re.fullmatch("[A-Za-z0-9]{1,32}", identity):
        return bad(f"the MTA-STS record {name} needs an id= of up to 32 letters and digits")
    host = f"mta-sts.{domain}"
    try:
        policy = parse(fetch(host))
    except PolicyError as error:
        return bad(f"MTA-STS policy of {host}: {error}", f"curl -v https://{host}/.well-known/mta-sts.txt")
    if policy.mode != "none":
        missing = [shown(each, 80) for each in hosts if not permits(policy, each)]
        if missing:
            return bad(f"the MTA-STS policy of {domain} does not name the MX {', '.join(missing)}", mode=policy.mode)
        if policy.max_age < _DAY:
            return bad(f"the MTA-STS policy of {domain} is kept for less than a day (max_age)", mode=policy.mode)
    return good(f"{policy.mode}, kept for {policy.max_age} s", mode=policy.mode)
