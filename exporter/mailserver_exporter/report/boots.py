"""When the host was booted in the period."""

from __future__ import annotations

from collections.abc import Iterable

from mailserver_exporter.report.prometheus import Prometheus

# A clock that is set right moves the boot time a little, see rules/system.rules.yml.
_SAME_BOOT = 60.0
_STEP = 60.0
_AROUND = 600.0


def ask(prometheus: Prometheus) -> tuple[float, ...]:
    """Return each time at which it was booted, but not that from which on it is known at all."""
    start = prometheus.period.start.timestamp()
    before = prometheus.value("max(last_over_time(node_boot_time_seconds{$host}[7d]))", start)
    seen = prometheus.matrix("node_boot_time_seconds{$host}", max(_STEP, prometheus.period.seconds / 1440))
    boots = [] if before is None else [before]
    for boot in sorted(value for series in seen for _, value in series.points):
        if not boots or boot - boots[-1] > _SAME_BOOT:
            boots.append(boot)
    return tuple(boot for boot in boots[1:] if boot > start - _SAME_BOOT)


def explain(boots: Iterable[float], begin: float, end: float) -> bool:
    """Say whether what was missing from ``begin`` to ``end`` was so because of a boot."""
    return any(begin - _AROUND <= boot <= end + _AROUND for boot in boots)
