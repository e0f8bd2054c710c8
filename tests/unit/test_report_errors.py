"""Errors by service in the report."""

from __future__ import annotations

import pytest

from mailserver_exporter.report.sections import errors
from mailserver_exporter.report.sections.errors import Facts
from tests.support.report_counts import ENGLISH, counts, of

POSTFIX, DOVECOT = "mailserver_postfix_log_messages_total", "mailserver_dovecot_messages_total"
CLASSES, STARTS = "mailserver_dovecot_errors_total", "mailserver_mailcow_netfilter_starts_total"
QUIET = (of(POSTFIX, 0, level="error"), of(DOVECOT, 0, level="error"))


def rules(facts: Facts) -> list[str]:
    return [action.rule for action in errors.advise(facts, ENGLISH)]


def test_quiet_logs_need_nothing() -> None:
    facts = Facts(counts(*QUIET, of(POSTFIX, 300, 200, 100, level="warning")))
    section = errors.show(facts, ENGLISH)
    assert (section.state, section.summary) == ("good", "0 errors in the logs")
    assert [cell.text for cell in section.tables[0].rows[1]] == ["Postfix: warnings", "300", "200", "100"]
    assert rules(facts) == []


@pytest.mark.parametrize(
    ("level", "number", "expected"), [("fatal", 1, True), ("panic", 1, True), ("error", 50, False)]
)
def test_postfix_that_gives_up_is_to_be_looked_at(level: str, number: float, expected: bool) -> None:
    assert ("postfix-fatal-errors" in rules(Facts(counts(of(POSTFIX, number, level=level))))) is expected


@pytest.mark.parametrize(
    ("name", "enough"),
    [
        ("auth_backend", 3),
        ("storage_quota", 10),
        ("index_corruption", 10),
        ("permissions", 1),
        ("tls", 100),
        ("out_of_memory", 1),
        ("other", 50),
    ],
)
def test_dovecots_errors_matter_from_a_number_on(name: str, enough: float) -> None:
    assert rules(Facts(counts(of(CLASSES, enough - 1, class_=name)))) == []
    facts = Facts(counts(*QUIET, of(CLASSES, enough, class_=name)))
    assert rules(facts) == [f"dovecot-errors-{name}"]
    assert errors.show(facts, ENGLISH).state == "warning"


@pytest.mark.parametrize(("starts", "expected"), [(2, []), (3, ["netfilter-restarts"])])
def test_netfilter_that_starts_again_and_again_is_to_be_looked_at(starts: float, expected: list[str]) -> None:
    assert rules(Facts(counts(of(STARTS, starts)))) == expected


def test_what_is_not_measured_is_told_once() -> None:
    facts = Facts(counts(*QUIET), {"logs": 7200.0, "dns": 60.0}, ("logs",), ("journal",), {"postfix (journal)": 30000})
    assert rules(facts) == ["collector-fails", "log-silent"]
    section = errors.show(facts, ENGLISH)
    assert section.state == "warning"
    assert [tuple(cell.text for cell in row) for row in section.tables[1].rows] == [
        ("the log journal", "cannot be read"),
        ("postfix (journal) has written nothing", "8\xa0h 20\xa0min"),
        ("collector logs", "2\xa0h"),
        ("collector dns", "1\xa0min"),
    ]


def test_a_log_that_cannot_be_read_is_told_where_the_others_can() -> None:
    assert rules(Facts(counts(*QUIET), unreadable=("journal",))) == ["log-unreadable"]


def test_fail2ban_that_fails_is_the_security_sections_to_tell() -> None:
    assert rules(Facts(counts(*QUIET), failing=("fail2ban",))) == []


def test_a_collector_that_failed_and_works_again_needs_nothing() -> None:
    facts = Facts(counts(*QUIET), {"queue": 720.0})
    assert rules(facts) == []
    assert errors.show(facts, ENGLISH).state == "good"
