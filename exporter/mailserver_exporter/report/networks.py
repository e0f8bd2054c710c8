"""The networks from which most logins failed, read from the logs when the report is made.

Addresses are in no metric, so this asks the logs themselves: those that collectors/logs.py counts from.
"""

from __future__ import annotations

import ipaddress
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from mailserver_exporter.collectors.base import Context
from mailserver_exporter.collectors.log_finding import JOURNAL, LogFinder, programs_by_source
from mailserver_exporter.collectors.log_programs import Program
from mailserver_exporter.config import Config
from mailserver_exporter.expectations import Expectations
from mailserver_exporter.host import Host
from mailserver_exporter.host_zone import own_zone
from mailserver_exporter.mailstack import MailStack
from mailserver_exporter.report import bans
from mailserver_exporter.report.heaviest import Heaviest, Weight
from mailserver_exporter.report.heaviest import Network as Prefix
from mailserver_exporter.sources import SourceError, failed_logins, syslog
from mailserver_exporter.sources.failed_logins import Failure, Finder
from mailserver_exporter.sources.past_log import Span, worded

SECONDS = 8.0
COUNT = 10
# What the Internet does not route: this host, its containers, its local network, a provider's NAT.
_LOCAL = tuple(
    map(
        ipaddress.ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.168.0.0/16", "::1/128", "fc00::/7", "fe80::/10"),
        ),
    )
)


@dataclass(frozen=True)
class Network:
    """One network: ``name`` such as 192.0.2.0/24 or 2001:db8::/48.

    ``services`` are failures by what was logged in to (failed_logins.SERVICES), ``address`` is the only one where
    there was one, else empty. ``banned`` is how many of its addresses fail2ban or mailcow's netfilter bans now, None
    where that is not known. ``at_least`` says that there were too many networks to count all of them: there may have
    been more failures. ``local`` is a network that the Internet does not route, such as that of this host's containers.
    """

    name: str
    failures: int
    services: Mapping[str, int]
    addresses: int
    address: str
    first: datetime
    last: datetime
    banned: int | None = None
    at_least: bool = False
    local: bool = False


@dataclass(frozen=True)
class Networks:
    """The worst networks, the worst first, and ``failures`` of all together.

    ``logs`` are those that were read. ``complete`` is False where something was not read, and ``problems`` say what.
    """

    networks: tuple[Network, ...] = ()
    failures: int = 0
    logs: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    complete: bool = True


def worst(
    config: Config,
    host: Host,
    period_start: datetime,
    period_end: datetime,
    *,
    count: int = COUNT,
    seconds: float = SECONDS,
) -> Networks:
    """Return who failed to log in most in a period, both ends of which have a time zone.

    Takes no longer than about ``seconds``; what could not be read until then, or not at all, is in ``problems``.
    """
    if config.logs.enabled is False:
        return Networks()
    context = Context(config, host, Expectations(config.state_directory, remember=False), MailStack(config, host))
    deadline = time.monotonic() + seconds
    finder = LogFinder(context)
    found = finder.find()
    known = failed_logins.finders()
    sources = list(programs_by_source({program: found[program] for program in found if program in known}).items())
    reader = _Reader(finder, own_zone(host), period_start, period_end, deadline)
    for number, (name, programs) in enumerate(sources):
        reader.read(name, programs, len(sources) - number)
    banned = bans.now(context, finder, found, reader.problems)
    zone = period_end.tzinfo
    return Networks(
        tuple(_told(prefix, weight, banned, zone) for prefix, weight in reader.heaviest.top(count)),
        reader.heaviest.failures,
        tuple(name for name, _ in sources),
        tuple(reader.problems),
        not reader.problems,
    )


class _Reader:
    def __init__(self, finder: LogFinder, zone: tzinfo, start: datetime, end: datetime, deadline: float) -> None:
        self.heaviest = Heaviest()
        self.problems: list[str] = []
        self._finder = finder
        self._zone = zone
        self._start = start.timestamp()
        self._end = end.timestamp()
        self._deadline = deadline

    def read(self, name: str, programs: Sequence[Program], left: int) -> None:
        """Count one log; it may take its share of the time for those that are ``left``."""
        now = time.monotonic()
        span = Span(self._start, self._end, now + (self._deadline - now) / left, self._zone)
        wanted = re.compile(b"|".join(failed_logins.HINTS[program.name] for program in programs)).search
        finders = failed_logins.finders()
        find = _any([finders[program.name] for program in programs])
        bodies = _bodies(name, programs)
        add = self.heaviest.add
        try:
            for at, line in self._finder.past(name, self._zone).past(span, wanted, failed_logins.IDENTS):
                for body in bodies(line):
                    if (failure := find(body)) is not None:
                        add(failure, at)
        except (SourceError, OSError) as error:
            self.problems.append(worded(name, error))
        self.problems += span.problems


def _any(finders: Sequence[Finder]) -> Finder:
    if len(finders) == 1:
        return finders[0]

    def find(line: bytes) -> Failure | None:
        for finder in finders:
            if (failure := finder(line)) is not None:
                return failure
        return None

    return find


def _bodies(name: str, programs: Sequence[Program]) -> Callable[[bytes], Sequence[bytes]]:
    """Return what makes of a line what the finders know: several where syslog says that it was repeated."""
    [first, *others] = programs
    if name == JOURNAL or not first.ident:
        return lambda line: (line,)
    own_date = first.own_date if not others else 0
    ident = re.compile(first.ident)

    def bodies(line: bytes) -> Sequence[bytes]:
        if b" message repeated " in line:
            return syslog.bodies((line,))
        body = syslog.body(line)
        return (line[own_date:] if own_date and not ident.match(body) else body,)

    return bodies


def _told(prefix: Prefix, weight: Weight, banned: Counter[Prefix] | None, zone: tzinfo | None) -> Network:
    addresses = weight.address_count
    return Network(
        str(prefix),
        weight.failures,
        dict(sorted(weight.services.items(), key=lambda each: -each[1])),
        addresses,
        weight.address.decode() if addresses == 1 else "",
        datetime.fromtimestamp(weight.first, zone),
        datetime.fromtimestamp(weight.last, zone),
        None if banned is None else banned[prefix],
        weight.missed > 0,
        any(prefix.version == each.version and prefix.overlaps(each) for each in _LOCAL),
    )
