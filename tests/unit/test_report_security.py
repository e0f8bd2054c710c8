"""Who tried to get in, in the report."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import pytest

from mailserver_exporter.report.counts import Counts
from mailserver_exporter.report.networks import Network, Networks
from mailserver_exporter.report.prometheus import Compared
from mailserver_exporter.report.sections import security
from mailserver_exporter.report.sections.security import Facts, Jail
from tests.support.report_counts import ENGLISH, PERIOD, Row, counts, of

PASSWORDS, OTHER = "mailserver_sshd_failed_passwords_total", "mailserver_sshd_failures_total"
LOGINS, GUESSED = "mailserver_sshd_logins_total", "mailserver_sshd_logins_after_failures_total"
DOVECOT, SASL = "mailserver_dovecot_login_failures_total", "postfix_smtpd_sasl_authentication_failures_total"
NONE = Compared(None, None, None)
SSHD = Jail("sshd", True, 3.0, Compared(9.0, 5.0, None), Compared(40.0, 30.0, 20.0), 2.0)
NOON = datetime(2026, 11, 17, 12, tzinfo=timezone.utc)


def facts(*rows: Row, jails: tuple[Jail, ...] = (SSHD,)) -> Facts:
    return Facts(counts(*rows), jails)


def network(failures: int = 1000, banned: int | None = 0) -> Network:
    return Network("192.0.2.0/24", failures, {"smtp": failures}, 1, "192.0.2.7", NOON, NOON, banned)


def rules(found: Facts) -> list[tuple[str, str]]:
    return [(action.rule, action.severity) for action in security.advise(found, ENGLISH)]


def test_the_numbers_are_told_by_where_somebody_tried() -> None:
    section = security.show(
        facts(
            of(PASSWORDS, 100, 50, 25),
            of(OTHER, 7, reason="publickey"),
            of(OTHER, 99, reason="disconnected"),
            of(LOGINS, 3, method="publickey"),
            of(LOGINS, 1, method="password"),
            of(GUESSED, 0),
            of(DOVECOT, 20, reason="auth_failed"),
            of(DOVECOT, 500, reason="no_auth_attempts"),
            of(SASL, 30),
        ),
        ENGLISH,
    )
    assert section.summary == "107 refused logins by SSH, 50 to mailboxes, 9 bans"
    assert section.state == "good"
    assert {row[0].text: row[1].text for row in section.tables[0].rows} == {
        "SSH: refused": "107",
        "SSH: unknown users": "0",
        "SSH: logins by key": "3",
        "SSH: logins by other means": "1",
        "SSH: logins after many failures": "0",
        "IMAP and POP3: refused": "20",
        "SMTP: refused": "30",
    }
    assert [cell.text for cell in section.tables[1].rows[0]] == ["sshd", "9", "5", "–", "3", "40", "2"]  # noqa: RUF001


@pytest.mark.parametrize(("guessed", "expected"), [(0, []), (1, [("ssh-password-guessed", "critical")])])
def test_a_guessed_password_is_the_first_thing_to_look_at(guessed: float, expected: list[tuple[str, str]]) -> None:
    found = facts(of(GUESSED, guessed))
    assert rules(found) == expected
    assert security.show(found, ENGLISH).state == ("critical" if guessed else "good")


def test_a_jail_that_is_gone_and_a_server_that_is_silent_are_told_once() -> None:
    gone = replace(SSHD, present=False)
    assert rules(facts(jails=(gone,))) == [("fail2ban-jail-missing", "warning")]
    down = replace(facts(jails=(gone,)), fail2ban_answers=False)
    assert rules(down) == [("fail2ban-down", "warning")]
    assert security.show(down, ENGLISH).state == "warning"


@pytest.mark.parametrize(("refused", "expected"), [(499, []), (500, [("nothing-bans", "warning")])])
def test_somebody_should_ban_who_tries_often(refused: float, expected: list[tuple[str, str]]) -> None:
    assert rules(facts(of(PASSWORDS, refused), jails=())) == expected
    assert rules(facts(of(PASSWORDS, refused))) == []
    assert rules(facts(of(PASSWORDS, refused), of("mailserver_mailcow_netfilter_bans_total", 1), jails=())) == []


@pytest.mark.parametrize(
    ("failures", "banned", "expected"),
    [
        (1000, 0, [("network-not-banned", "warning")]),
        (999, 0, []),
        (5000, 1, []),
        (5000, None, []),
    ],
)
def test_a_network_that_goes_on_trying_is_not_seen_by_a_jail(
    failures: int, banned: int | None, expected: list[tuple[str, str]]
) -> None:
    found = replace(facts(), networks=Networks((network(failures, banned),), failures))
    assert rules(found) == expected


def test_free_networks_are_told_together_and_not_where_fail2ban_is_down_anyway() -> None:
    found = replace(facts(), networks=Networks((network(5000), network(4000)), 9000))
    [action] = security.advise(found, ENGLISH)
    assert action.text.startswith("192.0.2.7, 192.0.2.7 failed to log in 5,000 times")
    assert action.command == "fail2ban-client status; fail2ban-client set JAIL banip 192.0.2.7"
    assert rules(replace(found, fail2ban_answers=False)) == [("fail2ban-down", "warning")]


@pytest.mark.parametrize(
    ("passwords", "by_password", "by_key", "expected"),
    [
        (1000, 0, 1, [("ssh-passwords-not-needed", "info")]),
        (999, 0, 1, []),
        (1000, 1, 1, []),
        (1000, 0, 0, []),
    ],
)
def test_passwords_that_nobody_uses_can_be_switched_off(
    passwords: float, by_password: float, by_key: float, expected: list[tuple[str, str]]
) -> None:
    found = facts(
        of(PASSWORDS, passwords), of(LOGINS, by_password, method="password"), of(LOGINS, by_key, method="publickey")
    )
    assert rules(found) == expected


def test_a_password_that_was_used_a_week_before_is_needed() -> None:
    rows = (of(PASSWORDS, 5000), of(LOGINS, 0, 0, 1, method="password"), of(LOGINS, 4, method="publickey"))
    assert rules(facts(*rows)) == []


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (300, 75, [("mailbox-logins-refused-multiplied", "warning")]),
        (299, 1, []),
        (400, 101, []),
        (400, None, []),
    ],
)
def test_far_more_refused_logins_than_usual_are_to_be_looked_at(
    now: float, before: float | None, expected: list[tuple[str, str]]
) -> None:
    assert rules(facts(of(SASL, now, before))) == expected


def test_the_worst_networks_are_a_table() -> None:
    worst = Networks((network(), replace(network(7, None), address="", addresses=3, at_least=True)), 1007)
    section = security.show(replace(facts(), networks=worst), ENGLISH)
    assert [tuple(cell.text for cell in row) for row in section.tables[-1].rows] == [
        ("192.0.2.7", "1,000", "SMTP", "1", "0"),
        ("192.0.2.0/24", "at least 7", "SMTP", "3", "–"),  # noqa: RUF001
    ]


def test_networks_alone_are_shown_and_what_could_not_be_read_is_told() -> None:
    alone = Facts(Counts.none(PERIOD), networks=Networks((network(),), 1000, problems=("journal: refused",)))
    section = security.show(alone, ENGLISH)
    assert section.notes == ("Not read: journal: refused",)
    assert section.tables[0].rows[0][0].text == "192.0.2.7"
    assert section.tables[0].title == "The worst networks"


def test_escalation_levels_are_compared() -> None:
    levels = {"1": Compared(5, 4, None), "4+": Compared(1, 0, None)}
    section = security.show(replace(facts(), levels=levels), ENGLISH)
    assert [[cell.text for cell in row] for row in section.tables[-1].rows] == [
        ["ban no. 1", "5", "4", "–"],  # noqa: RUF001
        ["ban no. 4+", "1", "0", "–"],  # noqa: RUF001
    ]
