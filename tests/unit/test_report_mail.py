"""The day's mail in the report: its numbers, and what is to be done about it."""

from __future__ import annotations

import pytest

from mailserver_exporter.report.sections import mail
from mailserver_exporter.report.sections.mail import Facts
from tests.support.report_counts import ENGLISH, GERMAN, Row, counts, of

DELIVERIES, TAKEN = "mailserver_postfix_deliveries_total", "postfix_smtpd_messages_processed_total"
REFUSED = "mailserver_postfix_remote_rejections_total"
BOUNCED, DEFERRED = "postfix_smtp_bounced_messages_by_dsn_total", "postfix_smtp_deferred_messages_by_dsn_total"
LIMITS = {"smtp": {"warning": 0.1, "critical": 0.5}, "lmtp": {"warning": 0.1, "critical": 0.5}}


def facts(*rows: Row, stack: str = "native") -> Facts:
    return Facts(counts(*rows), LIMITS, {"smtp": {"warning": 0.5}, "lmtp": {"warning": 0.5}}, stack)  # type: ignore[arg-type]


def delivered(status: str, now: float, day: float | None = None, service: str = "smtp") -> Row:
    return of(DELIVERIES, now, day, day, service=service, status=status)


def rules(of_day: Facts) -> list[tuple[str, str]]:
    return [(action.rule, action.severity) for action in mail.advise(of_day, ENGLISH)]


def test_the_numbers_are_told_by_where_mail_came_from_and_went_to() -> None:
    section = mail.show(
        facts(
            of(TAKEN, 30, 20, 10, sasl_method="NONE"),
            of(TAKEN, 7, sasl_method="PLAIN"),
            of(TAKEN, 2, sasl_method="LOGIN"),
            delivered("sent", 100),
            delivered("sent", 40, service="lmtp"),
            delivered("sent", 2, service="virtual"),
            delivered("deferred", 3),
            delivered("deferred", 1, service="error"),
            delivered("bounced", 5),
            of("postfix_smtpd_messages_rejected_total", 8, code="554"),
            of("postfix_postscreen_messages_rejected_total", 4, code="550"),
            of("postfix_cleanup_messages_rejected_total", 1),
            of("mailserver_postfix_milter_rejects_total", 6),
        ),
        ENGLISH,
    )
    assert section.summary == "39 received, 100 sent, 5 bounced, 19 rejected"
    assert [tuple(cell.text for cell in row) for row in section.tables[0].rows] == [
        ("received from other servers", "30", "20", "10"),
        ("received from users", "9", "0", "0"),
        ("sent to other servers", "100", "0", "0"),
        ("delivered to mailboxes here", "42", "0", "0"),
        ("deferred (attempts)", "4", "0", "0"),
        ("bounced", "5", "0", "0"),
        ("given up after days", "0", "0", "0"),
        ("rejected by Postfix", "13", "0", "0"),
        ("rejected by the spam filter", "6", "0", "0"),
    ]


def test_without_history_there_is_a_dash() -> None:
    section = mail.show(facts(delivered("sent", 100)), GERMAN)
    assert [cell.text for cell in section.tables[0].rows[2]] == ["an andere Server gesendet", "100", "–", "–"]  # noqa: RUF001


def test_the_reasons_are_the_most_frequent_codes_in_words() -> None:
    rows = [of(DEFERRED, 11 - place, dsn=f"4.4.{place}") for place in range(1, 8)]
    table = mail.show(facts(*rows, of(BOUNCED, 50, dsn="5.1.1"), of(BOUNCED, 1, dsn="4.4.1")), ENGLISH).tables[1]
    assert [cell.text for cell in table.rows[0]] == ["no such mailbox", "5.1.1", "0", "50"]
    assert [cell.text for cell in table.rows[1]] == ["no answer from the server", "4.4.1", "10", "1"]
    assert (len(table.rows), table.left_out) == (6, "2 other codes")


@pytest.mark.parametrize(("refused", "expected"), [(4, []), (5, [("refused-for-reputation", "warning")])])
def test_refusals_for_our_reputation_are_to_be_looked_at(refused: float, expected: list[tuple[str, str]]) -> None:
    assert rules(facts(delivered("sent", 1000), of(REFUSED, refused, class_="reputation"))) == expected


@pytest.mark.parametrize(("refused", "expected"), [(4, []), (5, [("refused-for-authentication", "warning")])])
def test_refusals_for_lack_of_proof_are_to_be_looked_at(refused: float, expected: list[tuple[str, str]]) -> None:
    assert rules(facts(delivered("sent", 1000), of(REFUSED, refused, class_="authentication"))) == expected


def test_greylisting_needs_nothing() -> None:
    assert rules(facts(delivered("sent", 1000), of(REFUSED, 500, class_="greylisting"))) == []


@pytest.mark.parametrize(
    ("sent", "bounced", "expected"),
    [
        (90, 10, []),
        (89, 11, [("bounced-above-limit", "warning")]),
        (49, 51, [("bounced-above-limit", "critical")]),
        (9, 10, []),  # too few to judge
    ],
)
def test_bounces_above_the_limit_are_to_be_looked_at(
    sent: float, bounced: float, expected: list[tuple[str, str]]
) -> None:
    assert rules(facts(delivered("sent", sent), delivered("bounced", bounced))) == expected


def test_bounces_of_unknown_recipients_have_a_cause_of_their_own() -> None:
    day = facts(delivered("sent", 50), delivered("bounced", 20), of(BOUNCED, 10, dsn="5.1.1"))
    assert rules(day) == [("bounces-unknown-recipients", "warning")]
    day = facts(delivered("sent", 50), delivered("bounced", 20), of(BOUNCED, 9, dsn="5.1.1"))
    assert rules(day) == [("bounced-above-limit", "warning")]


def test_bounces_that_others_refused_us_are_told_once() -> None:
    day = facts(delivered("sent", 50), delivered("bounced", 20), of(REFUSED, 10, class_="reputation"))
    assert rules(day) == [("refused-for-reputation", "warning")]
    day = facts(delivered("sent", 50), delivered("bounced", 20), of(REFUSED, 9, class_="reputation"))
    assert rules(day) == [("refused-for-reputation", "warning"), ("bounced-above-limit", "warning")]


def test_bounces_on_this_host_are_not_others_refusing_us() -> None:
    day = facts(delivered("bounced", 30, service="lmtp"), of(REFUSED, 30, class_="reputation"))
    assert rules(day) == [("refused-for-reputation", "warning"), ("bounced-above-limit", "critical")]


@pytest.mark.parametrize(("deferred", "expected"), [(20, []), (21, [("deferred-above-limit", "warning")])])
def test_deferrals_above_the_limit_are_to_be_looked_at(deferred: float, expected: list[tuple[str, str]]) -> None:
    assert rules(facts(delivered("sent", 20), delivered("deferred", deferred))) == expected


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (600, 200, [("sent-multiplied", "warning")]),
        (599, 200, []),
        (199, 10, []),
        (200, 10, [("sent-multiplied", "warning")]),
        (5000, None, []),
    ],
)
def test_far_more_mail_than_usual_may_be_spam(
    now: float, before: float | None, expected: list[tuple[str, str]]
) -> None:
    assert rules(facts(delivered("sent", now, before))) == expected


@pytest.mark.parametrize(
    ("now", "day", "week", "expected"),
    [
        (0, 20, 20, [("no-mail-received", "critical")]),
        (1, 20, 20, []),
        (0, 19, 200, []),
        (0, 20, None, []),
    ],
)
def test_a_day_without_mail_from_outside_is_to_be_looked_at(
    now: float, day: float, week: float | None, expected: list[tuple[str, str]]
) -> None:
    assert rules(facts(of(TAKEN, now, day, week, sasl_method="NONE"))) == expected


def test_the_commands_fit_the_mail_stack() -> None:
    rows = (delivered("sent", 20), delivered("deferred", 50))
    [native], [mailcow] = (list(mail.advise(facts(*rows, stack=stack), ENGLISH)) for stack in ("native", "mailcow"))
    assert native.command == "grep -hE 'status=deferred' /var/log/mail.log.1 /var/log/mail.log | tail -20"
    assert mailcow.command == (
        "cd /opt/mailcow-dockerized && docker compose logs --since 24h postfix-mailcow "
        "| grep -E 'status=deferred' | tail -20"
    )


def test_a_hostile_class_is_shown_as_it_is() -> None:
    table = mail.show(facts(of(REFUSED, 3, class_="{x}%")), ENGLISH).tables[1]
    assert table.rows[0][0].text == "{x}%"
