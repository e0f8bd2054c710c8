"""The exporter's command line with collectors that run more often and a clock that a test can set off.

Nothing else is changed.
What is told by a collector in the background is up to 15 s old as shipped. Here it is a second, as old as what
Prometheus scrapes in shortened.py, and a hung Docker Engine is given up within the shorter time that a scrape has.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from mailserver_exporter import collectors, web
from mailserver_exporter.cli import main
from mailserver_exporter.collectors import certificates
from mailserver_exporter.collectors.blocklists import BlocklistsCollector
from mailserver_exporter.collectors.certificates import CertificatesCollector
from mailserver_exporter.collectors.dns import DnsCollector
from mailserver_exporter.collectors.ports import PortsCollector
from mailserver_exporter.collectors.processes import ProcessesCollector
from mailserver_exporter.collectors.roundtrip import RoundtripCollector
from mailserver_exporter.collectors.updates import UpdatesCollector
from mailserver_exporter.sources import adjtimex

FASTER = 10.0
CLOCK_OFFSET = "clock-offset"
# All within the second of a scrape: the Engine's deadline, the rest of the collectors, and sending the answer.
SCRAPE_DEADLINE = 0.5
SENDING = 0.1
# A process each time, and two exporters.
ASKING = 6.0
PROBING = 0.4


def hurry() -> None:
    """Shorten the times between two runs, and the deadlines of what runs at the scrape."""
    for collector in collectors.COLLECTORS:
        usual = collector.schedule
        if usual.every is None:
            collector.schedule = replace(usual, deadline=SCRAPE_DEADLINE)
        elif collector.name != "top":
            # No alert comes from the top ten, and they need measurements that lie apart.
            collector.schedule = replace(usual, every=usual.every / FASTER)
    ProcessesCollector.max_age /= FASTER
    UpdatesCollector.pause_seconds = 0.0
    for asking in (DnsCollector, BlocklistsCollector):
        # What is asked once an hour.
        asking.schedule = replace(asking.schedule, every=ASKING)
        asking.max_age = 0.0
    for looking in (CertificatesCollector, RoundtripCollector):
        looking.schedule = replace(looking.schedule, every=ASKING)
    certificates._LEGACY_SECONDS = 0.0
    # As shipped, a port that is slow to answer once is asked again before PortDown fires. A probe waits as long here.
    PortsCollector.schedule = replace(PortsCollector.schedule, every=PROBING)
    # Longer than a port is waited for, as with the usual minute.
    RoundtripCollector.seconds = 12.0
    web.SCRAPE_OFFSET_SECONDS = SENDING


def believe(offset: Path) -> None:
    """Take the clock to be off by the seconds in a file, once it is there.

    Setting the kernel's clock off would be the real thing, and would set it off for everybody on this machine.
    """
    ask = adjtimex.read

    def read() -> adjtimex.Clock:
        return replace(ask(), offset=float(offset.read_text())) if offset.exists() else ask()

    adjtimex.read = read


if __name__ == "__main__":
    hurry()
    believe(Path(sys.argv[1].partition("=")[2]).with_name(CLOCK_OFFSET))
    sys.exit(main())
