"""SPF: syntax, evaluation and limits, by the examples of RFC 7208, and with pyspf as a second opinion."""

from __future__ import annotations

import ipaddress
import random
from typing import Any

import pytest
import spf as pyspf

from mailserver_exporter.sources.posture import spf, spf_record
from mailserver_exporter.sources.posture.answers import LookupFailed, Verdict
from mailserver_exporter.sources.posture.spf_record import SpfError
from tests.support.lookups import FAILS, lookups

# The zones of RFC 7208 Appendix A.
ZONE: dict[str, dict[str, Any]] = {
    "example.com": {"MX": [(10, "mail-a.example.com"), (20, "mail-b.example.com")], "A": ["192.0.2.10", "192.0.2.11"]},
    "amy.example.com": {"A": ["192.0.2.65"]},
    "bob.example.com": {"A": ["192.0.2.66"]},
    "mail-a.example.com": {"A": ["192.0.2.129"]},
    "mail-b.example.com": {"A": ["192.0.2.130"]},
    "www.example.com": {"CNAME": "example.com"},
    "10.2.0.192.in-addr.arpa": {"PTR": ["example.com"]},
    "11.2.0.192.in-addr.arpa": {"PTR": ["example.com"]},
    "65.2.0.192.in-addr.arpa": {"PTR": ["amy.example.com"]},
    "66.2.0.192.in-addr.arpa": {"PTR": ["bob.example.com"]},
    "129.2.0.192.in-addr.arpa": {"PTR": ["mail-a.example.com"]},
    "130.2.0.192.in-addr.arpa": {"PTR": ["mail-b.example.com"]},
    "example.org": {"MX": [(10, "mail-c.example.org")]},
    "mail-c.example.org": {"A": ["140.99.112.4"]},
}


def with_record(record: str | list[str], **more: dict[str, Any]) -> dict[str, dict[str, Any]]:
    texts = record if isinstance(record, list) else [record]
    return {**ZONE, "example.com": {**ZONE["example.com"], "TXT": texts}, **more}


def check(record: str | list[str], *addresses: str, **more: dict[str, Any]) -> Verdict:
    return spf.check("example.com", addresses, "mail-a.example.com", lookups(with_record(record, **more)))


def evaluate(record: str, address: str, **more: dict[str, Any]) -> str:
    evaluation = spf.Evaluation(
        lookups(with_record(record, **more)),
        ipaddress.ip_address(address),
        "postmaster@example.com",
        "helo.example.com",
    )
    return evaluation.run("example.com", record)


@pytest.mark.parametrize(
    ("record", "passes", "fails"),
    [
        ("v=spf1 +all", ["203.0.113.9"], []),
        ("v=spf1 a -all", ["192.0.2.10", "192.0.2.11"], ["192.0.2.65"]),
        ("v=spf1 a:example.org -all", [], ["192.0.2.10", "140.99.112.4"]),
        ("v=spf1 mx -all", ["192.0.2.129", "192.0.2.130"], ["192.0.2.10"]),
        ("v=spf1 mx:example.org -all", ["140.99.112.4"], ["192.0.2.129"]),
        ("v=spf1 mx mx:example.org -all", ["192.0.2.129", "140.99.112.4"], ["192.0.2.65"]),
        ("v=spf1 mx/30 mx:example.org/30 -all", ["192.0.2.131", "140.99.112.7"], ["192.0.2.132", "140.99.112.8"]),
        ("v=spf1 ptr -all", ["192.0.2.10", "192.0.2.65"], ["140.99.112.4"]),
        ("v=spf1 ip4:192.0.2.128/28 -all", ["192.0.2.129", "192.0.2.130"], ["192.0.2.65"]),
    ],
)
def test_the_examples_of_the_rfc(record: str, passes: list[str], fails: list[str]) -> None:
    assert [evaluate(record, address) for address in passes] == ["pass"] * len(passes)
    assert [evaluate(record, address) for address in fails] == ["fail"] * len(fails)


@pytest.mark.parametrize(
    ("spec", "expanded"),
    [
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ("a%%b.%_c.%-d.example", "a%b. c.%20d.example"),
    ],
)
def test_the_macros_of_the_rfc(spec: str, expanded: str) -> None:
    address = ipaddress.ip_address("192.0.2.3")
    sender = "strong-bad@email.example.com"
    assert spf_record.expand(spec, domain="email.example.com", address=address, sender=sender, helo="h") == expanded


def test_the_macro_for_ipv6_is_in_nibbles() -> None:
    address = ipaddress.ip_address("2001:db8::cb01")
    name = spf_record.expand("%{ir}.%{v}._spf.%{d2}", domain="email.example.com", address=address, sender="@", helo="")
    assert name == "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"


def test_a_name_that_is_too_long_loses_labels_on_the_left() -> None:
    address = ipaddress.ip_address("192.0.2.3")
    name = spf_record.expand(("x" * 60 + ".") * 5 + "example.org", domain="d", address=address, sender="@", helo="")
    assert len(name) <= 253
    assert name.endswith(".example.org")


@pytest.mark.parametrize(
    "record",
    [
        "v=spf1 ip4:192.0.2.300 -all",
        "v=spf1 ip4:2001:db8::1 -all",
        "v=spf1 ip6:192.0.2.1 -all",
        "v=spf1 ip4:192.0.2.1/33 -all",
        "v=spf1 ip4 -all",
        "v=spf1 a/33 -all",
        "v=spf1 a: -all",
        "v=spf1 a:nodots -all",
        "v=spf1 a:example.123 -all",
        "v=spf1 include -all",
        "v=spf1 includes:example.org -all",
        "v=spf1 all:example.org",
        "v=spf1 all/8",
        "v=spf1 exists:%{x}.example.org -all",
        "v=spf1 exists:%(i).example.org -all",
        "v=spf1 exists:%{c}.example.org -all",
        "v=spf1 redirect=a.example.org redirect=b.example.org",
        "v=spf1 redirect=",
        "v=spf1 mx;-all",
        "v=spf1 ip4:192.0.2.1 , -all",
        "v=spf1 a:exämple.org -all",
        "v=spf1 -",
    ],
)
def test_a_syntax_error_is_found_and_named(record: str) -> None:
    found = check(record)
    assert found.state == "bad"
    assert "is broken" in found.detail
    assert "\n" not in found.detail


@pytest.mark.parametrize(
    "record",
    [
        "V=SPF1 MX -ALL",
        "v=spf1  mx   -all ",
        "v=spf1 mx unknown=%{d} -all",
        "v=spf1 a/24//64 mx//128 -all",
        "v=spf1 exp=explain._spf.%{d} mx -all",
        "v=spf1 mx -all redirect=never.looked.at",
    ],
)
def test_what_is_unusual_and_allowed(record: str) -> None:
    assert check(record, "192.0.2.129").state == "good"


def test_no_record_two_records_and_others_texts_are_told_apart() -> None:
    assert "no SPF record" in check(["google-site-verification=abc", "v=spf10 -all", "spf2.0/pra -all"]).detail
    assert "2 SPF records" in check(["v=spf1 mx -all", "v=spf1 -all"]).detail
    assert check(["other", "v=spf1 mx -all"]).state == "good"


@pytest.mark.parametrize(
    ("ending", "state"), [("-all", "good"), ("~all", "good"), ("?all", "bad"), ("+all", "bad"), ("", "bad")]
)
def test_the_end_must_say_no(ending: str, state: str) -> None:
    found = check(f"v=spf1 mx {ending}".strip(), "192.0.2.129")
    assert (found.state, found.info["all"]) == (state, ending)


def test_the_end_may_be_in_another_record() -> None:
    target = {"_spf.example.org": {"TXT": ["v=spf1 ip4:192.0.2.129 -all"]}}
    found = check("v=spf1 redirect=_spf.example.org", "192.0.2.129", **target)
    assert (found.state, found.info["all"], found.info["lookups"]) == ("good", "-all", 1)


def test_an_included_record_does_not_end_ours() -> None:
    included = {"_spf.example.org": {"TXT": ["v=spf1 ip4:198.51.100.1 -all"]}}
    found = check("v=spf1 include:_spf.example.org mx", "192.0.2.129", **included)
    assert (found.state, found.info["all"]) == ("bad", "")


@pytest.mark.parametrize(("terms", "state"), [(10, "good"), (11, "bad")])
def test_ten_lookups_are_allowed(terms: int, state: str) -> None:
    found = check(f"v=spf1 mx {'a:amy.example.com ' * (terms - 1)}-all", "192.0.2.129")
    assert (found.state, found.info["lookups"]) == (state, terms)


def test_lookups_are_counted_behind_a_match_and_inside_includes() -> None:
    included = {"_spf.example.org": {"TXT": ["v=spf1 " + "a:amy.example.com " * 9 + "-all"]}}
    found = check("v=spf1 ip4:192.0.2.129 mx include:_spf.example.org -all", "192.0.2.129", **included)
    assert found.info["lookups"] == 11
    assert "needs 11 lookups" in found.detail


@pytest.mark.parametrize(("names", "state"), [(2, "good"), (3, "bad")])
def test_two_void_lookups_are_allowed(names: int, state: str) -> None:
    voids = " ".join(f"a:void{number}.example.com" for number in range(names))
    found = check(f"v=spf1 mx {voids} -all", "192.0.2.129")
    assert (found.state, found.info["void_lookups"]) == (state, names)


def test_an_address_that_is_not_permitted_is_named() -> None:
    found = check("v=spf1 mx -all", "192.0.2.129", "2001:db8::1")
    assert found.state == "bad"
    assert "2001:db8::1 (fail)" in found.detail
    assert "192.0.2.129" not in found.detail


def test_includes_that_lead_in_a_circle_end() -> None:
    circle = {
        "_a.example.org": {"TXT": ["v=spf1 include:_b.example.org"]},
        "_b.example.org": {"TXT": ["v=spf1 include:_a.example.org"]},
    }
    assert "circle" in check("v=spf1 include:_a.example.org -all", **circle).detail


def test_an_include_of_nothing_breaks_the_record() -> None:
    assert "which has no SPF record" in check("v=spf1 include:amy.example.com -all").detail


def test_a_lookup_that_fails_is_no_verdict() -> None:
    with pytest.raises(LookupFailed):
        check("v=spf1 include:_spf.example.org -all", **{"_spf.example.org": {"TXT": FAILS}})
    with pytest.raises(LookupFailed):
        spf.check("example.com", (), "h", lookups({"example.com": {"TXT": FAILS}}))


def test_too_many_hosts_of_an_mx_break_the_record() -> None:
    many = {"many.example.org": {"MX": [(1, f"m{number}.example.org") for number in range(11)]}}
    assert "more than 10 hosts" in check("v=spf1 mx:many.example.org -all", **many).detail


# The second opinion


@pytest.fixture
def second_opinion(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """Let pyspf ask a zone of ours, which the test fills."""
    zone: dict[str, dict[str, Any]] = {}

    def ask(name: str, kind: str, *_: object, **__: object) -> list[tuple[tuple[str, str], object]]:
        found = lookups(zone)(name.rstrip("."), kind).records
        return [((name, kind), (value.encode(),) if kind == "TXT" else value) for value in found]

    monkeypatch.setattr(pyspf, "DNSLookup", ask)
    return zone


_TERMS = (
    *("a", "mx", "ptr", "a:amy.example.com", "mx:example.org", "a/28", "mx/30", "a:example.org", "ip4:192.0.2.64/30"),
    *("ip6:2001:db8::/32", "exists:%{ir}.list.example.org", "include:_good.example.org", "include:_other.example.org"),
    *(
        "?a:bob.example.com",
        "~mx",
        "-ip4:192.0.2.11",
        "include:amy.example.com",
        "a:nodots",
        "ip4:1.2.3",
        "x=y",
        "-all",
        "~all",
    ),
    *("redirect=_good.example.org", "?all", "mix", "include:_broken.example.org"),
)


@pytest.mark.parametrize("seed", range(150))
def test_pyspf_comes_to_the_same_result(seed: int, second_opinion: dict[str, dict[str, Any]]) -> None:
    chance = random.Random(seed)
    record = " ".join(["v=spf1", *chance.choices(_TERMS, k=chance.randint(1, 5))])
    zone = with_record(
        record,
        **{
            "_good.example.org": {"TXT": ["v=spf1 ip4:192.0.2.129 a:bob.example.com -all"]},
            "_other.example.org": {"TXT": ["v=spf1 ~ip4:192.0.2.10 ?all"]},
            "_broken.example.org": {"TXT": ["v=spf1 nonsense"]},
            "66.2.0.192.list.example.org": {"A": ["127.0.0.2"]},
        },
    )
    second_opinion.update(zone)
    address = chance.choice(["192.0.2.10", "192.0.2.11", "192.0.2.65", "192.0.2.66", "192.0.2.129", "140.99.112.4"])
    evaluation = spf.Evaluation(lookups(zone), ipaddress.ip_address(address), "postmaster@example.com", "example.com")
    try:
        ours = evaluation.run("example.com", record)
    except SpfError:
        ours = "permerror"
    theirs, _, why = pyspf.query(address, "postmaster@example.com", "example.com", strict=True).check()
    if theirs == "permerror" and ours != "permerror" and evaluation.void_lookups > spf.MAX_VOID_LOOKUPS:
        ours = "permerror"  # the limits are ours to tell apart
    if ours == "permerror" and theirs != "permerror":
        # It stops at the first match; the faults behind it are ours to find.
        assert theirs in ("pass", "fail", "softfail", "neutral")
        with pytest.raises(SpfError):
            spf.Evaluation(lookups(zone), ipaddress.ip_address("203.0.113.1"), "@", "h").run("example.com", record)
        return
    assert theirs == ours, (record, address, why)
