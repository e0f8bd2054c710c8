"""The Postfix queue: how many messages by state, and how old and large they are.

Two collectors, because they have two rhythms: counting is cheap and done at every scrape, so that a queue that fills
up is seen at once; the age of each message needs Postfix to open every file, which is done now and then in the
background and cannot hold up the counts or take them along when it fails.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors.base import Collector, Context, Detection, Schedule, thresholds
from mailserver_exporter.finding import counted
from mailserver_exporter.settings.types import Section
from mailserver_exporter.sources import postfix_queue, queue_listing, showq
from mailserver_exporter.sources.postfix_queue import QueueCounter
from mailserver_exporter.sources.queue_listing import Figures, Listing


class _OfQueue(Collector):
    """What both collectors share: where the queue is."""

    @property
    def section(self) -> Section:
        """Both are switched on and off by ``queue``."""
        return self.context.config.queue

    def detect(self) -> Detection:
        """Say whether the mail stack has a queue directory; the one that the configuration names has to be there."""
        directory = self._directory()
        if self.context.config.queue.directory:
            return Detection(True, f"{directory}, named in the configuration")
        if not directory:
            return Detection(False, "no mail stack found, and no queue.directory in the configuration")
        if self.context.mailstack.get().kind == "mailcow":
            return Detection(True, f"{directory}, mailcow's")
        if self.name in self.context.expectations.expect("collector", ()):
            return Detection(True, directory)  # not touched here: its disk may hang, and the scrape with it
        found = os.path.isdir(self.context.host.path(directory))
        return Detection(found, directory if found else f"no directory {directory}")

    def _directory(self) -> str:
        configured = self.context.config.queue.directory
        return str(configured) if configured else self.context.mailstack.get().queue_directory

    def _path(self) -> str:
        return self.context.host.path(self._directory())


class QueueCollector(_OfQueue):
    """Messages by state, as `find /var/spool/postfix/STATE -type f | wc -l` counts them.

    # HELP postfix_showq_queue_depth Number of messages in Postfix's queue directories.
    # TYPE postfix_showq_queue_depth gauge
    postfix_showq_queue_depth{queue="active"} 0
    postfix_showq_queue_depth{queue="deferred"} 12
    mailserver_threshold_queue_messages{severity="warning"} 10
    """

    name = "queue"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._counter = QueueCounter()
        self._messages = 0

    def collect(self) -> Iterator[Metric]:
        """Yield the counts and their limits."""
        counts = self._counter.count(self._path())
        self._messages = sum(counts.values())
        depth = GaugeMetricFamily(
            "postfix_showq_queue_depth", "Number of messages in Postfix's queue directories.", labels=["queue"]
        )
        for state, count in counts.items():
            depth.add_metric([state], count)
        yield depth
        limits = self.context.config.limits
        yield thresholds("queue_messages", "Limit of the number of queued messages.", [({}, limits.queue_messages)])

    def found(self) -> str:
        """Say where the queue is and how many messages are in it."""
        return f"{self._directory()}: {counted(self._messages, 'message')}"

    def close(self) -> None:
        """Let go of directories that are being listed."""
        self._counter.close()


_NOTHING = Listing({}, complete=True, by_showq=True)


class QueueMessagesCollector(_OfQueue):
    """Age and size of queued messages, as `postqueue -j` lists them.

    # HELP mailserver_queue_oldest_message_age_seconds Time since the oldest message arrived, 0 when there is none.
    # TYPE mailserver_queue_oldest_message_age_seconds gauge
    mailserver_queue_oldest_message_age_seconds{queue="active"} 0
    mailserver_queue_oldest_message_age_seconds{queue="deferred"} 7261
    mailserver_queue_bytes{queue="deferred"} 48213
    mailserver_queue_listing_complete 1
    postfix_showq_message_age_seconds_bucket{le="10",queue="deferred"} 0
    postfix_showq_message_size_bytes_bucket{le="1000",queue="deferred"} 3
    mailserver_threshold_queue_oldest_message_age_seconds{severity="warning"} 3600

    The queue is listed every 10 seconds, less often when that would keep Postfix busy for more than 1/50 of the time or
    a core here for more than 1/1000. In between, ages go on growing and what has become empty is 0. A listing ends
    after 200,000 messages or 60 seconds; then mailserver_queue_listing_complete is 0, and sizes and histograms tell of
    what was listed. While Postfix does not answer, up to 1000 messages of each state are read from the disk once a
    minute. `corrupt`, which Postfix does not list, is only counted.
    """

    name = "queue_messages"
    schedule = Schedule(every=10, deadline=90)

    _LISTING_SECONDS = 60.0
    _SHARE = 50
    _CPU_SHARE = 1000
    _PAUSE_WITHOUT_SHOWQ = 60.0

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._listing = _NOTHING
        self._oldest: dict[str, int] = {}
        self._noticed: dict[str, int] = {}
        self._next = float("-inf")

    def collect(self) -> Iterator[Metric]:
        """Yield age, size and their limits; list the queue when it is time."""
        queue = self._path()
        now = time.time()
        # Arrivals are kept rather than ages, so that the age is right at every run.
        occupied = [state for state in showq.QUEUES if postfix_queue.messages(queue, state, 1)]
        self._oldest = {state: arrived for state, arrived in self._oldest.items() if state in occupied}
        # What has come since the listing is given this age until the next.
        self._noticed = {state: self._noticed.get(state, int(now)) for state in occupied}
        if not occupied:
            self._listing = _NOTHING
        elif time.monotonic() >= self._next:
            self._list(queue, occupied, now)
        empty = Figures()
        figures = {s: self._listing.states.get(s, empty) if s in occupied else empty for s in showq.QUEUES}
        yield from self._families(figures, time.time())

    def _list(self, queue: str, occupied: list[str], now: float) -> None:
        started, cpu = time.monotonic(), time.thread_time()
        self._next = started + self._PAUSE_WITHOUT_SHOWQ
        self._listing = queue_listing.take(queue, now, self._LISTING_SECONDS)
        if self._listing.by_showq:
            ended = time.monotonic()
            pause = max((ended - started) * self._SHARE, (time.thread_time() - cpu) * self._CPU_SHARE)
            self._next = ended + pause
        known = {} if self._listing.complete else self._oldest
        for state in occupied:
            found = self._listing.states[state].oldest
            if found is not None:
                known[state] = min(found, known.get(state, found))
        self._oldest = known

    def _families(self, figures: Mapping[str, Figures], now: float) -> Iterator[Metric]:
        oldest = GaugeMetricFamily(
            "mailserver_queue_oldest_message_age_seconds",
            "Time since the oldest message arrived, 0 when there is none.",
            labels=["queue"],
        )
        size = GaugeMetricFamily("mailserver_queue_bytes", "Size of all listed messages.", labels=["queue"])
        ages = HistogramMetricFamily(
            "postfix_showq_message_age_seconds", "Age of queued messages when they were listed.", labels=["queue"]
        )
        sizes = HistogramMetricFamily(
            "postfix_showq_message_size_bytes", "Size of queued messages when they were listed.", labels=["queue"]
        )
        for state, each in figures.items():
            arrived = self._oldest.get(state, self._noticed.get(state, now))
            oldest.add_metric([state], max(0.0, now - arrived))
            size.add_metric([state], each.sizes.sum)
            ages.add_metric([state], each.ages.cumulative(), each.ages.sum)
            sizes.add_metric([state], each.sizes.cumulative(), each.sizes.sum)
        yield from (oldest, size, ages, sizes)
        yield GaugeMetricFamily(
            "mailserver_queue_listing_complete",
            "Whether the newest listing of the queue reached its end.",
            1 if self._listing.complete else 0,
        )
        yield thresholds(
            "queue_oldest_message_age_seconds",
            "Limit of the age of the oldest queued message.",
            [({}, self.context.config.limits.queue_oldest_message_age_seconds)],
        )
