"""The alerts of the day: what Prometheus counted, what the log says of it, and what there is to do."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
import yaml

from mailserver_exporter.alert_history import Episode
from mailserver_exporter.report.alert_subjects import subject
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.model import Action
from mailserver_exporter.report.prometheus import Prometheus, Sample, Series
from mailserver_exporter.report.sections import PARTS, alerts
from mailserver_exporter.report.sections.alerts import Alert, Facts
from tests.support.reports import CET, HOST, PERIOD
from tests.support.tools import ROOT

SAY = Language("en", CET)
START, END = PERIOD.start.timestamp(), PERIOD.end.timestamp()
STEP = 120.0
DOWN = {
    "alertname": "PortDown",
    "severity": "critical",
    "instance": HOST,
    "collector": "ports",
    "target": "127.0.0.1:25",
}
FULL = {"alertname": "FilesystemSpaceLow", "severity": "warning", "instance": HOST, "collector": "filesystem"}
FULL |= {"mountpoint": "/var"}


class Recorded:
    """Answers as Prometheus does: counts of samples at each step, every five seconds one."""

    period = PERIOD

    def __init__(self, *series: Series, firing: tuple[dict[str, str], ...] = (), watched: bool = True) -> None:
        self.series, self.firing, self.watched = list(series), firing, watched

    def value(self, query: str) -> float | None:
        return len(self.series) or None

    def vector(self, query: str) -> list[Sample]:
        return [Sample(labels | {"alertstate": "firing"}, 1) for labels in self.firing]

    def matrix(self, query: str, step: float) -> list[Series]:
        assert step == STEP
        assert f"[{step * 1000:.0f}ms]" in query
        if "Watchdog" in query and "!=" not in query:
            return [series({}, range(721), 24)] if self.watched else []
        return self.series


def series(labels: dict[str, str], steps: range, count: float) -> Series:
    return Series(labels | {"alertstate": "firing"}, tuple((START + step * STEP, count) for step in steps))


def measured(*given: Series, firing: tuple[dict[str, str], ...] = (), watched: bool = True) -> Facts | None:
    return alerts.measure(cast("Prometheus", Recorded(*given, firing=firing, watched=watched)))


def one(facts: Facts | None) -> Alert:
    assert facts is not None
    [alert] = facts.alerts
    return alert


def told(labels: dict[str, str], began: float, ended: float | None, summary: str = "", action: str = "") -> Episode:
    """Return an episode that began so many hours after the period's beginning."""
    started = PERIOD.start + timedelta(hours=began)
    over = None if ended is None else PERIOD.start + timedelta(hours=ended)
    labels = labels | {"monitor": "home"}
    return Episode(labels["alertname"], labels["severity"], summary, labels, started, over, started, action=action)


def test_an_alert_of_20_seconds_is_not_lost() -> None:
    alert = one(measured(series(DOWN, range(100, 101), 4)))
    assert (alert.name, alert.times, alert.seconds, alert.firing) == ("PortDown", 1, 20, False)
    assert alert.since == START + 99 * STEP + 20


def test_each_time_that_it_fires_is_counted() -> None:
    points = series(DOWN, range(100, 110), 24).points + series(DOWN, range(200, 205), 24).points
    alert = one(measured(Series(DOWN, points)))
    assert (alert.times, alert.seconds) == (2, 15 * STEP)


def test_what_fires_at_the_end_says_since_when() -> None:
    alert = one(measured(series(DOWN, range(700, 721), 24), firing=(DOWN,)))
    assert (alert.firing, alert.since) == (True, START + 699 * STEP)


def test_what_fired_before_the_period_already_does_not_say_so() -> None:
    alert = one(measured(series(DOWN, range(721), 24), firing=(DOWN,)))
    assert (alert.times, alert.seconds, alert.since) == (1, PERIOD.seconds, None)


def test_what_was_over_when_the_period_began_is_left_out() -> None:
    assert measured(series(DOWN, range(1), 24)) == Facts(())


def test_a_quiet_day_is_told_from_rules_that_are_not_evaluated() -> None:
    assert measured() == Facts(())
    assert measured(watched=False) is None


def test_a_storm_of_alerts_is_asked_for_in_longer_steps() -> None:
    asked: list[float] = []

    class Storm(Recorded):
        def value(self, query: str) -> float | None:
            return 2000

        def matrix(self, query: str, step: float) -> list[Series]:
            asked.append(step)
            return []

    alerts.measure(cast("Prometheus", Storm()))
    assert asked == [PERIOD.seconds / 25] * 2


def test_the_log_explains_what_prometheus_counted() -> None:
    facts = measured(series(DOWN, range(700, 721), 24), firing=(DOWN,))
    episode = told(DOWN, 23.3, None, f"{HOST}: port 25 is down", "docker ps")
    alert = one(alerts.merge(facts, [episode], HOST, PERIOD))
    assert (alert.summary, alert.action) == ("port 25 is down", "docker ps")
    assert (alert.times, alert.since, alert.firing) == (1, START + 23.3 * 3600, True)
    assert alert.seconds == pytest.approx(0.7 * 3600)


def test_the_log_alone_tells_where_prometheus_does_not_answer() -> None:
    episodes = [told(DOWN, -5, 1, "x"), told(DOWN, 2, 4, "y"), told(FULL, 20, None, "/var is full")]
    facts = alerts.merge(None, episodes, HOST, PERIOD)
    assert facts is not None
    full, down = facts.alerts
    assert (full.summary, full.firing, full.seconds) == ("/var is full", True, 4 * 3600)
    assert (down.times, down.seconds, down.firing, down.since) == (2, 3 * 3600, False, START + 4 * 3600)


def test_prometheus_is_believed_that_nothing_fires_any_more() -> None:
    alert = one(alerts.merge(Facts(()), [told(DOWN, 2, None)], HOST, PERIOD))
    assert not alert.firing


def test_alerts_of_other_hosts_are_left_out() -> None:
    other = DOWN | {"instance": "other.example.org"}
    assert alerts.merge(None, [told(other, 2, None)], HOST, PERIOD) is None
    assert alerts.merge(None, [], HOST, PERIOD) is None


@pytest.mark.parametrize("name", ["Watchdog", "TestAlert"])
def test_signs_of_life_are_no_news(name: str) -> None:
    assert alerts.merge(Facts(()), [told(DOWN | {"alertname": name}, 2, 3)], HOST, PERIOD) == Facts(())


def alert(labels: dict[str, str], **values: object) -> Alert:
    return replace(Alert(labels["alertname"], labels["severity"], labels, 1, 60.0), **values)  # type: ignore[arg-type]


def test_what_fires_now_comes_first_then_what_was_graver() -> None:
    info = alert(DOWN | {"severity": "info", "alertname": "SshAttack"})
    facts = Facts(
        (
            info,
            alert(DOWN, seconds=720.0, since=END - 7200),
            alert(FULL, firing=True, since=END - 3600, summary="/var is 84% full"),
        )
    )
    section = alerts.show(facts, SAY)
    assert section.state == "warning"
    assert section.summary == "1 alert fires now. 2 are over (1 critical)."
    assert [[cell.text.replace("\xa0", " ") for cell in row] for row in section.tables[0].rows] == [
        ["/var is 84% full", "warning for 1 min, since 22 Nov 01:00"],
        ["PortDown (127.0.0.1:25)", "critical for 12 min, over since 22 Nov 00:00"],
        ["SshAttack (127.0.0.1:25)", "note for 1 min, over"],
    ]
    assert [row[0].state for row in section.tables[0].rows] == ["warning", "", ""]


def test_what_is_over_is_only_noted() -> None:
    facts = Facts((alert(DOWN),))
    assert (alerts.show(facts, SAY).state, list(alerts.advise(facts, SAY))) == ("info", [])
    assert (alerts.over(facts), alerts.past(facts)) == (1, {"services": "critical", "alerts": "critical"})
    both = Facts((alert(DOWN), alert(FULL)))
    assert alerts.over(both) == 2
    assert alerts.past(both) == {"services": "critical", "filesystems": "warning", "alerts": "critical"}
    neither = Facts((alert(FULL | {"severity": "info"}), alert(DOWN, firing=True)))
    assert (alerts.over(neither), alerts.past(neither)) == (0, {})


def test_what_fired_more_than_once_says_so() -> None:
    again = alert(DOWN, times=3, seconds=7200.0, firing=True, since=END - 3600)
    over = alert(FULL, times=2, seconds=600.0, since=END - 7200)
    ever = alert(FULL | {"mountpoint": "/"}, seconds=86400.0, firing=True)
    told = {
        row[0].text: row[1].text.replace("\xa0", " ")
        for row in alerts.show(Facts((again, over, ever)), SAY).tables[0].rows
    }
    assert told == {
        "PortDown (127.0.0.1:25)": "critical 3 times, 2 h in all, now since 22 Nov 01:00",
        "FilesystemSpaceLow (/)": "warning for 1 d, still firing",
        "FilesystemSpaceLow (/var)": "warning 2 times, 10 min in all, over since 22 Nov 00:00",
    }


def test_a_day_without_alerts_is_good() -> None:
    section = alerts.show(Facts(()), SAY)
    assert (section.state, section.summary, section.tables) == ("good", "No alert fired.", ())


def test_many_that_are_over_are_counted() -> None:
    past = [alert(DOWN | {"target": f"127.0.0.1:{number}"}) for number in range(25)]
    [table] = alerts.show(Facts(tuple(past)), SAY).tables
    assert (len(table.rows), table.left_out) == (10, "15 more are over")


def test_the_warning_of_what_is_critical_is_not_told_twice() -> None:
    critical, warning = alert(FULL | {"severity": "critical"}, firing=True), alert(FULL, firing=True)
    assert len(alerts.show(Facts((critical, warning)), SAY).tables[0].rows) == 1
    assert [action.severity for action in alerts.advise(Facts((critical, warning)), SAY)] == ["critical"]
    over = replace(critical, firing=False)
    assert [action.severity for action in alerts.advise(Facts((over, warning)), SAY)] == ["warning"]


def test_what_fires_is_advised_with_its_first_command() -> None:
    fires = alert(DOWN, firing=True, since=END - 3600, summary="port 25 is down", action="docker ps")
    assert list(alerts.advise(Facts((fires, alert(FULL))), SAY)) == [
        Action(
            "critical",
            "port 25 is down (fires since 22 Nov 01:00)",
            "docker ps",
            "alert-fires",
            "services",
            ("127.0.0.1:25", "25"),
        )
    ]


RULES = [
    {"alertname": rule["alert"], "collector": rule.get("labels", {}).get("collector", "")}
    for file in sorted((ROOT / "rules").glob("*.rules.yml"))
    for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
    if "alert" in rule
]


@pytest.mark.parametrize("labels", RULES, ids=[labels["alertname"] for labels in RULES])
def test_every_alert_belongs_to_a_section(labels: dict[str, str]) -> None:
    names = {re.sub(r".*\.", "", getattr(part, "__name__", "")) for part in PARTS}
    assert subject(labels) in names
