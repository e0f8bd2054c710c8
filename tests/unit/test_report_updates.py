"""Updates and the reboot in the report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailserver_exporter.report.prometheus import Compared
from mailserver_exporter.report.sections import updates
from mailserver_exporter.report.sections.updates import Facts
from tests.support.report_counts import END, ENGLISH

DAY = 86400.0
NOTHING = Compared(0, 0, None)
WELL = Facts(
    NOTHING,
    NOTHING,
    NOTHING,
    security_age=0.0,
    reboot_age=None,
    reboot_since=None,
    lists_age=3600.0,
    running="6.1.0-30-amd64",
    installed="6.1.0-30-amd64",
    security_limits={"warning": 2 * DAY},
    reboot_limits={"warning": 3 * DAY},
    lists_limits={"info": 7 * DAY},
)


def rules(facts: Facts) -> list[tuple[str, str]]:
    return [(action.rule, action.severity) for action in updates.advise(facts, ENGLISH)]


def test_a_host_without_updates_needs_nothing() -> None:
    section = updates.show(WELL, ENGLISH)
    assert (section.state, section.summary) == ("good", "no update waits")
    assert rules(WELL) == []


@pytest.mark.parametrize(("days", "expected"), [(2, []), (2.01, [("security-updates-waiting", "warning")])])
def test_security_updates_are_to_be_installed_after_a_while(days: float, expected: list[tuple[str, str]]) -> None:
    facts = replace(WELL, security=Compared(3, 1, None), other=Compared(4, 4, 4), security_age=days * DAY)
    assert rules(facts) == expected
    assert updates.show(facts, ENGLISH).summary == "7 updates wait, 3 of them for security, for 2\xa0d"


@pytest.mark.parametrize(("days", "expected"), [(3, []), (3.01, [("reboot-due", "warning")])])
def test_a_reboot_is_due_after_a_while(days: float, expected: list[tuple[str, str]]) -> None:
    facts = replace(WELL, reboot_age=days * DAY, reboot_since=END - days * DAY, installed="6.1.0-31-amd64")
    assert rules(facts) == expected
    section = updates.show(facts, ENGLISH)
    assert section.summary == "no update waits; a reboot has been due for 3\xa0d"
    told = {row[0].text: row[1].text for row in section.tables[1].rows}
    assert told["reboot required"].startswith("since 1")
    assert told["kernel"] == "6.1.0-30-amd64, installed 6.1.0-31-amd64"


@pytest.mark.parametrize(("days", "expected"), [(7, []), (7.01, [("package-lists-old", "info")])])
def test_old_lists_know_of_no_update(days: float, expected: list[tuple[str, str]]) -> None:
    assert rules(replace(WELL, lists_age=days * DAY)) == expected


def test_a_host_without_lists_has_no_age_of_them() -> None:
    facts = replace(WELL, lists_age=None)
    assert rules(facts) == []
    assert "age of the package lists" not in {row[0].text for row in updates.show(facts, ENGLISH).tables[1].rows}
