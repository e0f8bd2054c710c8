"""The report's numbers about the host and its services, each found again in what was recorded, without PromQL."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator, Sequence

import pytest

from mailserver_exporter.report.language import Language
from mailserver_exporter.report.prometheus import Compared, Prometheus
from mailserver_exporter.report.sections import PARTS, containers, filesystems, host, services
from mailserver_exporter.report.sections.host_facts import Figure
from tests.support.history import ZONE, History
from tests.support.history_host import BLIND, CONTAINERS, DOWN, FIRST_MINUTES, MOUNTS, OUT, OUTAGE, START
from tests.support.history_series import DAY, END, HOUR, MINUTE

Points = Sequence[tuple[float, float]]
WEEK = 7 * DAY
SAY = Language("en", ZONE)


@pytest.fixture(scope="module", params=["bookworm", "sid"])
def bad(request: pytest.FixtureRequest) -> Iterator[tuple[History, Prometheus]]:
    with History("bad", request.param) as history:
        yield history, Prometheus(history.url, history.instance, history.period, seconds=120)


@pytest.fixture(scope="module")
def good() -> Iterator[tuple[History, Prometheus]]:
    with History("good", "sid") as history:
        yield history, Prometheus(history.url, history.instance, history.period, seconds=120)


@pytest.fixture(scope="module")
def gaps() -> Iterator[tuple[History, Prometheus]]:
    with History("gaps", "sid") as history:
        yield history, Prometheus(history.url, history.instance, history.period, seconds=120)


@pytest.fixture(scope="module")
def first_day() -> Iterator[Prometheus]:
    with History("first_day") as history:
        yield Prometheus(history.url, history.instance, history.period, seconds=120)


def of_day(points: Points, before: float = 0) -> list[float]:
    """Return the values of the day that ends so many seconds before the end."""
    return [value for at, value in points if START - before < at <= END - before]


def last(points: Points, at: float) -> float:
    """Return the value at a time."""
    return next(value for then, value in reversed(points) if then <= at)


def about(value: float | None, expected: float, share: float = 0.005) -> bool:
    """Say whether they are the same but for what PromQL extrapolates."""
    return value is not None and math.isclose(value, expected, rel_tol=share, abs_tol=1e-9)


def of_minutes(points: Points, minutes: int = 5) -> list[float]:
    """Return the means of the day's pieces of so many minutes."""
    pieces: dict[int, list[float]] = {}
    for at, value in points:
        if START < at <= END:
            pieces.setdefault(math.ceil((at - START) / (minutes * MINUTE)), []).append(value)
    return [statistics.fmean(piece) for piece in pieces.values()]


def used_memory(history: History) -> Points:
    """Return the share of the memory that was used."""
    total = history.series("node_memory_MemTotal_bytes")[0][1]
    return [(at, 1 - value / total) for at, value in history.series("node_memory_MemAvailable_bytes")]


def named(history: History, metric: str, name: str) -> Points:
    """Return the series of the one container."""
    (series,) = (each for each in history.matching(metric) if each.labels["name"] == name)
    return series.points()


def test_the_means_are_those_of_what_was_recorded(bad: tuple[History, Prometheus]) -> None:
    history, prometheus = bad
    facts = host.measure(prometheus)
    assert facts is not None
    assert facts.cpu is not None and facts.memory is not None and facts.load is not None and facts.swap is not None  # noqa: PT018
    idle = sum(history.increase("node_cpu_seconds_total", mode=mode) for mode in ("idle", "iowait"))
    assert about(facts.cpu.mean.now, 1 - idle / history.increase("node_cpu_seconds_total"))
    memory, load = used_memory(history), history.series("node_load5")
    swap = [(at, 1 - value / (2 * 2**30)) for at, value in history.series("node_memory_SwapFree_bytes")]
    for figure, points, divided in ((facts.memory, memory, 1), (facts.load, load, 2), (facts.swap, swap, 1)):
        expected = [statistics.fmean(of_day(points, before)) / divided for before in (0, DAY, WEEK)]
        mean = figure.mean
        assert all(map(about, (mean.now, mean.day_before, mean.week_before), expected))
        assert about(figure.now, last(points, END) / divided, 0.05)


def test_the_highest_and_the_time_over_the_limit(bad: tuple[History, Prometheus]) -> None:
    history, prometheus = bad
    facts = host.measure(prometheus)
    assert facts is not None
    assert facts.memory is not None
    assert facts.load is not None
    memory = of_minutes(used_memory(history))
    assert about(facts.memory.highest, max(memory))
    assert facts.memory.over_seconds == sum(value > 0.8 for value in memory) * 300 == HOUR
    assert facts.load.highest == max(of_day(history.series("node_load5"))) / 2
    assert "Memory was above 80% for 1\xa0h." in host.show(facts, SAY).notes
    assert len(facts.memory.course) == len(facts.memory.before) == 288


def test_what_was_killed_inside_a_container_is_not_told_twice(bad: tuple[History, Prometheus]) -> None:
    _, prometheus = bad
    of_host, of_containers = host.measure(prometheus), containers.measure(prometheus)
    assert of_host is not None
    assert of_containers is not None
    assert of_host.oom_kills == 0
    assert {each.name: each.oom_kills for each in of_containers.containers if each.oom_kills} == {
        "mailcowdockerized-clamd-mailcow-1": 1
    }


def test_programs_use_what_they_used(bad: tuple[History, Prometheus]) -> None:
    history, prometheus = bad
    facts = host.measure(prometheus)
    assert facts is not None
    cpu = of_day(history.series("mailserver_top_cpu_usage_ratio", process="clamd"))
    assert about(facts.programs["clamd"][0], statistics.fmean(cpu))


def test_filesystems_are_as_full_as_they_were(bad: tuple[History, Prometheus]) -> None:
    history, prometheus = bad
    facts = filesystems.measure(prometheus)
    assert facts is not None
    assert {each.mountpoint for each in facts.filesystems} == set(MOUNTS)
    assert facts.filesystems[0].mountpoint == "/var/vmail"
    for each in facts.filesystems:
        size = history.series("node_filesystem_size_bytes", mountpoint=each.mountpoint)[0][1]
        left = history.series("node_filesystem_avail_bytes", mountpoint=each.mountpoint)
        expected = [1 - last(left, END - before) / size for before in (0, DAY, WEEK)]
        assert [each.usage.now, each.usage.day_before, each.usage.week_before] == pytest.approx(expected, rel=1e-3)
        assert each.available == last(left, END)
        assert each.inodes == pytest.approx(0.2)


def test_the_days_until_full_are_those_of_the_usual_pace(good: tuple[History, Prometheus]) -> None:
    history, prometheus = good
    facts = filesystems.measure(prometheus)
    assert facts is not None
    left = history.series("node_filesystem_avail_bytes", mountpoint="/var/vmail")
    most = [max(value for at, value in left if END - (n + 1) * DAY < at <= END - n * DAY) for n in range(8)]
    losses = [earlier - later for later, earlier in itertools.pairwise(most)]
    assert about(facts.filesystems[0].days, last(left, END) / statistics.median(losses))
    assert [each.days for each in facts.filesystems[1:]] == [None, None]


def test_a_whole_day_of_growth_makes_a_pace_of_its_own(bad: tuple[History, Prometheus]) -> None:
    history, prometheus = bad
    facts = filesystems.measure(prometheus)
    assert facts is not None
    left = history.series("node_filesystem_avail_bytes", mountpoint="/var/vmail")
    parts = [last(left, END - DAY + part * DAY / 8) for part in range(9)]
    losses = [earlier - later for earlier, later in itertools.pairwise(parts)]
    assert about(facts.filesystems[0].days, last(left, END) / statistics.median(losses) / 8)
    assert (facts.filesystems[0].days or 99) < 1
    assert [each.days for each in facts.filesystems[1:]] == [None, None]


def test_services_were_down_for_as_long_as_they_were(bad: tuple[History, Prometheus]) -> None:
    history, prometheus = bad
    facts = services.measure(prometheus)
    assert facts is not None
    ports = {each.name: each for each in facts.services if each.kind == "port"}
    for target, port in ports.items():
        values = of_day(history.series("probe_success", target=target))
        assert port.availability.ratio == Compared(pytest.approx(statistics.fmean(values)), 1, 1)
        assert port.availability.seconds == pytest.approx((OUTAGE.end - OUTAGE.start) * (target in OUT), abs=0.1)
        assert port.availability.interruptions == (target in OUT)
        assert port.response.now == statistics.median(of_day(history.series("probe_duration_seconds", target=target)))
    longest = ports[OUT[0]].availability.longest
    assert longest is not None
    assert (longest.begin, longest.end, round(longest.seconds)) == (OUTAGE.start, OUTAGE.end, 720)
    names = {each.name: each.availability.seconds for each in facts.services if each.kind == "service"}
    assert len(names) == len(CONTAINERS)
    assert names.pop("postfix-mailcow") == pytest.approx(720)
    assert set(names.values()) == {0}


def test_what_the_bad_day_calls_for(bad: tuple[History, Prometheus]) -> None:
    _, prometheus = bad
    rules: set[str] = set()
    for part in (host, filesystems, services, containers):
        facts = part.measure(prometheus)
        assert facts is not None
        rules |= {action.rule for action in part.advise(facts, SAY)}
    assert rules - {"images-older-than-limit"} == {
        "memory-over-its-limit-for-an-hour",
        "filesystem-over-its-limit",
        "services-down",
        "services-interrupted",
        "container-killed-for-want-of-memory",
    }


def test_containers_were_restarted_as_often_as_they_were(bad: tuple[History, Prometheus]) -> None:
    history, prometheus = bad
    facts = containers.measure(prometheus)
    assert facts is not None
    postfix = next(each for each in facts.containers if "postfix" in each.name)
    restarts = of_day(named(history, "mailserver_container_restarts_total", postfix.name))
    assert postfix.restarts == restarts[-1] - restarts[0] == 2
    assert postfix.down_seconds == pytest.approx(720)
    clamd = named(history, "container_memory_working_set_bytes", "mailcowdockerized-clamd-mailcow-1")
    assert facts.memory["mailcowdockerized-clamd-mailcow-1"] == last(clamd, END)
    name, used = next(iter(facts.cpu.items()))
    seconds = of_day(named(history, "container_cpu_usage_seconds_total", name))
    assert about(used, sum(max(0.0, after - before) for before, after in itertools.pairwise(seconds)) / DAY, 0.02)
    assert facts.restarts.now == 2


def test_only_what_was_measured_counts(gaps: tuple[History, Prometheus]) -> None:
    _, prometheus = gaps
    facts = services.measure(prometheus)
    assert facts is not None
    blind = BLIND.end - BLIND.start
    assert facts.measured.ratio == pytest.approx(1 - blind / DAY, abs=0.001)
    ((begin, end),) = facts.measured.gaps
    assert (begin, end) == (pytest.approx(BLIND.start, abs=MINUTE), pytest.approx(BLIND.end, abs=MINUTE))
    assert facts.measured.silent_seconds == pytest.approx(DOWN.end - DOWN.start, abs=MINUTE)
    assert {each.availability.ratio.now for each in facts.services} == {1}
    assert {each.availability.interruptions for each in facts.services} == {0}
    section = services.show(facts, SAY)
    share = (DAY - blind - (DOWN.end - DOWN.start)) / DAY
    assert f"What counts here is the {share:.1%} of the time that was measured." in section.notes
    # The host was off and booted: that explains its silence, not that of Prometheus.
    (action,) = services.advise(facts, SAY)
    assert action.text == "Prometheus measured nothing for 2\xa0h: see why it did not run."


def test_a_boot_is_told_when_it_was(gaps: tuple[History, Prometheus]) -> None:
    _, prometheus = gaps
    facts = host.measure(prometheus)
    assert facts is not None
    assert facts.boots == (DOWN.end,)
    assert facts.up_since == DOWN.end


def test_counters_that_began_anew_are_no_load(gaps: tuple[History, Prometheus]) -> None:
    history, prometheus = gaps
    facts = host.measure(prometheus)
    assert facts is not None
    assert facts.cpu is not None
    idle = sum(history.increase("node_cpu_seconds_total", mode=mode) for mode in ("idle", "iowait"))
    assert about(facts.cpu.mean.now, 1 - idle / history.increase("node_cpu_seconds_total"), 0.02)
    assert all(0 <= value <= 1 for _, value in facts.cpu.course)


def test_a_first_day_is_compared_with_nothing(first_day: Prometheus) -> None:
    facts = host.measure(first_day)
    assert facts is not None
    for figure in (facts.cpu, facts.memory, facts.swap, facts.load):
        assert isinstance(figure, Figure)
        assert figure.mean.now is not None
        assert (figure.mean.day_before, figure.mean.week_before, figure.before) == (None, None, ())
    assert facts.boots == ()
    disks = filesystems.measure(first_day)
    assert disks is not None
    assert {(each.usage.day_before, each.usage.week_before, each.days) for each in disks.filesystems} == {
        (None, None, None)
    }
    found = services.measure(first_day)
    assert found is not None
    assert {each.availability.ratio for each in found.services} == {Compared(1, None, None)}
    assert found.measured.gaps == ()
    assert found.measured.since == pytest.approx(END - FIRST_MINUTES * MINUTE, abs=2 * MINUTE)
    assert list(services.advise(found, SAY)) == []
    boxes = containers.measure(first_day)
    assert boxes is not None
    assert boxes.restarts == Compared(0, None, None)


def test_all_of_it_is_asked_in_seconds(bad: tuple[History, Prometheus]) -> None:
    history, _ = bad
    assert {host, filesystems, services, containers} <= set(PARTS)
    # Raises PrometheusError when that is not enough.
    hurried = Prometheus(history.url, history.instance, history.period, seconds=8)
    for part in (host, filesystems, services, containers):
        part.measure(hurried)


def test_a_host_that_nobody_measures_is_not_watched(first_day: Prometheus) -> None:
    nobody = Prometheus(first_day.url, "nobody.example.org", first_day.period)
    assert [part.measure(nobody) for part in (host, filesystems, services, containers)] == [None] * 4
