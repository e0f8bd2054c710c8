"""The clock, as the kernel sees it."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors.base import Collector, Context, thresholds
from mailserver_exporter.sources import SourceError, adjtimex

# Where the kernel's error estimate ends (NTP_PHASE_LIMIT): nobody has set the clock for hours. chrony without `rtcsync`
# keeps the clock right and never says so, but keeps the estimate small.
_NO_IDEA_SECONDS = 16.0

# Name without the prefix, attribute of Clock, help text.
_GAUGES = (
    ("offset_seconds", "offset", "Time offset in between local system and reference clock."),
    ("frequency_adjustment_ratio", "frequency", "Local clock frequency adjustment."),
    ("maxerror_seconds", "maximum_error", "Maximum error in seconds."),
    ("estimated_error_seconds", "estimated_error", "Estimated error in seconds."),
    ("status", "status", "Value of the status array bits."),
    ("loop_time_constant", "time_constant", "Phase-locked loop time constant."),
    ("tick_seconds", "tick", "Seconds between clock ticks."),
    ("pps_frequency_hertz", "pps_frequency", "Pulse per second frequency."),
    ("pps_jitter_seconds", "pps_jitter", "Pulse per second jitter."),
    ("pps_shift_seconds", "pps_shift", "Pulse per second interval duration."),
    ("pps_stability_hertz", "pps_stability", "Pulse per second stability, average of recent frequency changes."),
    ("tai_offset_seconds", "tai_offset", "International Atomic Time (TAI) offset."),
    ("sync_status", "synchronised", "Is clock synchronized to a reliable server (1 = yes, 0 = no)."),
)
_COUNTERS = (
    ("pps_jitter", "pps_jitter_exceeded", "Pulse per second count of jitter limit exceeded events."),
    ("pps_calibration", "pps_calibrations", "Pulse per second count of calibration intervals."),
    ("pps_error", "pps_errors", "Pulse per second count of calibration errors."),
    (
        "pps_stability_exceeded",
        "pps_stability_exceeded",
        "Pulse per second count of stability limit exceeded events.",
    ),
)


class TimexCollector(Collector):
    """The kernel's clock, as `adjtimex --print` and `timedatectl` show it.

    # HELP node_timex_offset_seconds Time offset in between local system and reference clock.
    # TYPE node_timex_offset_seconds gauge
    node_timex_offset_seconds 0.000213
    node_timex_sync_status 1
    node_timex_maxerror_seconds 0.0115
    node_timex_estimated_error_seconds 0
    mailserver_clock_synchronised 1
    mailserver_clock_synchronisation_expected 1
    mailserver_threshold_clock_offset_seconds{severity="warning"} 0.1

    A container sees the host's clock: there is only one. Synchronisation is expected on a mail host, and wherever it
    was seen once.
    """

    name = "time"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._newest = ""

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        try:
            clock = adjtimex.read()
        except PermissionError as error:
            remedy = "allow the system call adjtimex, as Docker's own seccomp profile does; only setting needs a right"
            raise SourceError(f"the kernel does not tell its clock: {error.strerror}", remedy=remedy) from error
        for name, attribute, help_text in _GAUGES:
            yield GaugeMetricFamily(f"node_timex_{name}", help_text, getattr(clock, attribute))
        for name, attribute, help_text in _COUNTERS:
            yield CounterMetricFamily(f"node_timex_{name}", help_text, getattr(clock, attribute))
        good = clock.synchronised or clock.maximum_error < _NO_IDEA_SECONDS
        state = "synchronised" if good else "nobody keeps the clock right"
        self._newest = f"{state}, {abs(clock.offset) * 1000:.1f} ms off"
        yield GaugeMetricFamily(
            "mailserver_clock_synchronised",
            "Whether somebody keeps the clock right, by its state or by the kernel's estimate of its error.",
            1 if good else 0,
        )
        yield GaugeMetricFamily(
            "mailserver_clock_synchronisation_expected",
            "Whether the clock should be synchronised: on a mail host, and where it once was.",
            1 if self._expected(good) else 0,
        )
        limit = self.context.config.limits.clock_offset_seconds
        yield thresholds("clock_offset_seconds", "Limit of the clock's offset in either direction.", [({}, limit)])

    def found(self) -> str:
        """Say whether the clock is right."""
        return self._newest

    def _expected(self, good: bool) -> bool:
        seen = self.context.expectations.expect("clock", {"synchronised"} if good else ())
        return bool(seen) or self.context.mailstack.get().kind != "none"
