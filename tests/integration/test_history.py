"""The two weeks that the report is tested with: what a real host would have recorded, in a real Prometheus."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from mailserver_exporter.report.prometheus import Prometheus
from tests.support.golden import committed
from tests.support.history import OTHER, History, recorded
from tests.support.history_host import (
    ATTACK,
    BLIND,
    DOWN,
    FIRST_MINUTES,
    INSTANCE,
    MEMORY_FULL,
    OUTAGE,
    QUEUE_JAM,
    RESTARTED,
    SCENARIOS,
    START,
)
from tests.support.history_series import DAY, DAYS, END, FINE, HOUR, MINUTE, Recorder, Series, Span, write
from tests.support.tools import RELEASES, ROOT

Histories = Callable[[str], History]

# What the host has recorded


def of(recorder: Recorder, name: str) -> list[Series]:
    return [each for each in recorder.series if each.name == name]


def test_every_series_is_one_that_the_exporter_has() -> None:
    gaps = recorded("gaps")
    known = {family.name: set(family.labels.split(",")) - {""} for family in committed()}
    for each in gaps.series:
        if each.name not in ("up", "ALERTS"):
            assert each.name in known
            # Some have no value, and are none then.
            assert set(each.labels) - {"instance", "job"} <= known[each.name], each.name


def test_no_series_is_there_twice() -> None:
    gaps = recorded("gaps")
    names = [(each.name, tuple(sorted(each.labels.items()))) for each in gaps.series]
    assert len(names) == len(set(names))


def test_a_counter_only_rises_but_where_the_exporter_or_the_host_was_started() -> None:
    good = recorded("good")
    fell = set()
    for each in (each for each in good.series if each.kind == "counter"):
        for (_, before), (at, now) in itertools.pairwise(each.points()):
            if now < before:
                assert not each.name.startswith("node_")
                fell.add(at)
    assert fell == {RESTARTED}


def test_a_host_that_is_down_has_nothing_but_up() -> None:
    gaps = recorded("gaps")
    (up,) = of(gaps, "up")
    assert {value for at, value in up.points() if at in DOWN} == {0}
    assert {value for at, value in up.points() if at not in DOWN} == {1}
    for each in gaps.series:
        if each.name not in ("up", "ALERTS"):
            assert not [at for at, _ in each.points() if at in DOWN or at in BLIND], each.name


def test_a_first_day_has_nothing_before_its_twenty_minutes() -> None:
    first = recorded("first_day")
    times = [at for each in first.series for at, _ in each.points()]
    assert min(times) >= END - FIRST_MINUTES * 60
    assert max(times) == END


def test_no_sample_is_further_from_the_next_than_prometheus_looks_back() -> None:
    for each in recorded("good").series:
        times = [at for at, _ in each.points()]
        assert times[0] == END - DAYS * DAY
        assert times[-1] == END
        assert max(later - at for at, later in itertools.pairwise(times)) < 300


def test_the_days_before_are_the_same_for_all() -> None:
    def before(scenario: str) -> dict[tuple[str, str], list[float]]:
        # But for the alerts, which are series of their own.
        series = (each for each in recorded(scenario).series if each.name != "ALERTS")
        return {
            (each.name, str(sorted(each.labels.items()))): [
                value for at, value in zip(each.times, each.values, strict=True) if at < START
            ]
            for each in series
        }

    good = before("good")
    for scenario in ("bad", "gaps"):
        assert before(scenario) == good


def test_the_samples_are_written_as_openmetrics() -> None:
    record = Recorder({"instance": "a"}, begin=END - 240)
    record.gauge("temperature", 1.5, coarse=True, where='a "b"\\\n')
    record.counter("events_total", 0.5, coarse=True)
    file = io.StringIO()
    write(record.series, Span(END - 240, END), file)
    assert file.getvalue().splitlines()[2:] == [
        "# TYPE temperature gauge",
        f'temperature{{instance="a",where="a \\"b\\"\\\\\\n"}} 1.5 {END - 240}',
        "# EOF",
    ]


# What Prometheus answers


def asked(history: History) -> Prometheus:
    return Prometheus(history.url, history.instance, history.period)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_prometheus_has_every_series_of_the_last_minutes(histories: Histories, scenario: str) -> None:
    history = histories(scenario)
    for each in history.matching("up") + history.matching("node_load1"):
        assert asked(history).value(f"{each.name}{{$host}}") == each.points()[-1][1]
    current = sum(1 for each in history.everything() if each.points() and each.points()[-1][0] > END - 300)
    # With what the recording rules make of it, whose names have a colon.
    assert asked(history).value('count({__name__!~".*:.*", $host})') == current


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_increases_are_what_was_counted(histories: Histories, scenario: str) -> None:
    history = histories(scenario)
    name = "mailserver_postfix_deliveries_total"
    counted = history.increase(name, service="smtp", status="sent")
    answer = asked(history).value(f'sum(increase({name}{{$host, service="smtp", status="sent"}}[$period]))')
    # PromQL extrapolates to the ends of the period, and over gaps.
    assert answer == pytest.approx(counted, rel=0.05, abs=3)
    assert counted > (0 if scenario == "first_day" else 100)


@pytest.mark.parametrize("release", RELEASES)
def test_both_ends_of_what_is_supported_read_the_blocks(release: str) -> None:
    with History("bad", release) as history:
        assert asked(history).value("count(node_load1{$host})") == 1


def test_the_recording_rules_are_evaluated(histories: Histories) -> None:
    history = histories("bad")
    total, available = (dict(history.series(f"node_memory_{name}_bytes"))[END] for name in ("MemTotal", "MemAvailable"))
    answer = asked(history).value("instance:node_memory_utilisation:ratio{$host}")
    # The rules are evaluated between two samples.
    assert answer == pytest.approx(1 - available / total, abs=0.02)
    for days in (1, 7):
        assert asked(history).value("instance:postfix_queue_messages:sum{$host}", END - days * DAY) is not None


def test_the_outage_of_the_bad_day_is_twelve_minutes_long(histories: Histories) -> None:
    bad, good = histories("bad"), histories("good")
    query = 'sum_over_time((1 - probe_success{$host, target="127.0.0.1:25"})[$period:1m])'
    assert asked(bad).value(query) == (OUTAGE.end - OUTAGE.start) / FINE
    assert asked(good).value(query) == 0
    firing = 'max_over_time(ALERTS{$host, alertname="PortDown", alertstate="firing"}[$period])'
    assert len(asked(bad).vector(firing)) == 3
    assert asked(good).vector(firing) == []


def test_there_are_gaps_where_the_host_or_prometheus_was_down(histories: Histories) -> None:
    history = histories("gaps")
    for query, spans in {"node_load1{$host}": (DOWN, BLIND), "up{$host}": (BLIND,)}.items():
        (series,) = asked(history).matrix(query, FINE)
        times = {at for at, _ in series.points}
        # A sample counts for five minutes.
        missing = {float(at) for span in spans for at in range(int(span.start) + 300, int(span.end), FINE)}
        assert times == {float(at) for at in range(START, END + 1, FINE)} - missing


def test_a_first_day_has_nothing_to_compare_with(histories: Histories) -> None:
    compared = asked(histories("first_day")).compared("node_load1{$host}")
    assert compared.now is not None
    assert (compared.day_before, compared.week_before) == (None, None)


def test_another_host_is_there_and_is_no_part_of_this_one(histories: Histories) -> None:
    history = histories("good")
    assert Prometheus(history.url, OTHER, history.period).value("node_load1{$host}") == 99
    assert history.increase("mailserver_postfix_deliveries_total", Span(START, END), status="bounced") < 1000


def waits(rule: dict[str, Any]) -> float:
    """Return the seconds for which an expression has to hold."""
    number, unit = rule["for"][:-1], rule["for"][-1]
    return float(number) * {"s": 1, "m": MINUTE, "h": HOUR}[unit]


def alerting(history: History, at: float) -> set[tuple[str, str]]:
    """Return (name, severity) of the shipped alerts whose expression has had this host in its answer long enough."""
    prometheus = asked(history)
    found = set()
    for file in sorted((ROOT / "rules").glob("*.rules.yml")):
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            for rule in (rule for rule in group["rules"] if "alert" in rule and rule["alert"] != "Watchdog"):
                before = {tuple(each.labels.items()) for each in prometheus.vector(rule["expr"], at - waits(rule))}
                for sample in prometheus.vector(rule["expr"], at):
                    if sample.labels.get("instance") == INSTANCE and tuple(sample.labels.items()) in before:
                        labels = {**sample.labels, **rule["labels"]}
                        severity = sample.labels["severity"] if "{{" in labels["severity"] else labels["severity"]
                        found.add((rule["alert"], severity))
    return found


def fired(history: History, at: float) -> set[tuple[str, str]]:
    samples = asked(history).vector('ALERTS{$host, alertstate="firing", alertname!="Watchdog"}', at)
    return {(sample.labels["alertname"], sample.labels["severity"]) for sample in samples}


@pytest.mark.parametrize(
    ("scenario", "at"),
    [
        ("good", END),
        ("good", START + 9 * HOUR),
        ("bad", OUTAGE.start + 8 * MINUTE),
        ("bad", MEMORY_FULL.start + 20 * MINUTE),
        ("bad", QUEUE_JAM.start + HOUR),
        ("bad", ATTACK.start + HOUR),
        ("bad", END),
        ("gaps", DOWN.end + 10 * MINUTE),
        ("gaps", END),
    ],
)
def test_the_alerts_that_fired_are_those_that_the_shipped_rules_raise(
    histories: Histories, scenario: str, at: float
) -> None:
    history = histories(scenario)
    assert fired(history, at) == alerting(history, at)
