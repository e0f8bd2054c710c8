"""The mail queue in the report: what is said of it, and from when on something is to be done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailserver_exporter.report.prometheus import DAY, Compared
from mailserver_exporter.report.sections import queue
from mailserver_exporter.report.sections.queue import Facts
from tests.support.report_counts import END, ENGLISH

CALM = Facts(
    now=0.0,
    mean=Compared(0.5, 0.4, None),
    highest=Compared(9.0, 8.0, None),
    highest_at=END - 3600,
    oldest=0.0,
    highest_age=Compared(900.0, 800.0, None),
    queues={"active": 0.0, "deferred": 0.0, "hold": 0.0, "corrupt": 0.0},
    highest_by_queue={"active": 2.0, "deferred": 9.0},
    messages_limits={"warning": 10.0, "critical": 50.0},
    age_limits={"warning": 3600.0, "critical": 14400.0},
    points=((END - 300, 0.0), (END, 0.0)),
    before=((END - 300 - DAY, 1.0), (END - DAY, 1.0)),
    step=300.0,
)


def rules(facts: Facts) -> list[tuple[str, str]]:
    return [(action.rule, action.severity) for action in queue.advise(facts, ENGLISH)]


def test_a_calm_queue_needs_nothing() -> None:
    section = queue.show(CALM, ENGLISH)
    assert (section.state, section.summary) == ("good", "empty now; at most 9 messages")
    assert rules(CALM) == []


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (10, []),
        (11, [("queue-above-limit", "warning")]),
        (50, [("queue-above-limit", "warning")]),
        (51, [("queue-above-limit", "critical")]),
    ],
)
def test_a_queue_above_its_limit_is_to_be_looked_at(messages: float, expected: list[tuple[str, str]]) -> None:
    assert rules(replace(CALM, now=messages)) == expected


@pytest.mark.parametrize(("age", "expected"), [(3600, []), (3601, [("queue-message-above-age-limit", "warning")])])
def test_an_old_message_is_to_be_looked_at(age: float, expected: list[tuple[str, str]]) -> None:
    assert rules(replace(CALM, now=1, oldest=age)) == expected


def test_a_long_queue_with_old_messages_is_one_cause() -> None:
    assert rules(replace(CALM, now=60, oldest=90000)) == [("queue-above-limit", "critical")]


def test_messages_on_hold_and_damaged_ones_are_told() -> None:
    facts = replace(CALM, queues={**CALM.queues, "hold": 2.0, "corrupt": 1.0})
    assert rules(facts) == [("queue-has-corrupt-messages", "warning"), ("queue-has-messages-on-hold", "info")]
    assert queue.show(facts, ENGLISH).state == "warning"


def test_the_command_is_one_for_the_mail_stack() -> None:
    [action] = queue.advise(replace(CALM, now=60, stack="mailcow"), ENGLISH)
    assert action.command == (
        "cd /opt/mailcow-dockerized && docker compose exec postfix-mailcow postqueue -p | tail -50"
    )


def test_what_was_too_much_and_is_over_is_marked_but_raises_nothing() -> None:
    facts = replace(CALM, highest=Compared(183.0, 8.0, 9.0))
    section = queue.show(facts, ENGLISH)
    assert section.state == "good"
    assert section.tables[0].rows[1][1].state == "critical"
    assert rules(facts) == []


def test_the_day_before_is_drawn_faintly_over_this_one() -> None:
    [chart] = queue.show(CALM, ENGLISH).charts
    now, before = chart.lines
    assert [at for at, _ in now.points] == [at for at, _ in before.points]
    assert before.faint
    assert not now.faint
    assert [limit.value for limit in chart.limits] == [10, 50]


def test_a_queue_that_was_not_read_at_the_end_has_no_number_and_no_good_state() -> None:
    section = queue.show(replace(CALM, now=None, oldest=None, old=True), ENGLISH)
    assert section.state == ""
    assert section.notes == ("The queue was not read any more when the period ended.",)
