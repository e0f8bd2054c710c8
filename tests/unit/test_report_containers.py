"""What is told and advised about containers: each rule on both sides of its edge, one thing for each of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timezone
from typing import Any

import pytest

from mailserver_exporter.report.language import NONE, Language
from mailserver_exporter.report.prometheus import Compared
from mailserver_exporter.report.sections import containers
from mailserver_exporter.report.sections.containers import Container, Facts

GIB = 2.0**30
ENGLISH = Language("en", timezone.utc)


def container(name: str = "mail-1", **changes: Any) -> Container:
    """Return a container that runs and is well."""
    return replace(Container(name, "running", "postfix-mailcow"), **changes)


def facts(*given: Container, **changes: Any) -> Facts:
    """Return these containers on a Docker that answers."""
    restarts = Compared(sum(each.restarts for each in given), 0, None)
    return replace(Facts(given, restarts, {}, {}, {}, answers=True), **changes)


def advised(given: Container) -> tuple[str, str] | None:
    """Return the rule and the severity of what is advised about one."""
    actions = list(containers.advise(facts(given), ENGLISH))
    assert len(actions) < 2
    return (actions[0].rule, actions[0].severity) if actions else None


STOPPED = {"state": "exited", "exit_code": 1.0, "running": 0.5}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (container(), None),
        (container(restarts=2), None),
        (container(restarts=3), ("container-restarted-three-times", "warning")),
        (container(state="restarting", restarts=1), ("container-restarted-three-times", "critical")),
        (container(oom_kills=1), ("container-killed-for-want-of-memory", "warning")),
        (container(unhealthy=True), ("container-unhealthy", "warning")),
        (container(memory_highest=0.9), None),
        (container(memory_highest=0.91, memory_limit=GIB), ("container-near-its-memory-limit", "warning")),
        (container(service="", **STOPPED), ("container-stopped", "critical")),
        # Of a service of Compose the services tell.
        (container(**STOPPED), None),
        # What has done its work, and what was left behind long ago.
        (container(service="", **{**STOPPED, "exit_code": 0.0}), None),
        (container(service="", **{**STOPPED, "running": 0.0}), None),
        # One thing for one container: killed for memory it is restarted, too.
        (container(oom_kills=5, restarts=5, memory_highest=1.0), ("container-killed-for-want-of-memory", "warning")),
    ],
)
def test_one_thing_is_advised(given: Container, expected: tuple[str, str] | None) -> None:
    assert advised(given) == expected


def test_the_limit_that_was_reached_is_named() -> None:
    (limited,) = containers.advise(facts(container(oom_kills=2, memory_limit=GIB)), ENGLISH)
    assert limited.text == "2 processes of mail-1 were killed for want of memory: raise its limit of 1.0\xa0GiB."
    (free,) = containers.advise(facts(container(oom_kills=1)), ENGLISH)
    assert free.text.endswith("was killed for want of memory: see what uses the host's memory.")


def test_a_hostile_name_is_no_command() -> None:
    (action,) = containers.advise(facts(container("a;reboot", restarts=3)), ENGLISH)
    assert action.command == "docker logs --tail 50 'a;reboot'"


def test_dockers_templates_are_written_as_docker_reads_them() -> None:
    (action,) = containers.advise(facts(container(unhealthy=True)), ENGLISH)
    assert action.command == "docker inspect -f '{{range .State.Health.Log}}{{.Output}}{{end}}' mail-1"


@pytest.mark.parametrize(
    ("stack", "command"),
    [("mailcow", "cd /opt/mailcow-dockerized && ./update.sh"), ("", "docker compose pull && docker compose up -d")],
)
def test_old_images_are_one_thing(stack: str, command: str) -> None:
    given = facts(container(), old_images={"a": 100 * 86400.0, "b": 200 * 86400.0}, stack=stack)
    (action,) = containers.advise(given, ENGLISH)
    assert (action.rule, action.severity, action.command) == ("images-older-than-limit", "info", command)
    assert containers.show(given, ENGLISH).notes == (
        "The images of 2 containers are older than their limit, the oldest is that of b: 200\xa0d.",
    )


def test_a_docker_that_does_not_answer_is_all_that_is_advised() -> None:
    given = facts(container(oom_kills=3), answers=False, old_images={"a": 1.0})
    assert [action.rule for action in containers.advise(given, ENGLISH)] == ["docker-does-not-answer"]
    section = containers.show(given, ENGLISH)
    assert (section.summary, section.state) == ("Docker does not answer", "critical")


def test_of_hundreds_those_with_something_to_tell_come_first() -> None:
    many = [container(f"c{number}") for number in range(470)]
    hurt = [container(f"h{number}", restarts=float(number + 1)) for number in range(30)]
    section = containers.show(facts(*many, *hurt), ENGLISH)
    (table,) = section.tables
    assert [row[0].text for row in table.rows][:2] == ["h29", "h28"]
    assert (len(table.rows), table.left_out) == (20, "480 more, of 10 there is something to tell")
    assert section.summary == "500 of 500 run; restarts: 465 (day before 0, week before –)"  # noqa: RUF001
    actions = list(containers.advise(facts(*many, *hurt), ENGLISH))
    assert [action.about[0] for action in actions[:5]] == ["h29", "h28", "h27", "h26", "h25"]
    assert actions[5].rule == "more-containers-need-attention"
    assert actions[5].text == "23 more containers need attention, see the table."
    assert len(actions) == 6


def test_what_is_well_is_only_counted() -> None:
    section = containers.show(facts(container(), container("b", restarts=1)), ENGLISH)
    (table,) = section.tables
    assert [cell.text for cell in table.rows[0]] == ["b", "running", "1", "", ""]
    assert (table.left_out, section.state) == ("1 more is well", "info")
    assert containers.show(facts(container()), ENGLISH).tables == ()


def test_a_row_says_what_is_wrong() -> None:
    given = container(**STOPPED, unhealthy=True, memory_highest=0.97, down_seconds=43200.0, oom_kills=2)
    (table,) = containers.show(facts(given), ENGLISH).tables
    assert [cell.text for cell in table.rows[0]] == [
        "mail-1",
        "exited with 1, unhealthy, up to 97% of its memory",
        "",
        "2",
        "12\xa0h",
    ]
    assert table.rows[0][0].state == "critical"


def test_a_state_that_is_not_known_is_said_to_be_so() -> None:
    (table,) = containers.show(facts(container(state="", restarts=1)), ENGLISH).tables
    assert table.rows[0][1].text == "unknown"


def test_who_used_most_is_told_by_memory() -> None:
    given = facts(container(), memory={"a": GIB, "b": 2 * GIB}, cpu={"a": 0.5, "c": 1.25})
    (table,) = containers.show(given, ENGLISH).tables
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["b", "2.0\xa0GiB", NONE],
        ["a", "1.0\xa0GiB", "50%"],
        ["c", NONE, "125%"],
    ]


@pytest.mark.parametrize(("restarting", "rest"), [(5, []), (6, ["more-containers-need-attention"])])
def test_beyond_five_one_thing_is_advised_for_the_rest(restarting: int, rest: list[str]) -> None:
    given = (container(f"mail-{number}", restarts=9) for number in range(restarting))
    assert [action.rule for action in containers.advise(facts(*given), ENGLISH)][5:] == rest
