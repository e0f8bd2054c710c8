"""Make the report: ask everybody, each once and for a bounded time, and put together what came.

Nothing keeps it from going out: what cannot be asked is told at its top, and the rest goes without it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from mailserver_exporter import alert_history
from mailserver_exporter.config import Config
from mailserver_exporter.host import Host
from mailserver_exporter.report import compose, message, networks
from mailserver_exporter.report.counts import Counts
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.model import Action, Report, Section
from mailserver_exporter.report.period import Period
from mailserver_exporter.report.prometheus import Prometheus, PrometheusError
from mailserver_exporter.report.sections import PARTS, Part, alerts, exporter, security
from mailserver_exporter.settings.notifications import Email

log = logging.getLogger(__name__)

# The whole of it may take 20 s, of which drawing it takes two.
_SECONDS = 16.0
_PROMETHEUS_SECONDS = 10.0
# For the logs, and for measuring where Prometheus cannot be asked.
_OTHERS_SECONDS = 6.0


@dataclass(frozen=True)
class Order:
    """Which report is asked for: of which host and period, in which language, from which Prometheus."""

    config: Config
    host: Host
    period: Period
    language: str
    prometheus_url: str
    # Why the report before this one could not be sent, where that is so.
    missed: str = ""

    @property
    def instance(self) -> str:
        """The host's name, as Prometheus has it."""
        return self.config.hostname or self.host.hostname()


def make(order: Order) -> Report:
    """Return the report."""
    say = Language(order.language, order.period.zone)
    gathering = _Gathering(order, say)
    parts = list(gathering.parts())
    made = datetime.fromtimestamp(time.time(), order.period.zone)
    remarks = []
    if order.missed:
        remarks.append(say("The report before this one could not be sent: {error}", error=order.missed))
    return compose.compose(order.instance, order.period, made, say, parts, gathering.problems, remarks)


def write(report: Report, settings: Email, message_id: str) -> bytes:
    """Return the report as a message; where its pictures or tables cannot be drawn, without them."""
    now = datetime.now(timezone.utc).astimezone(report.period.zone)
    try:
        return message.build(report, settings, message_id, now)
    except Exception as error:
        log.exception("the report could not be drawn")
        say = Language(report.language, report.period.zone)
        problem = say("A fault in this program keeps the details back: {error}", error=_in_words(error))
        bare = replace(report, problems=(*report.problems, problem), sections=())
        return message.build(bare, settings, message_id, now)


class _Gathering:
    def __init__(self, order: Order, say: Language) -> None:
        self.problems: list[str] = []
        self._order = order
        self._say = say
        self._prometheus = Prometheus(order.prometheus_url, order.instance, order.period, _PROMETHEUS_SECONDS)
        self._end = time.monotonic() + _SECONDS

    def parts(self) -> Iterator[tuple[Part, Any]]:
        """Yield each part that could be measured and shown, with its facts."""
        for part in PARTS if self._knows() else (exporter, *PARTS):
            shown = self._whole(part)
            if shown is not None:
                yield shown

    def _knows(self) -> bool:
        """Say whether Prometheus has anything to tell of this host."""
        order = self._order
        try:
            if self._prometheus.measured() is not None:
                return True
            text = "Prometheus at {url} has measured nothing of {host} in this time"
            self._tell(self._say(text, url=self._prometheus.url, host=order.instance))
        except PrometheusError as error:
            self._tell_of(error)
        except Exception as error:
            log.exception("Prometheus could not be understood")
            self._tell_of(error)
        return False

    def _whole(self, part: Any) -> tuple[Part, Any] | None:
        """Return a part and its facts once it is sure that it can be shown.

        Any fault of one subject is kept from the others: a report with a hole in it, which says so, is worth more than
        none. For the same reason nothing that Prometheus answers, and nothing that cannot be drawn, ends it all.
        """
        name = getattr(part, "__name__", "").rpartition(".")[2]
        try:
            facts = self._measure(part)
            return None if facts is None else (_Shown(part, facts, self._say), facts)
        except PrometheusError as error:
            self._tell_of(error)
        except Exception as error:
            log.exception("the section %s failed", name)
            text = "A fault in this program keeps back what is known of {subject}: {error}"
            self._tell(self._say(text, subject=name, error=_in_words(error)))
        return None

    def _measure(self, part: Any) -> Any:
        order, period = self._order, self._order.period
        if part is exporter:
            return exporter.own_knowledge(order.config, order.host, self._left())
        if part is alerts:
            facts = self._asked(part)
            return alerts.merge(facts, self._episodes(), order.instance, period)
        if part is security:
            facts = self._asked(part)
            found = networks.worst(order.config, order.host, period.start, period.end, seconds=self._left())
            if facts is None:
                known = found.networks or found.problems
                return security.Facts(Counts.none(period), networks=found) if known else None
            return replace(facts, networks=found)
        return part.measure(self._prometheus)

    def _episodes(self) -> tuple[alert_history.Episode, ...]:
        config, period = self._order.config, self._order.period
        try:
            return alert_history.episodes(config.alert_log_file, config.alert_log, period.start, period.end)
        except OSError as error:
            self._tell(self._say("The alert log cannot be read: {error}", error=error))
            return ()

    def _asked(self, part: Any) -> Any:
        """Return what Prometheus knows of a part that others know of, too."""
        try:
            return part.measure(self._prometheus)
        except PrometheusError as error:
            self._tell_of(error)
            return None

    def _left(self) -> float:
        return max(1.0, min(_OTHERS_SECONDS, self._end - time.monotonic()))

    def _tell_of(self, error: Exception) -> None:
        said = str(error) if isinstance(error, PrometheusError) else _in_words(error)
        self._tell(self._say("Prometheus could not be asked: {error}", error=said))

    def _tell(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


class _Shown:
    """A part that was shown already: what it shows and advises does not fail any more."""

    def __init__(self, part: Part, facts: Any, say: Language) -> None:
        self.__name__ = getattr(part, "__name__", "")
        self._section = part.show(facts, say)
        self._actions = tuple(part.advise(facts, say))

    def measure(self, prometheus: Prometheus) -> Any:
        """Part of the protocol; it was measured already."""
        raise NotImplementedError

    def show(self, facts: Any, say: Language) -> Section:  # noqa: ARG002 - the protocol's
        """Return what was shown."""
        return self._section

    def advise(self, facts: Any, say: Language) -> Iterator[Action]:  # noqa: ARG002 - the protocol's
        """Yield what was advised."""
        return iter(self._actions)


def _in_words(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
