"""What is advised about the host: each rule on both sides of its edge."""

from __future__ import annotations

from dataclasses import replace
from datetime import timezone
from typing import Any

import pytest

from mailserver_exporter.report.language import NONE, Language
from mailserver_exporter.report.model import Limit
from mailserver_exporter.report.prometheus import Compared
from mailserver_exporter.report.sections import host
from mailserver_exporter.report.sections.host_facts import Facts, Figure

HOUR, GIB = 3600.0, 2.0**30
END = 1_795_050_000.0
UNKNOWN = Compared(None, None, None)
SAY = {name: Language(name, timezone.utc) for name in ("en", "de")}
RATIOS: dict[Any, float] = {"warning": 0.8, "critical": 0.9}


def figure(now: float = 0.3, **changes: Any) -> Figure:
    """Return a figure that is well and was so all the time."""
    usual = Figure(
        now, Compared(now, now, now), now, END - HOUR, RATIOS, ((END - 300, now), (END, now)), ((END - 86400, now),)
    )
    return replace(usual, **changes)


def facts(**changes: Any) -> Facts:
    """Return a host that is well."""
    usual = Facts(
        cpu=figure(),
        memory=figure(0.5),
        swap=Figure(0.1, Compared(0.1, 0.1, 0.1), 0.2),
        load=figure(0.4, limits={"info": 1.0, "critical": 1.7}),
        cores=2,
        memory_bytes=8 * GIB,
        swap_bytes=2 * GIB,
        up_since=END - 40 * 86400,
        boots=(),
        oom_kills=0,
        io_stalled=0.01,
        memory_stalled=0.0,
        programs={"clamd": (0.3, 1.4 * GIB), "rspamd": (0.5, 0.3 * GIB), "sh": (0.01, 0.0)},
        step=300,
        end=END,
    )
    return replace(usual, **changes)


def rules(given: Facts) -> list[str]:
    """Return the rules by which something is advised."""
    return [action.rule for action in host.advise(given, SAY["en"])]


def test_nothing_is_advised_where_all_is_well() -> None:
    assert rules(facts()) == []
    assert host.show(facts(), SAY["en"]).state == "good"


@pytest.mark.parametrize(("seconds", "advised"), [(HOUR - 300, False), (HOUR, True)])
def test_a_cpu_over_its_limit_for_an_hour(seconds: float, advised: bool) -> None:
    given = facts(cpu=figure(over_seconds=seconds))
    assert ("cpu-over-its-limit-for-an-hour" in rules(given)) == advised


@pytest.mark.parametrize(("seconds", "advised"), [(HOUR - 300, False), (HOUR, True)])
def test_memory_over_its_limit_for_an_hour(seconds: float, advised: bool) -> None:
    given = facts(memory=figure(0.5, over_seconds=seconds))
    assert ("memory-over-its-limit-for-an-hour" in rules(given)) == advised


def test_who_used_most_is_named() -> None:
    memory, cpu = host.advise(facts(cpu=figure(over_seconds=HOUR), memory=figure(over_seconds=HOUR)), SAY["en"])
    assert memory.text.startswith("More than 80% of the memory was used for 1\xa0h, most by clamd (1.4\xa0GiB), rspamd")
    assert "most by rspamd (50%), clamd (30%)" in cpu.text


@pytest.mark.parametrize(("highest", "swap", "advised"), [(0.9, 0, True), (0.89, 0, False), (0.95, GIB, False)])
def test_memory_that_is_tight_without_swap(highest: float, swap: float, advised: bool) -> None:
    given = facts(memory=figure(0.5, highest=highest), swap=None, swap_bytes=swap)
    assert ("memory-tight-without-swap" in rules(given)) == advised


@pytest.mark.parametrize(
    ("now", "before", "advised"),
    [(0.7, 0.6, False), (0.71, 0.6, True), (0.59, 0.4, False), (0.7, None, False), (0.6, 0.7, False)],
)
def test_memory_that_has_grown_by_a_tenth_within_a_week(now: float, before: float | None, advised: bool) -> None:
    given = facts(memory=figure(0.5, mean=Compared(now, now, before)))
    assert ("memory-grown-by-a-tenth-within-a-week" in rules(given)) == advised


def test_of_all_that_is_wrong_with_memory_one_thing_is_advised() -> None:
    given = facts(
        memory=figure(0.95, mean=Compared(0.9, 0.8, 0.4), over_seconds=9 * HOUR), swap_bytes=0, swap=None, oom_kills=3
    )
    assert rules(given) == ["processes-killed-for-want-of-memory"]
    (action,) = host.advise(given, SAY["en"])
    assert action.text.startswith("The kernel killed 3 processes for want of memory. Most is used by clamd")
    assert "2 GB of swap" in action.text


@pytest.mark.parametrize(
    ("stalled", "load_seconds", "cpu_seconds", "advised"),
    [
        (0.1, 0, 0, True),
        (0.09, 0, 0, False),
        (None, HOUR, 0, True),
        (0.0, HOUR - 300, 0, False),
        # A busy CPU makes a load by itself: its own advice is enough.
        (0.2, HOUR, HOUR, False),
    ],
)
def test_processes_that_wait_for_the_disk(
    stalled: float | None, load_seconds: float, cpu_seconds: float, advised: bool
) -> None:
    given = facts(io_stalled=stalled, load=figure(0.4, over_seconds=load_seconds), cpu=figure(over_seconds=cpu_seconds))
    assert ("processes-wait-for-the-disk" in rules(given)) == advised


def test_a_boot_is_told() -> None:
    given = facts(boots=(END - 7200, END - 3600))
    (action,) = host.advise(given, SAY["en"])
    assert (action.rule, action.severity) == ("host-booted", "info")
    assert "19 Nov 00:00" in action.text
    assert "Booted at 18 Nov 23:00, 19 Nov 00:00." in host.show(given, SAY["en"]).notes


def test_the_state_is_that_of_now_and_what_is_over_is_a_note() -> None:
    section = host.show(facts(cpu=figure(0.3, highest=0.95, over_seconds=600)), SAY["en"])
    assert section.state == "good"
    assert section.notes == ("CPU was above 80% for 10\xa0min.",)
    assert section.tables[0].rows[0][5].state == "critical"
    assert host.show(facts(memory=figure(0.85)), SAY["en"]).state == "warning"


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_first_day_has_nothing_to_compare_with(language: str) -> None:
    mean = Compared(0.3, None, None)
    section = host.show(facts(cpu=figure(mean=mean, before=())), SAY[language])
    assert [cell.text for cell in section.tables[0].rows[0][3:5]] == [NONE, NONE]
    assert [len(chart.lines) for chart in section.charts] == [1, 2, 2]


def test_charts_show_the_limits_and_the_day_before() -> None:
    cpu, _, load = host.show(facts(), SAY["en"]).charts
    assert cpu.limits == (Limit("warning", 0.8), Limit("critical", 0.9))
    assert load.limits == (Limit("info", 1.0), Limit("critical", 1.7))
    assert cpu.lines[1].faint
    assert cpu.lines[1].points == ((END, 0.3),)


def test_a_host_of_which_little_is_known_is_shown() -> None:
    nothing = facts(cpu=None, memory=None, swap=None, load=None, up_since=None, programs={}, io_stalled=None, old=True)
    section = host.show(nothing, SAY["en"])
    assert (section.state, section.summary, section.charts) == ("", "not measured", ())
    assert rules(nothing) == []


def test_a_host_without_limits_is_never_over_them() -> None:
    assert host.show(facts(cpu=figure(0.99, limits={})), SAY["en"]).state == "good"
