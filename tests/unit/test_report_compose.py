"""What the report's verdict and subject say, and what is to be done first."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from mailserver_exporter.report import html, plain
from mailserver_exporter.report.model import Action, Cell, Report, Section, State, Table
from mailserver_exporter.report.outages import Availability, Measured
from mailserver_exporter.report.prometheus import Compared
from mailserver_exporter.report.sections import alerts, backups, services_facts
from tests.support import reports
from tests.support.reports import composed, composed_of, part


def section(title: str, state: State, summary: str = "") -> Section:
    return Section(title, summary, state)


def test_a_good_day_is_well() -> None:
    report = reports.good()
    assert (report.state, report.verdict) == ("good", "All well")
    assert report.subject == "[OK] mail.example.org 22 Nov 2026: daily report"
    german = reports.good("de")
    assert german.verdict == "Alles in Ordnung"
    assert german.subject == "[OK] mail.example.org 22. 11. 2026: Tagesbericht"


def test_warnings_are_counted_and_named() -> None:
    report = composed(
        part(section("Host", "good")),
        part(section("Filesystems", "warning"), Action("warning", "/ is full"), Action("warning", "/var is full")),
        part(section("Backups", "warning", "the newest is 40 h old")),
    )
    assert (report.state, report.verdict) == ("warning", "3 warnings: Filesystems, Backups")
    assert report.subject == "[3 warnings] mail.example.org 22 Nov 2026: Filesystems, Backups"


def test_what_is_critical_comes_first() -> None:
    report = composed(
        part(section("Filesystems", "warning"), Action("warning", "/ is full"), Action("info", "tidy up")),
        part(section("Queue", "critical"), Action("critical", "nothing is sent")),
    )
    assert (report.state, report.verdict) == ("critical", "CRITICAL: Queue; 1 warning")
    assert report.subject == "[CRITICAL] mail.example.org 22 Nov 2026: Queue, Filesystems"
    assert [action.severity for action in report.actions] == ["critical", "warning", "info"]


def test_a_section_that_is_graver_than_its_advice_counts_by_itself() -> None:
    report = composed(part(section("Queue", "critical"), Action("warning", "look at it")))
    assert report.verdict == "CRITICAL: Queue; 1 warning"


def test_what_is_only_noted_is_well() -> None:
    report = composed(part(section("Updates", "info"), Action("info", "install them")))
    assert (report.state, report.verdict) == ("good", "All well")
    assert [action.text for action in report.actions] == ["install them"]


def test_many_subjects_are_not_all_named() -> None:
    report = composed(*(part(section(f"Part {number}", "warning")) for number in range(9)))
    assert report.verdict == "9 warnings: Part 0, Part 1, Part 2, 6 more"


@pytest.mark.parametrize(("language", "tag"), [("en", "[INCOMPLETE, 1 warning]"), ("de", "[UNVOLLSTÄNDIG, 1 Warnung]")])
def test_it_says_first_that_prometheus_does_not_answer(language: str, tag: str) -> None:
    report = reports.without_prometheus(language)
    assert report.state == "warning"
    assert report.verdict.startswith("Prometheus could not be asked: http://127.0.0.1:9090 does not answer")
    assert report.subject.startswith(tag)


def test_what_is_not_known_is_not_well() -> None:
    report = composed(part(section("Host", "good")), problems=["Prometheus is silent"])
    assert (report.state, report.verdict) == ("warning", "Prometheus is silent. What could be asked is well")
    assert report.subject == "[INCOMPLETE] mail.example.org 22 Nov 2026: daily report"


def test_a_remark_changes_nothing_but_is_told() -> None:
    report = composed(part(section("Host", "good")), remarks=["The report of yesterday could not be sent."])
    assert (report.state, report.verdict) == ("good", "All well")
    assert report.problems == ("The report of yesterday could not be sent.",)


def test_what_is_not_watched_is_left_out() -> None:
    report = reports.composed_of([(part(section("Host", "good")), None)])
    assert report.sections == ()


FULL = Action("critical", "/var/vmail is 93% full", "df -h /var/vmail", "filesystem-full")


def alert(*about: str, severity: State = "critical", subject: str = "filesystems") -> Action:
    return Action(severity, "an alert", "df", "alert-fires", subject, about)


@pytest.mark.parametrize(
    ("fires", "told"),
    [
        (alert("/var/vmail", "ext4"), ["/var/vmail is 93% full"]),
        (alert(severity="warning"), ["/var/vmail is 93% full"]),
        (alert("/var"), ["an alert", "/var/vmail is 93% full"]),
        (alert("/"), ["an alert", "/var/vmail is 93% full"]),
        (alert("/var/vmail", subject="queue"), ["an alert", "/var/vmail is 93% full"]),
    ],
    ids=["the same", "of no thing", "of another", "of the root", "of another subject"],
)
def test_an_alert_is_not_advised_twice(fires: Action, told: list[str]) -> None:
    report = composed(
        part(section("Alerts", "critical"), fires, name="alerts"),
        part(section("Filesystems", "critical"), FULL, name="filesystems"),
    )
    assert sorted(action.text for action in report.actions) == sorted(told)


def test_a_graver_alert_is_told_beside_what_is_advised() -> None:
    report = composed(
        part(section("Alerts", "critical"), alert("/var/vmail"), name="alerts"),
        part(section("Filesystems", "warning"), Action("warning", "/var/vmail is 83% full"), name="filesystems"),
    )
    assert [action.text for action in report.actions] == ["an alert", "/var/vmail is 83% full"]
    assert report.verdict == "CRITICAL: Filesystems; 1 warning"


def day(**facts: object) -> Report:
    """Return the report of a day on which these facts of alerts, services and backups were found."""
    return composed_of([(part(section(name, "good"), name=name), each) for name, each in facts.items()])


def test_a_good_day_says_why_it_is_well() -> None:
    up = Availability(now=True, ratio=Compared(1, 1, 1), seconds=0, interruptions=0)
    services = services_facts.Facts(
        tuple(services_facts.Service("unit", str(n), "", up) for n in range(19)), Measured()
    )
    backup = SimpleNamespace(age=23 * 3600.0)
    found = backups.Facts((backup, SimpleNamespace(age=2e6)))  # type: ignore[arg-type]
    report = day(alerts=alerts.Facts(()), services=services, backups=found)
    assert report.verdict == "All well: 19 services always up, no alert, newest backup 23\xa0h old"


FIRED = alerts.Alert("QueueTooLong", "critical", {"collector": "queue", "severity": "critical"}, 1, 60.0, 5.0)


def test_what_was_critical_and_is_over_has_no_tick() -> None:
    queue = part(section("Queue", "good"), name="queue")
    memory = Section("Host", "", "good", (Table(("Use", "Highest"), ((Cell("Memory"), Cell("94%", "critical")),)),))
    report = composed_of(
        [
            (part(section("Alerts", "info"), name="alerts"), alerts.Facts((FIRED,))),
            (queue, "facts"),
            (part(memory, name="host"), "facts"),
            (part(section("Mail", "good"), name="mail"), "facts"),
        ]
    )
    assert report.state == "good"
    assert report.verdict == "All well: 1 alert is over"
    told = [(each.title, each.state, each.was) for each in report.sections]
    assert told == [
        ("Alerts", "info", "critical"),
        ("Queue", "info", "critical"),
        ("Host", "info", "critical"),
        ("Mail", "good", ""),
    ]
    assert "Queue (\N{BULLET} was critical)" in plain.text(report)
    assert "Mail (✓ good)" in plain.text(report)
    page = html.page(report, {})
    assert page.count("&nbsp;was critical</span>") == 3
    german = replace(report, language="de")
    assert "Queue (\N{BULLET} war kritisch)" in plain.text(german)
    assert html.page(german, {}).count("&nbsp;war kritisch</span>") == 3


def test_a_section_has_no_tick_where_something_is_to_be_done() -> None:
    report = composed(part(section("Security", "good"), Action("warning", "somebody guesses")))
    assert report.sections[0].state == "warning"
    assert report.verdict == "1 warning: Security"
