"""Whether a user can log in and send, and whether the message arrives."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter import errand
from mailserver_exporter.collectors.base import Collector, Context, Detection, Schedule, thresholds
from mailserver_exporter.finding import Finding
from mailserver_exporter.settings.roundtrip import RoundtripSection
from mailserver_exporter.sources import SourceError
from mailserver_exporter.sources.authentication_results import METHODS, RESULTS
from mailserver_exporter.sources.stage_names import STAGES

# What did not end in time and cannot say where it hangs.
_TIMEOUT = "timeout"


class _OfMailboxes(Collector):
    """What both loops have in common; ``seconds`` is the time of one message, ``grace`` what its process has beyond."""

    seconds: ClassVar[float]
    grace: ClassVar[float] = 15.0

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._results: dict[str, Mapping[str, Any]] = {}
        self._attempts: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._last_success: dict[str, float] = {}
        context.roundtrips[self.name] = self

    @property
    def _section(self) -> RoundtripSection:
        section = self.section
        assert isinstance(section, RoundtripSection)  # noqa: S101 - by name, see Config
        return section

    def detect(self) -> Detection:
        """Found where a mailbox is configured: none can be guessed."""
        address = self._section.address
        if address is None:
            return Detection(False, f"no mailbox for probes, see {self.name}.address in the configuration")
        return Detection(True, f"by {address}")

    def _loops(self) -> dict[str, dict[str, RoundtripSection]]:
        raise NotImplementedError

    def collect(self) -> Iterator[Metric]:
        """Send a message around each loop. Raises SourceError when the configuration does not allow it."""
        loops = self._loops()
        for accounts in loops.values():
            for section in accounts.values():
                if section.address is None:
                    raise SourceError("no mailbox", remedy="set roundtrip.address and roundtrip.password_file")
        self._results = {}
        self._results = dict(self._send(loops))
        for loop, result in self._results.items():
            self._attempts[loop] += 1
            self._failures[loop] += bool(result["stage"])
            if not result["stage"]:
                self._last_success[loop] = time.time()
        yield from self._shown()

    def _shown(self) -> Iterator[Metric]:
        raise NotImplementedError

    def _send(self, loops: Mapping[str, Mapping[str, RoundtripSection]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        remember = self.context.expectations.remember
        key_file = str(self.context.config.state_directory / "roundtrip.key") if remember else None
        for loop, accounts in loops.items():
            # One by one, so that one that hangs does not take the other with it.
            request: dict[str, Any] = {role: _account(section) for role, section in accounts.items()}
            request["servers"] = self._own_names() if accounts["recipient"] is self.context.config.roundtrip else []
            request |= {"seconds": self.seconds, "key_file": key_file}
            try:
                yield loop, errand.send("roundtrip", request, self.seconds + self.grace)
            except errand.OverdueError as error:
                yield loop, {"stage": _TIMEOUT, "message": str(error), "junk": False, "verdicts": {}, "seconds": {}}

    def _own_names(self) -> list[str]:
        """Return by which names our own mail server may sign what it thinks of a message."""
        domain = (self.context.config.roundtrip.address or "").rpartition("@")[2]
        return [name.lower() for name in (domain, self.context.mailstack.get().hostname) if name]

    def findings(self) -> Iterable[Finding]:
        """Say of each loop how it ended."""
        for loop, result in self._results.items():
            subject = f"round trip {loop}"
            if result["stage"]:
                yield Finding(subject, "bad", f"{result['stage']}: {result['message']}", _remedy(result["stage"]))
            elif result["junk"]:
                yield Finding(subject, "bad", "the message arrived in the junk folder")
            else:
                yield Finding(subject, "good", f"the message arrived after {sum(result['seconds'].values()):.1f} s")

    def _families(self) -> Iterator[Metric]:
        success = _gauge("success", "Whether the newest message arrived.")
        last = _gauge("last_success_timestamp_seconds", "When a message last arrived, 0 if none has since the start.")
        duration = _gauge("duration_seconds", "How long the newest message took from login to arrival; 0 if lost.")
        stages = _gauge("stage_duration_seconds", "How long each stage took; 0 if it was not gone through.", "stage")
        failure = _gauge("failure", "In which stage the newest message failed; all 0 if it arrived.", "stage")
        junk = _gauge("in_junk", "Whether the newest message arrived in the junk folder.")
        verdict = _gauge(
            "authentication", "What the receiver thought of the newest message, 1 for what holds.", "method", "result"
        )
        attempts = CounterMetricFamily("mailserver_roundtrip_attempts", "Messages sent around.", labels=["loop"])
        failures = CounterMetricFamily("mailserver_roundtrip_failures", "Those that did not arrive.", labels=["loop"])
        found = [
            (each, loop, each._results[loop]) for each in self.context.roundtrips.values() for loop in each._results
        ]
        for each, loop, result in found:
            failed, seconds = result["stage"], result["seconds"]
            success.add_metric([loop], float(not failed))
            last.add_metric([loop], each._last_success.get(loop, 0.0))
            duration.add_metric([loop], 0.0 if failed else sum(seconds.values()))
            junk.add_metric([loop], float(result["junk"]))
            for stage in STAGES:
                stages.add_metric([loop, stage], seconds.get(stage, 0.0))
            for stage in (*STAGES, _TIMEOUT):
                failure.add_metric([loop, stage], float(stage == failed))
            for method in METHODS:
                held = result["verdicts"].get(method, "none")
                for possible in RESULTS:
                    verdict.add_metric([loop, method, possible], float(possible == held))
            attempts.add_metric([loop], each._attempts[loop])
            failures.add_metric([loop], each._failures[loop])
        yield from (success, last, duration, stages, failure, junk, verdict, attempts, failures)


class RoundtripCollector(_OfMailboxes):
    """A message of the probe mailbox to itself: submission, delivery and IMAP of this server.

    mailserver_roundtrip_success{loop="local"} 1
    mailserver_roundtrip_duration_seconds{loop="local"} 0.41
    mailserver_roundtrip_stage_duration_seconds{loop="local",stage="delivery"} 0.23
    mailserver_roundtrip_failure{loop="local",stage="smtp_auth"} 0
    mailserver_roundtrip_in_junk{loop="local"} 0
    mailserver_roundtrip_attempts_total{loop="local"} 17
    mailserver_roundtrip_failures_total{loop="local"} 0
    mailserver_threshold_roundtrip_duration_seconds{loop="local",severity="warning"} 30
    mailserver_threshold_roundtrip_failed_ratio{loop="local",severity="critical"} 0.144
    """

    name = "roundtrip"
    seconds = 60.0
    schedule = Schedule(every=300, deadline=seconds + _OfMailboxes.grace + 5)

    def _loops(self) -> dict[str, dict[str, RoundtripSection]]:
        return {"local": {"sender": self._section, "recipient": self._section}}

    def _shown(self) -> Iterator[Metric]:
        yield from self._families()
        limits, labels = self.context.config.limits, {"loop": "local"}
        yield thresholds(
            "roundtrip_duration_seconds",
            "Limit of the time that a message takes.",
            [(labels, limits.roundtrip_duration_seconds)],
        )
        yield thresholds(
            "roundtrip_failed_ratio",
            "Limit of the ratio of messages that do not arrive: within an hour critical, within six a warning.",
            [(labels, limits.roundtrip_failed_ratio)],
        )


class OutsideRoundtripCollector(_OfMailboxes):
    """A message from here to a mailbox elsewhere (loop out) and one back (loop in), as others see our mail.

    mailserver_roundtrip_success{loop="out"} 1
    mailserver_roundtrip_in_junk{loop="out"} 0
    mailserver_roundtrip_authentication{loop="out",method="dkim",result="pass"} 1
    """

    name = "roundtrip_outside"
    seconds = 300.0
    schedule = Schedule(every=3600, deadline=2 * (seconds + _OfMailboxes.grace) + 5)

    def _loops(self) -> dict[str, dict[str, RoundtripSection]]:
        here, outside = self.context.config.roundtrip, self._section
        return {"out": {"sender": here, "recipient": outside}, "in": {"sender": outside, "recipient": here}}

    def _shown(self) -> Iterator[Metric]:
        """Yield nothing: the other collector shows it within five minutes."""
        return iter(())


def _account(section: RoundtripSection) -> dict[str, str]:
    return {
        "address": section.address or "",
        "username": section.username or section.address or "",
        "password_file": str(section.password_file),
        "smtp": section.smtp,
        "smtp_tls": section.smtp_tls or "",
        "imap": section.imap,
        "imap_tls": section.imap_tls or "",
        "ca_file": str(section.ca_file or ""),
    }


def _remedy(stage: str) -> str:
    if stage.endswith("_auth"):
        return "check username and password_file of the mailbox; Gmail wants an app password"
    if stage == "delivery":
        return "mailq; then look for the message in the log of Postfix"
    return ""


def _gauge(name: str, help_text: str, *more: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"mailserver_roundtrip_{name}", help_text, labels=["loop", *more])
