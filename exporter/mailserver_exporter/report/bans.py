"""Who is banned now, by fail2ban or by mailcow's netfilter."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping
from datetime import tzinfo

from mailserver_exporter.collectors.base import Context
from mailserver_exporter.collectors.log_finding import LogFinder
from mailserver_exporter.host_zone import own_zone
from mailserver_exporter.report.heaviest import Network, network_of
from mailserver_exporter.sources import SourceError, fail2ban, netfilter_log
from mailserver_exporter.sources.past_log import Span, worded

_SECONDS = 2.0
# netfilter's own bound, max_ban_time, is below three hours unless changed.
_LONGEST_BAN = 86400


def now(context: Context, finder: LogFinder, logs: Mapping[str, str], problems: list[str]) -> Counter[Network] | None:
    """Return how many addresses are banned, by network; None where nobody bans or can say whom.

    ``logs`` are the names of the programs' logs; what could not be asked is added to ``problems``.
    """
    found = [
        _by_fail2ban(context, problems),
        _by_netfilter(finder, logs.get("netfilter", ""), own_zone(context.host), problems),
    ]
    if all(each is None for each in found):
        return None
    addresses = set().union(*(each or () for each in found))
    networks = (network_of(address) for address in addresses)
    return Counter(network for network in networks if network is not None)


def _by_fail2ban(context: Context, problems: list[str]) -> set[str] | None:
    path = context.host.path(context.config.fail2ban.socket)
    if context.config.fail2ban.enabled is False or not os.path.exists(path):
        return None
    try:
        with fail2ban.Client(path, _SECONDS) as client:
            return client.banned()
    except fail2ban.RefusedError:
        return None  # an old one, which does not know the question
    except (SourceError, OSError) as error:
        problems.append(worded("fail2ban", error))
        return None


def _by_netfilter(finder: LogFinder, name: str, zone: tzinfo, problems: list[str]) -> set[str] | None:
    """Return whom netfilter has banned, by its log, for a time that is not over."""
    if not name:
        return None
    end = time.time()
    span = Span(end - _LONGEST_BAN, end, time.monotonic() + _SECONDS, zone)
    until: dict[str, float] = {}
    try:
        for at, line in finder.past(name, zone).past(span, netfilter_log.ban):
            if (ban := netfilter_log.ban(line)) is not None:
                until[ban[0].removesuffix("/32").removesuffix("/128")] = at + ban[1]
    except (SourceError, OSError) as error:
        problems.append(worded(name, error))
        return None
    problems += span.problems
    return {address for address, last in until.items() if last > end}
