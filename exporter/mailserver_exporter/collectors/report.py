"""The daily report: sent when it is due, by a process of its own, and how that went."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter import errand
from mailserver_exporter.collectors.base import Collector, Context, Detection, Schedule, thresholds
from mailserver_exporter.finding import Finding
from mailserver_exporter.sources import SourceError

log = logging.getLogger(__name__)

_ERRAND_SECONDS = 120.0
# Between two errands that failed, growing: an errand that is killed may just have sent a report.
_PAUSES = (60.0, 300.0, 900.0, 3600.0)
# So far a clock may drift from the monotonic one between two rounds before it counts as put forward or back.
_DRIFT_SECONDS = 20.0
# So long after our start a Prometheus that starts with us, such as after a boot, may take to read what it keeps.
_PATIENCE_SECONDS = 180.0
_STARTED = time.monotonic()
_MAX_CONFIG = 1 << 20


class ReportCollector(Collector):
    """The daily report, as `mailserver-exporter report --if-due` would send it.

    # HELP mailserver_report_success Whether the newest report that was due has reached all its addressees' servers.
    # TYPE mailserver_report_success gauge
    mailserver_report_success 1
    mailserver_report_overdue_seconds 0
    mailserver_report_next_timestamp_seconds 1.7953992e+09
    mailserver_report_last_success_timestamp_seconds 1.79531281e+09
    mailserver_report_last_attempt_timestamp_seconds 1.79531281e+09
    mailserver_report_attempts_total{result="sent"} 14
    mailserver_report_attempts_total{result="failed"} 0
    mailserver_report_duration_seconds 4.2
    mailserver_report_size_bytes 187000
    mailserver_threshold_report_overdue_seconds{severity="warning"} 3600

    What has to be known of time zones, of the past and of mail servers is known by the errand only. It says when to
    come again, which is every quarter of an hour as long as nothing is due.
    """

    name = "report"
    schedule = Schedule(every=30, deadline=_ERRAND_SECONDS + 15)
    unasked = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._answer: dict[str, Any] = {}
        self._failure: SourceError | OSError | None = None
        self._failures = 0
        # On the monotonic clock, and what the other one then said.
        self._hold = float("-inf")
        self._asked: tuple[float, float] | None = None
        self._text: str | None = None
        self._since = time.time()
        self._file = context.config.state_directory / "report" / "state.json"
        self._stamp = 0

    def detect(self) -> Detection:
        """Found where there is a server to send it through."""
        email, section = self.context.config.notifications.email, self.context.config.report
        if email is None:
            return Detection(False, "no notifications.email in the configuration")
        return Detection(True, f"to {', '.join(section.to or email.to)} at {section.at}")

    def collect(self) -> Iterator[Metric]:
        """Ask when it is time; yield how things stand."""
        if self._is_time():
            self._ask()
        if self._failure is not None:
            raise self._failure
        return self._families()

    def _is_time(self) -> bool:
        now, monotonic = time.time(), time.monotonic()
        if monotonic < self._hold:
            return False
        if self._asked is None or self._failure is not None:
            return True
        then, monotonic_then = self._asked
        if abs((now - then) - (monotonic - monotonic_then)) > _DRIFT_SECONDS:
            return True
        # Somebody else may have sent it.
        return now >= self._answer["look"] or _stamp(self._file) != self._stamp

    def _ask(self) -> None:
        # Whoever has just begun comes with settings that may be better than those that failed.
        request = {
            **self._configuration(),
            "send": self.context.expectations.remember,
            "again": self._asked is None or self._answer.get("waiting", False),
            "patient": time.monotonic() - _STARTED < _PATIENCE_SECONDS,
            "since": self._since,
            "state": self._answer["state"] if self._answer.get("unsaved") else None,
        }
        self._asked = time.time(), time.monotonic()
        try:
            answer = errand.send("report", request, _ERRAND_SECONDS)
        except (SourceError, OSError) as error:
            # No process can be had where memory or processes have run out.
            self._failure = error
            self._hold = time.monotonic() + _PAUSES[min(self._failures, len(_PAUSES) - 1)]
            self._failures += 1
            return
        self._failure, self._failures = None, 0
        self._tell(answer)
        self._answer, self._stamp = answer, _stamp(self._file)

    def _configuration(self) -> dict[str, Any]:
        """Return the text of the configuration as it was when we began: the file may have become another one since."""
        file = self.context.config_file
        if self._text is None:
            self._text = "" if file is None else _read(file)
        return {"config": self._text, "name": str(file or ""), "rootfs": self.context.host.rootfs}

    def _tell(self, new: dict[str, Any]) -> None:
        """Log what has become of a report since the last time."""
        if new["problem"] and new["problem"] != self._answer.get("problem"):
            log.warning("report: %s", new["problem"])
        letter = new["state"]["letter"]
        asked = self._asked[0] if self._asked else 0.0
        if letter is None or new["busy"] or new["state"]["last_attempt"] < asked:
            return
        if letter["done"]:
            log.info("report: sent, %d bytes, the next one at %s", new["state"]["message_bytes"], new["next_in_words"])
        else:
            log.warning("report: not sent, attempt %d: %s", letter["attempts"], _reason(letter))

    def _families(self) -> Iterator[Metric]:
        state = self._answer["state"]
        letter = state["letter"]
        since = state["overdue_since"]
        for name, help_text, value in (
            (
                "success",
                "Whether the newest report that was due has reached all its addressees' servers.",
                float(letter is None or letter["done"]),
            ),
            (
                "overdue_seconds",
                "Time since the first report was due that has not been sent, 0 when none is waiting.",
                max(0.0, time.time() - since) if since else 0.0,
            ),
            ("next_timestamp_seconds", "When the next report is due.", self._answer["next"]),
            ("last_success_timestamp_seconds", "When a report was sent last, 0 if never.", state["last_success"]),
            ("last_attempt_timestamp_seconds", "When sending was tried last, 0 if never.", state["last_attempt"]),
            ("duration_seconds", "How long it took to make the newest report.", state["compose_seconds"]),
            ("size_bytes", "Size of the newest report as a message.", state["message_bytes"]),
        ):
            yield GaugeMetricFamily(f"mailserver_report_{name}", help_text, value)
        attempts = CounterMetricFamily(
            "mailserver_report_attempts", "Attempts to send the daily report, by how they ended.", labels=["result"]
        )
        for result in ("sent", "failed"):
            attempts.add_metric([result], state[result])
        yield attempts
        yield thresholds(
            "report_overdue_seconds",
            "Limit of the time since a report was due that has not been sent.",
            [({}, self.context.config.limits.report_overdue_seconds)],
        )

    def found(self) -> str:
        """Say when the next one is due."""
        return f"the next one at {self._answer['next_in_words']}" if self._answer else ""

    def findings(self) -> Iterator[Finding]:
        """Say what has become of the newest report."""
        if not self._answer:
            return
        state = self._answer["state"]
        letter = state["letter"]
        if letter is not None and letter["done"]:
            moment = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(state["last_success"]))
            yield Finding("report", "good", f"the newest one was sent at {moment}")
        elif letter is not None:
            yield Finding("report", "bad", f"not sent: {_reason(letter)}", letter["remedy"])
        if self._answer["problem"]:
            directory = self.context.config.state_directory
            yield Finding("report", "bad", self._answer["problem"], f"make {directory} writable for the exporter")


def _read(file: Path) -> str:
    with file.open(encoding="utf-8", errors="replace") as opened:
        return opened.read(_MAX_CONFIG)


def _stamp(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def _reason(letter: dict[str, Any]) -> str:
    """Return what was in the way of the first who has not got it."""
    return next(iter(letter["troubles"].values()), "whoever tried it ended before saying why")
