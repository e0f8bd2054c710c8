"""Certificates in the report: each once, and what clients object to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailserver_exporter.report.prometheus import DAY
from mailserver_exporter.report.sections import certificates
from mailserver_exporter.report.sections.certificates import Certificate, Facts
from tests.support.report_counts import END, ENGLISH

GOOD = Certificate(
    ("127.0.0.1:25", "127.0.0.1:993"),
    END + 60 * DAY,
    60 * DAY,
    90 * DAY,
    {"warning": 21 * DAY, "critical": 7 * DAY},
)


def rules(*found: Certificate, legacy: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    return [(action.rule, action.severity) for action in certificates.advise(Facts(found, legacy), ENGLISH)]


def ending(days: float, *problems: str, lifetime: float | None = 90) -> Certificate:
    left = days * DAY
    return replace(
        GOOD,
        left=left,
        expires=END + left,
        problems=problems,
        lifetime=None if lifetime is None else lifetime * DAY,
    )


def test_a_good_certificate_needs_nothing() -> None:
    section = certificates.show(Facts((GOOD,)), ENGLISH)
    assert (section.state, section.summary) == ("good", "1 certificate, the next one ends in 60\xa0d")
    assert [cell.text for cell in section.tables[0].rows[0]] == ["25, 993", "17 Jan 01:00", "60\xa0d", "none"]
    assert rules(GOOD) == []


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (27, []),
        (26.9, [("certificate-renewal-late", "info")]),
        (21, [("certificate-renewal-late", "info")]),
        (20.9, [("certificate-expires-within-limit", "warning")]),
        (7, [("certificate-expires-within-limit", "warning")]),
        (6.9, [("certificate-expires-within-limit", "critical")]),
        (0.01, [("certificate-expires-within-limit", "critical")]),
        (0, [("certificate-expired", "critical")]),
    ],
)
def test_the_nearer_the_end_the_graver(days: float, expected: list[tuple[str, str]]) -> None:
    assert rules(ending(days)) == expected


@pytest.mark.parametrize(("days", "late"), [(28, False), (27.9, True)])
def test_a_certificate_of_a_year_is_late_four_weeks_before_its_end(days: float, late: bool) -> None:
    assert ending(days, lifetime=365).late is late


def test_one_of_which_the_begin_is_not_known_is_not_late() -> None:
    assert rules(ending(25, lifetime=None)) == []


@pytest.mark.parametrize("problem", ["untrusted", "self-signed", "name", "future", "weak"])
def test_what_clients_object_to_is_to_be_mended(problem: str) -> None:
    assert rules(ending(60, problem)) == [(f"certificate-{problem}", "warning")]
    assert certificates.show(Facts((ending(60, problem),)), ENGLISH).state == "warning"


def test_an_old_certificate_that_was_renewed_needs_a_reload_and_no_renewal() -> None:
    assert rules(ending(3, "stale")) == [("certificate-stale", "critical")]
    assert rules(ending(60, "stale", "name")) == [("certificate-stale", "warning")]
    assert rules(ending(-1, "stale")) == [("certificate-stale", "critical")]


def test_old_tls_is_told_of_all_ports_together() -> None:
    assert rules(GOOD, legacy=("127.0.0.1:465", "127.0.0.1:993")) == [("tls-legacy-offered", "info")]


def test_ports_of_this_machine_are_numbers_and_others_have_their_host() -> None:
    targets = ("127.0.0.1:25", "[::1]:25", "127.0.0.1:993", "mail.example.org:8443")
    assert certificates.ports(targets, ENGLISH) == "25, 993, mail.example.org:8443"


def test_what_has_expired_is_said_first() -> None:
    section = certificates.show(Facts((ending(-2), GOOD)), ENGLISH)
    assert (section.state, section.summary) == ("critical", "expired: 25, 993")
