"""DNS and blocklists in the report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailserver_exporter.report.model import State
from mailserver_exporter.report.sections import dns
from mailserver_exporter.report.sections.dns import Facts
from tests.support.report_counts import END, ENGLISH

DOMAIN, OTHER = "example.org", "example.net"
WELL = Facts(
    (OTHER, DOMAIN),
    lists=("bl.spamcop.net", "zen.spamhaus.org"),
    checked=END - 600,
    lists_checked=END - 1200,
    lookups={DOMAIN: 4},
    short_keys={DOMAIN: 2048},
    end=END,
)


def rules(facts: Facts) -> list[tuple[str, str]]:
    return [(action.rule, action.severity) for action in dns.advise(facts, ENGLISH)]


def test_all_well_is_one_line() -> None:
    section = dns.show(WELL, ENGLISH)
    assert section.summary == "all is well of 2 domains, on none of 2 blocklists"
    assert (section.state, section.tables, section.notes) == ("good", (), ("Checked last on 18 Nov 00:40.",))
    assert rules(WELL) == []


def test_a_check_that_fails_is_one_action_for_all_domains() -> None:
    failing: dict[tuple[str, str], State] = {
        (DOMAIN, "spf"): "warning",
        (OTHER, "spf"): "warning",
        (OTHER, "mx"): "critical",
    }
    facts = replace(WELL, failing=failing)
    assert rules(facts) == [("dns-mx-fails", "critical"), ("dns-spf-fails", "warning")]
    section = dns.show(facts, ENGLISH)
    assert section.state == "critical"
    assert [row[0].text for row in section.tables[0].rows] == [OTHER, OTHER, DOMAIN]
    assert list(dns.advise(facts, ENGLISH))[1].command == "mailserver-exporter check | grep -A1 'dns example.net'"


def test_a_listing_is_told_once_for_both_addresses() -> None:
    facts = replace(WELL, listed=(("zen.spamhaus.org", "ipv4"), ("zen.spamhaus.org", "ipv6")))
    assert rules(facts) == [("address-on-blocklist", "warning")]
    assert dns.show(facts, ENGLISH).summary == "all is well of 2 domains, listed by zen.spamhaus.org"


@pytest.mark.parametrize(("lookups", "expected"), [(8, []), (9, [("spf-lookups-near-limit", "info")]), (11, [])])
def test_an_spf_record_near_its_limit_is_told(lookups: float, expected: list[tuple[str, str]]) -> None:
    assert rules(replace(WELL, lookups={DOMAIN: lookups})) == expected


@pytest.mark.parametrize(("bits", "expected"), [(2048, []), (2047, [("dkim-key-short", "info")])])
def test_a_short_key_is_told(bits: float, expected: list[tuple[str, str]]) -> None:
    assert rules(replace(WELL, short_keys={DOMAIN: bits})) == expected


def test_a_policy_of_none_is_told() -> None:
    assert rules(replace(WELL, dmarc_none=(DOMAIN,))) == [("dmarc-policy-none", "info")]


def test_what_fails_already_has_no_second_action() -> None:
    failing: dict[tuple[str, str], State] = {(DOMAIN, check): "warning" for check in ("spf", "dkim", "dmarc")}
    facts = replace(WELL, failing=failing, lookups={DOMAIN: 10}, short_keys={DOMAIN: 1024}, dmarc_none=(DOMAIN,))
    assert [rule for rule, _ in rules(facts)] == ["dns-spf-fails", "dns-dkim-fails", "dns-dmarc-fails"]


def test_a_resolver_that_is_silent_is_told_once() -> None:
    facts = replace(WELL, unknown=((DOMAIN, "mx"), (DOMAIN, "spf"), (OTHER, "mx")))
    assert rules(facts) == [("dns-gives-no-answer", "warning")]
    section = dns.show(facts, ENGLISH)
    assert section.state == "info"
    assert "3 checks got no answer from the DNS." in section.notes


@pytest.mark.parametrize(("age", "expected"), [(10800, []), (10801, [("dns-not-checked", "info")])])
def test_checks_that_are_overdue_are_told(age: float, expected: list[tuple[str, str]]) -> None:
    assert rules(replace(WELL, checked=END - age)) == expected


def test_lists_that_all_refuse_to_answer_need_a_resolver() -> None:
    assert rules(replace(WELL, no_answer=WELL.lists)) == [("blocklists-give-no-answer", "info")]
    assert rules(replace(WELL, no_answer=WELL.lists[:1])) == []


def test_a_name_cannot_break_out_of_its_command() -> None:
    hostile = "x';reboot;'"
    [action] = dns.advise(replace(WELL, dmarc_none=(hostile,)), ENGLISH)
    assert action.command == """dig +short TXT '_dmarc.x'"'"';reboot;'"'"''"""
