"""What is told and advised about services: each rule on both sides of its edge, one thing for one cause."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import pytest

from mailserver_exporter.report.language import Language
from mailserver_exporter.report.outages import Availability, Measured, Outage
from mailserver_exporter.report.prometheus import Compared
from mailserver_exporter.report.sections import services
from mailserver_exporter.report.sections.services import Facts, Service

DAY, HOUR = 86400.0, 3600.0
END = 1_795_050_000.0
NOON = END - 13 * HOUR
ENGLISH = Language("en", timezone(timedelta(hours=1)))
ALWAYS = Availability(True, Compared(1.0, 1.0, 1.0), 0.0, 0)


def service(name: str = "127.0.0.1:25", where: str = "smtp_starttls", kind: str = "port", **changes: Any) -> Service:
    """Return a service that was always up."""
    return replace(Service(kind, name, where, ALWAYS, Compared(0.03, 0.03, 0.03), 0.05), **changes)


def interrupted(seconds: float, times: int = 1, *, now: bool | None = True, at: float = NOON) -> Availability:
    """Return how something was that was down for so long."""
    each = seconds / times
    outages = tuple(Outage(at + 7200 * number, at + 7200 * number + each, each) for number in range(times))
    return Availability(now, Compared(1 - seconds / DAY, 1.0, 1.0), seconds, times, outages)


def facts(*given: Service, **changes: Any) -> Facts:
    """Return these services on a day that was measured."""
    return replace(Facts(given, Measured(1.0)), **changes)


def rules(given: Facts) -> list[str]:
    """Return the rules by which something is advised."""
    return [action.rule for action in services.advise(given, ENGLISH)]


def test_nothing_is_advised_where_all_is_well() -> None:
    assert rules(facts(service(), service(kind="unit", name="postfix.service", where=""))) == []


def test_all_that_is_down_is_one_cause() -> None:
    port = service(availability=interrupted(HOUR, now=False))
    container = service("postfix-mailcow", "mailcow", "service", availability=interrupted(HOUR, now=False))
    (action,) = services.advise(facts(port, container), ENGLISH)
    assert (action.rule, action.severity) == ("services-down", "critical")
    assert action.text == (
        "127.0.0.1:25 (smtp_starttls), postfix-mailcow (mailcow) have been down since 18 Nov 13:00: "
        "see why and start them."
    )
    assert action.command == (
        "docker compose -p mailcow ps -a; docker compose -p mailcow logs --tail 50 postfix-mailcow"
    )
    assert action.about == ("127.0.0.1:25", "postfix-mailcow")


@pytest.mark.parametrize(
    ("stack", "kind", "command"),
    [
        ("host", "unit", "systemctl status x.service"),
        ("mailcow", "port", "cd /opt/mailcow-dockerized && docker compose ps -a"),
        ("host", "port", "systemctl status postfix dovecot; ss -ltnp"),
    ],
)
def test_the_first_command_is_that_of_the_stack(stack: str, kind: str, command: str) -> None:
    down = service("x.service", "", kind, availability=interrupted(60, now=False))
    (action,) = services.advise(facts(down, stack=stack), ENGLISH)
    assert action.command == command


def test_a_unit_that_is_down_is_a_warning() -> None:
    unit = service("certbot.timer", "", "unit", availability=interrupted(60, now=False))
    (action,) = services.advise(facts(unit, failed=("certbot.timer",)), ENGLISH)
    assert (action.rule, action.severity) == ("services-down", "warning")


def test_units_that_have_failed_are_one_thing() -> None:
    (action,) = services.advise(facts(failed=("a.service", "logrotate.service")), ENGLISH)
    assert action.rule == "units-failed"
    assert (
        action.command
        == "systemctl status a.service logrotate.service; journalctl -u a.service logrotate.service -n 50"
    )


@pytest.mark.parametrize(
    ("seconds", "times", "advised"),
    [(86, 1, False), (87, 1, True), (20, 2, False), (20, 3, True)],
)
def test_what_was_interrupted(seconds: float, times: int, advised: bool) -> None:
    given = facts(service(availability=interrupted(seconds, times)))
    assert ("services-interrupted" in rules(given)) == advised


def test_the_log_of_the_longest_interruption_is_named() -> None:
    given = facts(service(availability=interrupted(1200, 2)))
    (action,) = services.advise(given, ENGLISH)
    assert action.text == (
        "127.0.0.1:25 (smtp_starttls) was down 2 times, 20\xa0min in all: see what the log says of the longest."
    )
    assert action.command == "journalctl --since '2026-11-18 12:58:00' --until '2026-11-18 13:11:00'"
    (mailcow,) = services.advise(replace(given, stack="mailcow"), ENGLISH)
    assert mailcow.command.endswith("logs --since 2026-11-18T12:58:00+01:00 --until 2026-11-18T13:11:00+01:00")


@pytest.mark.parametrize(("boot", "advised"), [(NOON + 60, False), (NOON + 3 * HOUR, True)])
def test_an_interruption_by_a_boot_is_explained(boot: float, advised: bool) -> None:
    given = facts(service(availability=interrupted(200)), boots=(boot,))
    assert ("services-interrupted" in rules(given)) == advised


@pytest.mark.parametrize(
    ("response", "advised"),
    [
        (Compared(1.0, 0.3, 0.2), True),
        (Compared(0.99, 0.3, 0.2), False),
        (Compared(1.0, 0.34, 0.2), False),
        (Compared(9.0, None, None), False),
        (Compared(None, 0.1, 0.1), False),
    ],
)
def test_what_answers_three_times_slower_than_before(response: Compared, advised: bool) -> None:
    assert ("service-three-times-slower" in rules(facts(service(response=response)))) == advised


@pytest.mark.parametrize(("gap", "advised"), [(0.049 * DAY, False), (0.051 * DAY, True)])
def test_less_than_95_percent_measured(gap: float, advised: bool) -> None:
    given = facts(service(), measured=Measured(1 - gap / DAY, ((NOON, NOON + gap),)))
    assert ("measured-less-than-95-percent" in rules(given)) == advised


def test_who_did_not_run_is_named() -> None:
    silent = Measured(1.0, (), None, (Outage(NOON, NOON + 2 * HOUR, 2 * HOUR),), 2 * HOUR)
    (action,) = services.advise(facts(measured=silent), ENGLISH)
    assert action.text == "The exporter did not answer for 2\xa0h, and nothing was watched: see why."
    blind = Measured(0.9, ((NOON, NOON + 2 * HOUR),))
    (action,) = services.advise(facts(measured=blind), ENGLISH)
    assert action.text == "Prometheus measured nothing for 2\xa0h: see why it did not run."


def test_a_gap_in_which_the_host_was_off_is_explained_by_its_boot() -> None:
    given = facts(measured=Measured(0.9, ((NOON, NOON + 2 * HOUR),)), boots=(NOON + 2 * HOUR - 30,))
    assert rules(given) == []


def test_a_first_day_is_no_gap() -> None:
    given = facts(service(), measured=Measured(0.01, (), END - 1200))
    assert rules(given) == []
    assert services.show(given, ENGLISH).notes == (
        "Measured since 19 Nov 01:40 only.",
        "What counts here is the 1.0% of the time that was measured.",
    )


def test_the_worst_comes_first_and_what_was_always_up_is_counted() -> None:
    units = [service(f"{number}.service", "", "unit") for number in range(9)]
    down = service("z.service", "", "unit", availability=interrupted(60, now=False))
    hurt = service("127.0.0.1:993", "imap_tls", availability=interrupted(0.02 * DAY, 3))
    section = services.show(facts(service(), *units, hurt, down), ENGLISH)
    (table,) = section.tables
    assert [row[0].text for row in table.rows] == [
        "127.0.0.1:993 (imap_tls)",
        "z.service is down",
        "127.0.0.1:25 (smtp_starttls)",
    ]
    assert table.left_out == "9 more were always up"
    assert section.summary == "z.service is down, of 12"
    assert table.rows[-1][1].text == "100%"
    assert table.rows[-1][6].text == "30\xa0ms, 95% in 50\xa0ms"


def test_what_is_nearly_always_up_is_not_rounded_up() -> None:
    (table,) = services.show(facts(service(availability=interrupted(1))), ENGLISH).tables
    assert table.rows[0][1].text == "99.99%"
    assert table.rows[0][1].state == "info"


def test_a_service_of_which_nothing_is_known_now_is_not_down() -> None:
    given = facts(service(availability=replace(ALWAYS, now=None)))
    assert rules(given) == []
    assert services.show(given, ENGLISH).state == "good"


def test_hundreds_of_services_are_bounded() -> None:
    many = [service(f"127.0.0.1:{port}", availability=interrupted(600)) for port in range(500)]
    section = services.show(facts(*many), ENGLISH)
    assert len(section.tables[0].rows) == 30
    assert section.tables[0].left_out == "470 more"
    (action,) = services.advise(facts(*many), ENGLISH)
    assert len(action.text) < 300


def test_gaps_are_told_and_the_rest_of_many_counted() -> None:
    gaps = tuple((NOON + n * 600, NOON + n * 600 + 120) for n in range(5))
    notes = services.show(facts(service(), measured=Measured(0.993, gaps)), ENGLISH).notes
    assert notes[0].endswith("(2\xa0min) and 2 more.")
    assert notes[1] == "What counts here is the 99.3% of the time that was measured."
