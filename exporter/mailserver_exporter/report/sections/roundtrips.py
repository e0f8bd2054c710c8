"""The probe messages: whether they arrived, how fast, and what the receiver thought of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from shlex import quote

from mailserver_exporter.report.counts import count
from mailserver_exporter.report.gauges import Limits, gauges, judged
from mailserver_exporter.report.language import NONE, Language, marked
from mailserver_exporter.report.model import Action, Cell, Section, State, Table, worst
from mailserver_exporter.report.prometheus import Compared, Prometheus

_SENT, _LOST = "mailserver_roundtrip_attempts_total", "mailserver_roundtrip_failures_total"
_ARRIVED, _JUNK = "mailserver_roundtrip_success", "mailserver_roundtrip_in_junk"
_VERDICT = "mailserver_roundtrip_authentication"
_LOOPS = {
    "local": marked("from us to us"),
    "out": marked("from us to the mailbox elsewhere"),
    "in": marked("from the mailbox elsewhere to us"),
}


@dataclass(frozen=True)
class Trip:
    """One loop; the times are of messages that arrived, in seconds, the rest is of the newest one."""

    sent: Compared
    lost: Compared
    median: float | None = None
    slowest: float | None = None
    arrives: bool = True
    junk: bool = False
    failing: tuple[str, ...] = ()
    limits: Limits | None = None

    @property
    def state(self) -> State:
        """How bad the share of what was lost is, and how bad the newest message."""
        ratio = (self.lost.now or 0) / self.sent.now if self.sent.now else None
        return worst(judged(ratio, self.limits or {}), "" if self.arrives and not self.junk else "warning", "good")


@dataclass(frozen=True)
class Facts:
    """Each loop by its name."""

    trips: Mapping[str, Trip]


def measure(prometheus: Prometheus) -> Facts | None:
    """Return what became of the messages, None where none was sent. Raises PrometheusError."""
    counts = count(prometheus, [_SENT, _LOST], ["loop"])
    loops = {loop: sent for loop, sent in counts.by("loop", _SENT).items() if sent.now}
    if not loops:
        return None
    found = gauges(prometheus, [_ARRIVED, _JUNK, _VERDICT], ["roundtrip_failed_ratio"])
    # A message that was lost took 0, which is no time.
    times = [
        {sample.labels["loop"]: sample.value for sample in prometheus.vector(f"max by (loop) ({query})")}
        for query in (
            "quantile_over_time(0.5, (mailserver_roundtrip_duration_seconds{$host} > 0)[$period:1m])",
            "max_over_time(mailserver_roundtrip_duration_seconds{$host}[$period]) > 0",
        )
    ]
    return Facts(
        {
            loop: Trip(
                sent,
                counts.of(_LOST, loop=loop),
                times[0].get(loop),
                times[1].get(loop),
                found.value(_ARRIVED, loop=loop) != 0,
                found.value(_JUNK, loop=loop) == 1,
                tuple(each for each, fails in found.by("method", _VERDICT, loop=loop, result="fail").items() if fails),
                found.limits("roundtrip_failed_ratio", loop=loop),
            )
            for loop, sent in loops.items()
        }
    )


def show(facts: Facts, say: Language) -> Section:
    """Return the probe messages for the reader."""
    lost = sum(trip.lost.now or 0 for trip in facts.trips.values())
    sent = sum(trip.sent.now or 0 for trip in facts.trips.values())
    junk = [loop for loop, trip in facts.trips.items() if trip.junk]
    summary = say("{lost} of {sent} did not arrive", lost=say.number(lost), sent=say.number(sent))
    if not lost:
        summary = say("all {sent} arrived", sent=say.number(sent))
    if junk:
        summary += ", " + say("the newest as junk")
    table = Table(
        (say("Way"), say("Sent"), say("Arrived"), say("Day before"), say("Week before"), say("Median"), say("Slowest")),
        tuple(
            (
                Cell((say(_LOOPS[loop]) if loop in _LOOPS else loop) + (f" ({say('junk')})" if trip.junk else "")),
                Cell(say.number(trip.sent.now)),
                Cell(_arrived(trip.sent.now, trip.lost.now, say), trip.state),
                Cell(_arrived(trip.sent.day_before, trip.lost.day_before, say)),
                Cell(_arrived(trip.sent.week_before, trip.lost.week_before, say)),
                Cell(_seconds(trip.median, say)),
                Cell(_seconds(trip.slowest, say)),
            )
            for loop, trip in facts.trips.items()
        ),
        numeric=frozenset(range(1, 7)),
    )
    return Section(
        say("Probe messages"),
        summary,
        worst("info" if lost else "", *(trip.state for trip in facts.trips.values())),
        (table,),
    )


def _arrived(sent: float | None, lost: float | None, say: Language) -> str:
    return say.percent(1 - (lost or 0) / sent, 1) if sent else NONE


def _seconds(seconds: float | None, say: Language) -> str:
    return say.duration(seconds) if seconds is None or seconds >= 10 else f"{say.number(seconds, 1)}\N{NO-BREAK SPACE}s"


def advise(facts: Facts, say: Language) -> Iterator[Action]:
    """Yield what to do about each way: what is lost first, then what arrives and is not believed."""
    for loop, trip in facts.trips.items():
        ratio = (trip.lost.now or 0) / (trip.sent.now or 1)
        state = judged(ratio, trip.limits or {}) or ("" if trip.arrives else "warning")
        way = say(_LOOPS[loop]) if loop in _LOOPS else loop
        if state:
            yield Action(
                state,
                say(
                    "{lost} of {sent} probe messages {way} did not arrive: see in which stage they are lost.",
                    lost=say.number(trip.lost.now),
                    sent=say.number(trip.sent.now),
                    way=way,
                ),
                f"mailserver-exporter check | grep -A1 {quote(f'round trip {loop}')}",
                "roundtrip-loses-messages",
            )
        elif trip.failing and loop == "out":
            yield Action(
                "warning",
                say(
                    "Who gets our mail says that {methods} fails, and takes such mail for junk: mend the DNS records "
                    "or the signing.",
                    methods=", ".join(trip.failing).upper(),
                ),
                "mailserver-exporter check | grep -E 'dns |round trip out'",
                "roundtrip-authentication-fails",
            )
        elif trip.junk:
            yield Action(
                "warning",
                say(
                    "The probe message {way} arrives as junk: read in its headers why; other mail fares the same.",
                    way=way,
                ),
                f"mailserver-exporter check | grep -E {quote(f'dns |blocklist|round trip {loop}')}",
                "roundtrip-in-junk",
            )
