"""Blocklists: how they are asked, and what is an answer and what is not (RFC 5782)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mailserver_exporter import errand
from mailserver_exporter.collectors.blocklists import BlocklistsCollector
from mailserver_exporter.sources.posture import blocklists
from tests.support.contexts import context
from tests.support.lookups import FAILS, lookups
from tests.support.metrics import Exposition

ZONE = "bl.example"
TEST6 = blocklists.name("::ffff:7f00:2", ZONE)
GOOD: dict[str, dict[str, Any]] = {f"2.0.0.127.{ZONE}": {"A": ["127.0.0.2"]}, TEST6: {"A": ["127.0.0.2"]}}


def check(records: dict[str, dict[str, Any]], *addresses: str, family: str = "ipv4") -> blocklists.Listing:
    return blocklists.check(ZONE, family, addresses, lookups(records))


def test_names_are_as_the_rfc_writes_them() -> None:
    assert blocklists.name("192.0.2.99", "bad.example.com") == "99.2.0.192.bad.example.com"
    # RFC 5782 2.4
    assert (
        blocklists.name("2001:db8:1:2:3:4:567:89ab", "ugly.example.com")
        == "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ugly.example.com"
    )


def test_listed_and_not_listed() -> None:
    listed = {**GOOD, f"1.2.0.192.{ZONE}": {"A": ["127.0.0.4"], "TXT": ["see https://bl.example/?192.0.2.1"]}}
    assert check(listed, "192.0.2.9").state == "clear"
    found = check(listed, "192.0.2.9", "192.0.2.1")
    assert found.state == "listed"
    assert "192.0.2.1 (127.0.0.4: see https://bl.example/?192.0.2.1)" in found.detail
    six = {**GOOD, blocklists.name("2001:db8::1", ZONE): {"A": ["127.0.0.2"]}}
    assert check(six, "2001:db8::1", family="ipv6").state == "listed"
    assert check(six, "2001:db8::2", family="ipv6").state == "clear"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("127.255.255.252", "mistyped"),
        ("127.255.255.254", "public or open resolver"),
        ("127.255.255.255", "too many questions"),
        ("127.255.255.250", "refuses to answer (127.255.255.250)"),
        ("127.0.0.1", "refuses to answer (127.0.0.1)"),
        ("203.0.113.7", "no answer of a blocklist"),
    ],
)
def test_a_refusal_is_no_listing(answer: str, says: str) -> None:
    for records in (
        {f"2.0.0.127.{ZONE}": {"A": [answer]}, f"1.2.0.192.{ZONE}": {"A": [answer]}},
        {**GOOD, f"1.2.0.192.{ZONE}": {"A": [answer]}},
        {**GOOD, f"1.2.0.192.{ZONE}": {"A": ["127.0.0.2", answer]}},
    ):
        found = check(records, "192.0.2.1")
        assert found.state == "error"
        assert says in found.detail


def test_a_list_that_does_not_pass_its_test_is_not_believed() -> None:
    everything = {**GOOD, f"1.0.0.127.{ZONE}": {"A": ["127.0.0.2"]}, f"1.2.0.192.{ZONE}": {"A": ["127.0.0.2"]}}
    assert "lists everything" in check(everything, "192.0.2.1").detail
    assert check(everything, "192.0.2.1").state == "error"
    assert check({}, "192.0.2.1").state == "error"


def test_a_list_without_ipv6_is_not_asked_for_it() -> None:
    assert check({f"2.0.0.127.{ZONE}": {"A": ["127.0.0.2"]}}, "2001:db8::1", family="ipv6").state == "absent"


@pytest.mark.parametrize("name", ["2.0.0.127", "1.0.0.127", "1.2.0.192"])
def test_a_lookup_that_fails_is_an_error(name: str) -> None:
    found = check({**GOOD, f"{name}.{ZONE}": {"A": FAILS}}, "192.0.2.1")
    assert found.state == "error"
    assert "no answer from" in found.detail


def test_an_error_leaves_the_listing_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {
        "addresses": ["192.0.2.1", "2001:db8::1"],
        "listings": [
            {"list": "a.example", "family": "ipv4", "state": "listed", "detail": "a.example lists 192.0.2.1"},
            {"list": "b.example", "family": "ipv4", "state": "clear", "detail": ""},
            {"list": "c.example", "family": "ipv4", "state": "error", "detail": "c.example refuses"},
            {"list": "c.example", "family": "ipv6", "state": "absent", "detail": ""},
        ],
    }
    monkeypatch.setattr(errand, "send", lambda *_: answer)
    collector = BlocklistsCollector(context(tmp_path, "dns: {addresses: [192.0.2.1]}"))

    found = Exposition.of(collector.collect())

    listed = {(s.labels["list"], s.labels["family"]): s.value for s in found.all("mailserver_blocklist_listed")}
    errors = {(s.labels["list"], s.labels["family"]): s.value for s in found.all("mailserver_blocklist_error")}
    assert listed == {("a.example", "ipv4"): 1, ("b.example", "ipv4"): 0}
    assert errors == {("a.example", "ipv4"): 0, ("b.example", "ipv4"): 0, ("c.example", "ipv4"): 1}
    assert [finding.state for finding in collector.findings()] == ["bad", "bad", "good"]


def test_without_a_mail_host_nobody_is_asked(tmp_path: Path) -> None:
    assert not BlocklistsCollector(context(tmp_path, "mail_stack: {kind: none}")).detect().found
    assert BlocklistsCollector(context(tmp_path, "dns: {hostname: mail.example.org}")).detect().found
    assert (
        not BlocklistsCollector(context(tmp_path, "{dns: {hostname: mail.example.org}, blocklists: {lists: []}}"))
        .detect()
        .found
    )
