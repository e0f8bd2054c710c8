"""What was down and what was not measured, in a real Prometheus: odd names, odd rates, other hosts, a sudden end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone

import pytest

from mailserver_exporter.report import outages
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.period import Period
from mailserver_exporter.report.prometheus import Prometheus
from mailserver_exporter.report.sections import containers, filesystems, host, services
from tests.support.recorded import DAY, END, anywhere, metric

START, HOUR = END - DAY, 3600
UTC = Language("en", timezone.utc)
PERIOD = Period.before(datetime.fromtimestamp(END, timezone.utc))
SECONDS = range(START - 3600, END + 1, 10)
# Regular expressions, strings of PromQL and labels all have their own idea of these.
ODD = ('a"b', "c\\d", "(e|f)*", "ü.ö", "g\nh", "{i}", "$j", "k, l")
OURS = {"instance": "mail.example.org", "job": "mailserver-exporter"}
DEAD, MINUTELY = "dead.example.org", "minutely.example.org"


def while_down(*spans: tuple[float, float]) -> Callable[[float], float]:
    """Return what is 0 in these spans, else 1."""
    return lambda at: float(not any(begin <= at < end for begin, end in spans))


TWICE = while_down((START + HOUR, START + HOUR + 250), (START + 5 * HOUR, START + 5 * HOUR + 40))
EVERYWHERE = while_down((0, END + 1))
SINCE = while_down((END - 1230, END + 1))


def series() -> Iterator[tuple[str, Mapping[str, str], list[tuple[float, float]]]]:
    """Yield a day of three hosts."""

    def add(name: str, value: Callable[[float], float], times: range = SECONDS, /, **labels: str) -> None:
        found.append(metric(name, [(at, value(at)) for at in times], **{**OURS, **labels}))

    found: list[tuple[str, Mapping[str, str], list[tuple[float, float]]]] = []
    one = while_down()
    add("up", one)
    for name in ODD:
        add("probe_success", TWICE, target=name, module="smtp")
    add("probe_success", one, target="fine", module="smtp")
    add("probe_success", EVERYWHERE, target="never", module="smtp")
    add("probe_success", SINCE, target="since", module="smtp")
    # Another host on which everything is down.
    for name in (*ODD, "fine"):
        add("probe_success", EVERYWHERE, target=name, module="smtp", instance="other.example.org")
    # One that is asked once a minute, and was down for three.
    minutes = range(START - 3600, END + 1, 60)
    add("up", one, minutes, instance=MINUTELY)
    three = while_down((START + HOUR, START + HOUR + 180))
    add("probe_success", three, minutes, target="fine", module="smtp", instance=MINUTELY)
    # One that died two hours before the end, with everything in it.
    alive = range(START - 3600, END - 7200, 10)
    add("up", lambda at: float(at < END - 7200), instance=DEAD)
    add("node_cpu_seconds_total", lambda at: at - START + 9999, alive, cpu="0", mode="idle", instance=DEAD)
    add("node_load5", one, alive, instance=DEAD)
    add("node_boot_time_seconds", lambda _: START - 9999, alive, instance=DEAD)
    disk = {"mountpoint": "/", "device": "/dev/vda", "fstype": "ext4", "instance": DEAD}
    for what, size in (("size", 100), ("free", 50), ("avail", 50)):
        add(f"node_filesystem_{what}_bytes", lambda _, size=size: float(size), alive, **disk)
    add("mailserver_container_info", one, alive, name="c", image="i", project="p", service="s", instance=DEAD)
    add("mailserver_collector_success", one, alive, collector="containers", instance=DEAD)
    yield from found


@pytest.fixture(scope="module", params=["bookworm", "sid"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    with anywhere(series(), request.param) as url:
        yield url


def ports(url: str, instance: str = OURS["instance"]) -> dict[str, services.Service]:
    """Return what is told of each port by its target."""
    facts = services.measure(Prometheus(url, instance, PERIOD))
    assert facts is not None
    return {service.name: service for service in facts.services}


def test_odd_names_are_told_as_others(url: str) -> None:
    found = ports(url)
    assert found.keys() == {*ODD, "fine", "never", "since"}
    for name in ODD:
        availability = found[name].availability
        assert availability.now
        assert availability.interruptions == 2
        assert availability.seconds == pytest.approx(290, abs=0.5)
        assert [(each.begin, each.end) for each in availability.outages] == [
            (START + HOUR, START + HOUR + 250),
            (START + 5 * HOUR, START + 5 * HOUR + 40),
        ]
    assert found["fine"].availability.seconds == 0


def test_what_was_never_up_was_down_all_the_time(url: str) -> None:
    never = ports(url)["never"].availability
    assert (never.now, never.ratio.now, never.seconds, never.interruptions) == (False, 0, DAY, 1)
    assert [(each.begin, each.end, each.seconds) for each in never.outages] == [(START, END, DAY)]


def test_what_is_down_at_the_end_is_down_since_it_fell(url: str) -> None:
    since = ports(url)["since"].availability
    assert (since.now, since.interruptions) == (False, 1)
    assert since.outages[-1].begin == END - 1230
    assert since.outages[-1].end == END


def test_a_host_that_is_asked_once_a_minute_has_no_gaps(url: str) -> None:
    measured = outages.measured(Prometheus(url, MINUTELY, PERIOD))
    assert (measured.ratio, measured.gaps, measured.silent_seconds) == (1, (), 0)
    assert ports(url, MINUTELY)["fine"].availability.seconds == pytest.approx(180, abs=0.5)


def test_an_exporter_that_died_is_told_by_what_was_known_last(url: str) -> None:
    prometheus = Prometheus(url, DEAD, PERIOD)
    facts = host.measure(prometheus)
    assert facts is not None
    assert facts.old
    section = host.show(facts, UTC)
    assert section.state == ""
    assert "The host was not measured any more when the period ended." in section.notes
    disks = filesystems.measure(prometheus)
    assert disks is not None
    assert disks.old
    assert filesystems.show(disks, UTC).state == ""
    boxes = containers.measure(prometheus)
    assert boxes is not None
    assert [(each.name, each.state) for each in boxes.containers] == [("c", "")]
    found = services.measure(prometheus)
    assert found is not None
    assert found.measured.silent_seconds == pytest.approx(7200, abs=15)
    (action,) = services.advise(found, UTC)
    assert action.text == "The exporter did not answer for 2\xa0h, and nothing was watched: see why."


def test_a_longer_period_is_told_as_well(url: str) -> None:
    fortnight = Period.before(datetime.fromtimestamp(END, timezone.utc), PERIOD.end - PERIOD.start)
    week = Period(datetime.fromtimestamp(END - 7 * DAY, timezone.utc), fortnight.end)
    facts = services.measure(Prometheus(url, OURS["instance"], week))
    assert facts is not None
    assert facts.measured.since == pytest.approx(START - 3600, abs=1200)
    assert facts.measured.ratio == pytest.approx((DAY + 3600) / (7 * DAY), rel=0.02)
    hurt = next(service for service in facts.services if service.name == ODD[0])
    assert hurt.availability.seconds == pytest.approx(290, rel=0.05)


def test_an_hour_is_told_as_well(url: str) -> None:
    hour = Period(datetime.fromtimestamp(END - 3600, timezone.utc), PERIOD.end)
    facts = services.measure(Prometheus(url, OURS["instance"], hour))
    assert facts is not None
    assert facts.measured.ratio == 1
    since = next(service for service in facts.services if service.name == "since")
    assert since.availability.seconds == pytest.approx(1230, abs=15)
