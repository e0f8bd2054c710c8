"""Whether our addresses are on a blocklist."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter import errand
from mailserver_exporter.collectors import dns_request
from mailserver_exporter.collectors.base import Collector, Context, Detection, Schedule
from mailserver_exporter.finding import Finding

_LOOKUP_SECONDS = 40.0
_ERRAND_SECONDS = 60.0


class BlocklistsCollector(Collector):
    """Blocklists, as `dig +short 2.0.0.127.zen.spamhaus.org` asks them, for each of our public addresses.

    # HELP mailserver_blocklist_listed Whether the list names one of our addresses; absent where it gave no answer.
    # TYPE mailserver_blocklist_listed gauge
    mailserver_blocklist_listed{family="ipv4",list="zen.spamhaus.org"} 0
    mailserver_blocklist_error{family="ipv4",list="zen.spamhaus.org"} 0
    mailserver_blocklist_last_check_timestamp_seconds 1.79e+09

    Asked once an hour; each list is tested first (RFC 5782). A list that refuses, lists everything or is closed is an
    error and not a listing, and one without IPv6 has no series of that family.
    """

    name = "blocklists"
    schedule = Schedule(every=300, deadline=75)

    # Seconds between two rounds: lists give much away for nothing, and count the questions.
    max_age = 3500.0

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._listings: list[dict[str, Any]] = []
        self._addresses: list[str] = []
        self._checked = 0.0
        self._next = float("-inf")

    def detect(self) -> Detection:
        """Say whether there are lists to ask and a mail host or addresses to ask for."""
        if not self.context.config.blocklists.lists:
            return Detection(False, "no blocklists.lists in the configuration")
        if self.context.config.dns.addresses:
            return Detection(True, "addresses named in the configuration")
        host = dns_request.mail_host(self.context)
        if host:
            return Detection(True, f"the addresses of {host}")
        return Detection(False, "no mail host known, and no dns.addresses in the configuration")

    def collect(self) -> Iterator[Metric]:
        """Ask when it is time; yield what was found then."""
        if time.monotonic() >= self._next:
            self._ask()
        return self._families()

    def _ask(self) -> None:
        request = dns_request.base(self.context, _LOOKUP_SECONDS)
        lists = list(self.context.config.blocklists.lists)
        answer = errand.send("blocklists", {**request, "lists": lists}, _ERRAND_SECONDS)
        self._listings, self._addresses = answer["listings"], answer["addresses"]
        self._checked = time.time()
        self._next = time.monotonic() + self.max_age

    def _families(self) -> Iterator[Metric]:
        labels = ["list", "family"]
        listed = GaugeMetricFamily(
            "mailserver_blocklist_listed",
            "Whether the list names one of our addresses; absent where it gave no answer.",
            labels=labels,
        )
        error = GaugeMetricFamily(
            "mailserver_blocklist_error", "Whether the list gave no answer that can be used.", labels=labels
        )
        for listing in self._listings:
            key, state = [listing["list"], listing["family"]], listing["state"]
            if state in ("listed", "clear"):
                listed.add_metric(key, float(state == "listed"))
            if state != "absent":
                error.add_metric(key, float(state == "error"))
        yield from (listed, error)
        yield GaugeMetricFamily(
            "mailserver_blocklist_last_check_timestamp_seconds", "When the blocklists were asked last.", self._checked
        )

    def findings(self) -> Iterator[Finding]:
        """Tell who lists us or gave no answer, and who does not list us."""
        clear = [listing["list"] for listing in self._listings if listing["state"] == "clear"]
        for listing in self._listings:
            if listing["state"] in ("listed", "error"):
                yield Finding(f"blocklist {listing['list']}", "bad", listing["detail"])
        if clear:
            yield Finding("blocklists", "good", f"not listed by {', '.join(dict.fromkeys(clear))}")
        if self._checked and not self._addresses:
            yield Finding("blocklists", "off", "the mail host has no public address to ask for")
