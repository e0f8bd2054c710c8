"""MX, addresses, DKIM, DMARC, MTA-STS, TLS-RPT, TLSA, CAA and DNSSEC: what each makes of what the DNS says."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from mailserver_exporter.sources.posture import addresses, caa, der, dkim, dmarc, dnssec, mta_sts, mx, tls_rpt, tlsa
from mailserver_exporter.sources.posture.answers import Answer, LookupFailed, Verdict
from mailserver_exporter.sources.posture.mta_sts import PolicyError
from tests.support import certificates
from tests.support.lookups import FAILS, lookups

DOMAIN = "example.org"
Zone = dict[str, dict[str, Any]]


# MX

HOSTS: Zone = {
    DOMAIN: {"MX": [(20, "backup.example.net"), (10, "mail.example.org")]},
    "mail.example.org": {"A": ["192.0.2.1"]},
    "backup.example.net": {"AAAA": ["2001:db8::1"]},
}


def check_mx(*records: tuple[int, str], **more: dict[str, Any]) -> Verdict:
    return mx.check(DOMAIN, "mail.example.org", lookups({**HOSTS, DOMAIN: {"MX": records}, **more}))


def test_mx_hosts_come_in_the_order_of_their_preference() -> None:
    assert mx.hosts(DOMAIN, lookups(HOSTS)) == ["mail.example.org", "backup.example.net"]
    assert mx.check(DOMAIN, "mail.example.org", lookups(HOSTS)).state == "good"


@pytest.mark.parametrize(
    ("host", "records", "complaint"),
    [
        ("gone.example.org", {}, "gone.example.org does not exist"),
        ("bare.example.org", {"TXT": ["x"]}, "bare.example.org has no address"),
        ("alias.example.org", {"CNAME": "mail.example.org"}, "is a CNAME"),
        ("192.0.2.1", {"A": ["192.0.2.1"]}, "is an address, not a name"),
        ("", {}, "takes no mail"),
    ],
)
def test_an_mx_that_leads_nowhere_is_found(host: str, records: dict[str, Any], complaint: str) -> None:
    found = check_mx((10, "mail.example.org"), (20, host), **({host: records} if records else {}))
    assert found.state == "bad"
    assert complaint in found.detail


def test_a_domain_that_does_not_exist_is_not_one_without_mx() -> None:
    assert "does not exist (NXDOMAIN)" in mx.check("exampel.org", "mail.example.org", lookups(HOSTS)).detail
    assert "has no MX record" in check_mx().detail
    with pytest.raises(LookupFailed):
        mx.check(DOMAIN, "mail.example.org", lookups({DOMAIN: {"MX": FAILS}}))


def test_mail_that_goes_through_somebody_else_is_fine_and_told() -> None:
    found = check_mx((10, "backup.example.net"))
    assert (found.state, found.detail) == ("good", "backup.example.net, none of them mail.example.org")


# A, AAAA, PTR

HOST = "mail.example.org"
BACK: Zone = {
    HOST: {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]},
    "1.2.0.192.in-addr.arpa": {"PTR": [HOST]},
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa": {"PTR": [HOST]},
    "other.example.net": {"A": ["192.0.2.1"]},
    "stray.example.net": {"A": ["192.0.2.99"]},
}


@pytest.mark.parametrize(
    ("kind", "records", "configured", "state", "says"),
    [
        ("A", {"A": ["192.0.2.1"]}, [], "good", "192.0.2.1"),
        ("A", {"A": ["192.0.2.1"]}, ["192.0.2.1", "2001:db8::1"], "good", "192.0.2.1"),
        ("A", {"A": ["192.0.2.1"]}, ["192.0.2.2"], "bad", "instead of 192.0.2.2"),
        ("A", {"A": ["192.0.2.1", "192.168.1.1"]}, [], "bad", "leads to 192.168.1.1, which nobody"),
        ("A", {"CNAME": "other.example.net"}, [], "bad", "is a CNAME"),
        ("A", {"AAAA": ["2001:db8::1"]}, [], "bad", "has no address"),
        ("AAAA", {"A": ["192.0.2.1"]}, [], "absent", "no IPv6 address"),
        ("AAAA", {"A": ["192.0.2.1"]}, ["2001:db8::1"], "bad", "dns.addresses names one"),
        ("AAAA", {"AAAA": ["2001:DB8:0::1"]}, ["2001:db8::1"], "good", ""),
        ("AAAA", {"AAAA": ["fd00::1"]}, [], "bad", "fd00::1"),
    ],
)
def test_the_name_of_the_host_leads_to_public_addresses(
    kind: str, records: dict[str, Any], configured: list[str], state: str, says: str
) -> None:
    found = addresses.check(HOST, kind, configured, lookups({**BACK, HOST: records}))
    assert found.state == state
    assert says in found.detail


def test_a_host_that_does_not_exist_is_told_so() -> None:
    assert "does not exist (NXDOMAIN)" in addresses.check("mial.example.org", "A", [], lookups(BACK)).detail


def test_addresses_lead_back_to_the_name() -> None:
    assert addresses.check_reverse(["192.0.2.1", "2001:db8::1"], HOST, lookups(BACK)).state == "good"
    assert addresses.check_reverse([], HOST, lookups(BACK)).state == "absent"


@pytest.mark.parametrize(
    ("pointers", "complaint"),
    [
        ([], "192.0.2.1 has no PTR record"),
        (["stray.example.net"], "stray.example.net, which does not lead back"),
        (["gone.example.net"], "gone.example.net, which does not lead back"),
        (["other.example.net"], "is other.example.net, but we greet as mail.example.org"),
    ],
)
def test_a_reverse_record_that_is_not_ours_is_found(pointers: list[str], complaint: str) -> None:
    found = addresses.check_reverse(["192.0.2.1"], HOST, lookups({**BACK, "1.2.0.192.in-addr.arpa": {"PTR": pointers}}))
    assert found.state == "bad"
    assert complaint in found.detail


def test_one_of_several_reverse_records_is_enough() -> None:
    zone = {**BACK, "1.2.0.192.in-addr.arpa": {"PTR": ["other.example.net", HOST]}}
    assert addresses.check_reverse(["192.0.2.1"], HOST, lookups(zone)).state == "good"


def test_what_is_wrong_for_certain_is_told_beside_a_lookup_that_fails() -> None:
    zone = {**BACK, "1.2.0.192.in-addr.arpa": {"PTR": FAILS}}
    with pytest.raises(LookupFailed):
        addresses.check_reverse(["192.0.2.1"], HOST, lookups(zone))
    assert "192.0.2.7 has no PTR" in addresses.check_reverse(["192.0.2.1", "192.0.2.7"], HOST, lookups(zone)).detail


# DKIM


def public_key(key: Any) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return bytes(
        key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


RSA_2048 = rsa.generate_private_key(65537, 2048)
RSA_1024 = rsa.generate_private_key(65537, 1024)
SHORT = base64.b64decode(
    # `openssl genrsa 512 | openssl rsa -pubout -outform der | base64 -w0`
    "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQ=="
)


def encoded(key: Any) -> str:
    return base64.b64encode(key if isinstance(key, bytes) else public_key(key)).decode()


def test_keys_of_each_kind_are_measured() -> None:
    assert dkim.parse(f"v=DKIM1; k=rsa; p={encoded(RSA_2048)}") == dkim.Key("rsa", 2048)
    assert dkim.parse(f"p={encoded(RSA_2048)};") == dkim.Key("rsa", 2048)
    assert dkim.parse(f"v=DKIM1; h=sha1:sha256; s=email; t=s; p={encoded(RSA_1024)}").weak
    assert dkim.parse(f"v=DKIM1; k=ed25519; p={encoded(ed25519.Ed25519PrivateKey.generate())}") == dkim.Key(
        "ed25519", 256
    )


def test_a_bare_rsa_key_is_taken_as_others_take_it() -> None:
    bare = RSA_2048.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    assert dkim.parse(f"v=DKIM1; p={encoded(bare)}").bits == 2048


@pytest.mark.parametrize(
    ("record", "complaint"),
    [
        ("v=DKIM1; p=", "is revoked"),
        ("v=DKIM1; k=rsa", "has no key"),
        (f"v=DKIM1; p={encoded(SHORT)}", "RSA key of 512 bits"),
        (f"v=DKIM1; t=y; p={encoded(RSA_2048)}", "flagged as a test"),
        (f"v=DKIM1; t=s:y; p={encoded(RSA_2048)}", "flagged as a test"),
        (f"v=DKIM1; p={encoded(RSA_2048)[:100]}", "longer than what holds it"),
        (f"v=DKIM1; p={encoded(RSA_2048)[:99]}", "not base64"),
        (f'v=DKIM1\\; p="{encoded(RSA_2048)}"', "DKIM1"),
        (f"k=rsa; v=DKIM1; p={encoded(RSA_2048)}", "first tag"),
        (f"v=DKIM2; p={encoded(RSA_2048)}", "DKIM1"),
        (f"v=DKIM1; k=dsa; p={encoded(RSA_2048)}", "unknown type 'dsa'"),
        (f"v=DKIM1; k=ed25519; p={encoded(RSA_2048)}", "instead of 32"),
        (f"v=DKIM1; k=rsa; p={encoded(ec.generate_private_key(ec.SECP256R1()))}", "no RSA key"),
        (f"v=DKIM1; h=sha1; p={encoded(RSA_2048)}", "does not allow sha256"),
        (f"v=DKIM1; s=tlsrpt; p={encoded(RSA_2048)}", "not for e-mail"),
        (f"v=DKIM1; p={encoded(RSA_2048)}; p={encoded(RSA_2048)}", "given twice"),
        ("just a text", "not a tag=value"),
    ],
)
def test_a_key_that_verifies_nothing_is_told_why(record: str, complaint: str) -> None:
    found = dkim.check(DOMAIN, ["dkim"], lookups({"dkim._domainkey.example.org": {"TXT": [record]}}))
    assert found.state == "bad"
    assert complaint in found.detail
    assert "dkim._domainkey.example.org" in found.detail


GOOD_KEY: Zone = {"dkim._domainkey.example.org": {"TXT": [f"v=DKIM1; p={encoded(RSA_1024)}"]}}


def test_a_selector_with_a_typing_error_gets_the_nearest_guess() -> None:
    found = dkim.check(DOMAIN, ["dikm"], lookups(GOOD_KEY))
    assert "no DKIM key at dikm._domainkey.example.org" in found.detail
    assert "is 'dkim' meant?" in found.remedy


def test_a_selector_nobody_can_guess_gets_the_name_to_look_for() -> None:
    found = dkim.check(DOMAIN, ["x2026"], lookups({"y._domainkey.example.org": {"TXT": ["v=DKIM1; p="]}}))
    assert found.remedy.endswith("dig TXT x2026._domainkey.example.org")


def test_a_weak_key_is_good_enough_and_told() -> None:
    found = dkim.check(DOMAIN, ["dkim"], lookups(GOOD_KEY))
    assert found.state == "good"
    assert "weak" in found.detail
    assert found.info["keys"] == [{"selector": "dkim", "type": "rsa", "bits": 1024, "weak": True}]


def test_without_a_selector_the_usual_ones_are_looked_for() -> None:
    assert dkim.check(DOMAIN, [], lookups(GOOD_KEY)).state == "good"
    unknown = {"secret2026._domainkey.example.org": {"TXT": ["v=DKIM1; p=x"]}}
    assert dkim.check(DOMAIN, [], lookups(unknown)).state == "absent"
    assert "_domainkey.example.org does not exist" in dkim.check(DOMAIN, [], lookups({})).detail


def test_one_bad_selector_of_two_is_told_and_the_good_one_exported() -> None:
    found = dkim.check(DOMAIN, ["dkim", "old"], lookups(GOOD_KEY))
    assert found.state == "bad"
    assert [key["selector"] for key in found.info["keys"]] == ["dkim"]


# DMARC


def check_dmarc(*records: str, domain: str = DOMAIN, **more: dict[str, Any]) -> Verdict:
    return dmarc.check(domain, lookups({"_dmarc.example.org": {"TXT": records}, **more}))


def test_a_policy_is_read_and_inherited_by_subdomains() -> None:
    found = check_dmarc("v=DMARC1; p=Reject; rua=mailto:dmarc@example.org,mailto:x@sub.example.org!10m")
    assert (found.state, found.info["policy"]) == ("good", "reject")
    found = check_dmarc("v=DMARC1; p=reject; sp=none", domain="news.example.org")
    assert (found.state, found.info["policy"]) == ("good", "none")
    assert "inherited from example.org" in found.detail


@pytest.mark.parametrize(
    ("records", "complaint"),
    [
        ([], "no DMARC record at _dmarc.example.org"),
        (["v=DMARC10; p=none", "v=spf1 -all"], "no DMARC record"),
        (["v=DMARC1; p=none", "v=DMARC1; p=reject"], "2 DMARC records"),
        (["v=DMARC1; rua=mailto:a@example.org"], "has no policy"),
        (["v=DMARC1; p=block"], "has no policy"),
        (["v=DMARC1; p=none; sp=all"], "sp="),
        (["v=DMARC1; p=none; pct=101"], "pct="),
        (["v=DMARC1; p=none; adkim=strict"], "adkim="),
        (["v=DMARC1; p=none; rua=dmarc@example.org"], "is not mailto:ADDRESS"),
        (["v=DMARC1 p=none"], "no DMARC record"),
        (["v=DMARC1; p=none; nonsense"], "is broken"),
        (["v=DMARC1; p=none; rua=mailto:a@collector.example"], "has not agreed"),
    ],
)
def test_a_dmarc_record_that_does_nothing_is_told_why(records: list[str], complaint: str) -> None:
    found = check_dmarc(*records)
    assert found.state == "bad"
    assert complaint in found.detail


def test_another_domain_may_agree_to_take_reports() -> None:
    agreed = {"example.org._report._dmarc.collector.example": {"TXT": ["v=DMARC1"]}}
    assert check_dmarc("v=DMARC1; p=none; rua=mailto:a@collector.example", **agreed).state == "good"
    with pytest.raises(LookupFailed):
        failing = {"example.org._report._dmarc.collector.example": {"TXT": FAILS}}
        check_dmarc("v=DMARC1; p=none; rua=mailto:a@collector.example", **failing)


# MTA-STS

POLICY = b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.org\r\nmx: *.example.net\r\nmax_age: 604800\r\n"


def check_sts(
    policy: bytes | Exception = POLICY,
    hosts: tuple[str, ...] = ("mail.example.org",),
    record: str = "v=STSv1; id=20261122;",
) -> Verdict:
    def fetch(host: str) -> bytes:
        assert host == "mta-sts.example.org"
        if isinstance(policy, Exception):
            raise policy
        return policy

    return mta_sts.check(DOMAIN, hosts, lookups({"_mta-sts.example.org": {"TXT": [record]}}), fetch)


def test_a_policy_that_names_every_mx_is_good() -> None:
    found = check_sts(hosts=("mail.example.org", "backup.example.net"))
    assert (found.state, found.info["mode"]) == ("good", "enforce")


@pytest.mark.parametrize(
    ("policy", "complaint"),
    [
        (POLICY.replace(b"STSv1", b"STSv2"), "version:"),
        (POLICY.replace(b"enforce", b"enforced"), "mode:"),
        (POLICY.replace(b"604800", b"31557601"), "max_age:"),
        (POLICY.replace(b"604800", b"-1"), "max_age:"),
        (POLICY.replace(b"604800", b"3600"), "less than a day"),
        (POLICY.replace(b"mx: mail.example.org\r\n", b""), "does not name the MX mail.example.org"),
        (b"version: STSv1\nmode: enforce\nmax_age: 86400\n", "names no mx:"),
        (b"<html>404</html>", "is not KEY: VALUE"),
        (b"", "version:"),
        (b"\xff\x00" * 9, "is not KEY: VALUE"),
        (PolicyError("HTTP status 404 instead of 200"), "HTTP status 404"),
    ],
)
def test_a_policy_that_keeps_mail_away_is_told_why(policy: bytes | Exception, complaint: str) -> None:
    found = check_sts(policy)
    assert found.state == "bad"
    assert complaint in found.detail


def test_a_star_stands_for_one_label() -> None:
    policy = mta_sts.parse(POLICY)
    assert mta_sts.permits(policy, "a.example.net")
    assert not mta_sts.permits(policy, "a.b.example.net")
    assert not mta_sts.permits(policy, "example.net")


def test_no_record_is_no_fault_and_a_broken_one_is() -> None:
    assert check_sts(record="something else").state == "absent"
    assert "needs an id=" in check_sts(record="v=STSv1; id=2026-11-22").detail
    assert check_sts(b"version: STSv1\nmode: none\nmax_age: 60\n", hosts=("x.example",)).state == "good"


# TLS-RPT


@pytest.mark.parametrize(
    ("records", "state"),
    [
        ([], "absent"),
        (["v=TLSRPTv1; rua=mailto:tls@example.org"], "good"),
        (["v=TLSRPTv1;rua=https://r.example.net/v1,mailto:tls@example.org"], "good"),
        (["v=TLSRPTv1"], "bad"),
        (["v=TLSRPTv1; rua=tls@example.org"], "bad"),
        (["v=TLSRPTv1; rua=mailto:a@b.c", "v=TLSRPTv1; rua=mailto:d@e.f"], "bad"),
    ],
)
def test_tls_reports_need_somewhere_to_go(records: list[str], state: str) -> None:
    assert tls_rpt.check(DOMAIN, lookups({"_smtp._tls.example.org": {"TXT": records}})).state == state


# TLSA

LEAF = certificates.issue(HOST, names=[HOST], issuer=certificates.intermediate())
CHAIN = [
    LEAF.certificate.public_bytes(serialization.Encoding.DER),
    certificates.intermediate().certificate.public_bytes(serialization.Encoding.DER),
]


def test_the_key_of_a_certificate_is_what_cryptography_reads() -> None:
    assert der.certificate(CHAIN[0]).key == public_key(LEAF.key)
    with pytest.raises(ValueError, match="element"):
        der.certificate(CHAIN[0][:-1])


@pytest.mark.parametrize(
    ("record", "state"),
    [
        ((3, 1, 1, hashlib.sha256(public_key(LEAF.key)).digest()), "good"),
        ((3, 1, 2, hashlib.sha512(public_key(LEAF.key)).digest()), "good"),
        ((3, 0, 1, hashlib.sha256(CHAIN[0]).digest()), "good"),
        ((3, 0, 0, CHAIN[0]), "good"),
        ((2, 0, 1, hashlib.sha256(CHAIN[1]).digest()), "good"),
        ((3, 0, 1, hashlib.sha256(CHAIN[1]).digest()), "bad"),
        ((3, 1, 1, b"\0" * 32), "bad"),
        ((1, 1, 1, hashlib.sha256(public_key(LEAF.key)).digest()), "bad"),
        ((3, 1, 9, hashlib.sha256(public_key(LEAF.key)).digest()), "bad"),
    ],
)
def test_a_tlsa_record_is_held_against_what_is_presented(record: tuple[int, int, int, bytes], state: str) -> None:
    zone = {"_25._tcp.mail.example.org": {"TLSA": [record]}}
    found = tlsa.check(HOST, CHAIN, True, lookups(zone, authenticated=True))
    assert found.state == state


def test_during_a_rollover_one_of_two_records_is_enough() -> None:
    records = [(3, 1, 1, b"\0" * 32), (3, 1, 1, hashlib.sha256(public_key(LEAF.key)).digest())]
    zone = {"_25._tcp.mail.example.org": {"TLSA": records}}
    assert tlsa.check(HOST, CHAIN, True, lookups(zone, authenticated=True)).state == "good"


def test_the_record_that_would_fit_is_shown() -> None:
    zone = {"_25._tcp.mail.example.org": {"TLSA": [(3, 1, 1, b"\0" * 32)]}}
    remedy = tlsa.check(HOST, CHAIN, True, lookups(zone, authenticated=True)).remedy
    assert remedy == f"_25._tcp.mail.example.org. TLSA 3 1 1 {hashlib.sha256(public_key(LEAF.key)).hexdigest()}"


def test_a_tlsa_record_counts_only_when_it_is_signed() -> None:
    zone = {"_25._tcp.mail.example.org": {"TLSA": [(3, 1, 1, hashlib.sha256(public_key(LEAF.key)).digest())]}}
    assert "not signed by DNSSEC" in tlsa.check(HOST, CHAIN, True, lookups(zone)).detail
    assert "does not validate" in tlsa.check(HOST, CHAIN, False, lookups(zone)).detail
    assert tlsa.check(HOST, None, True, lookups(zone, authenticated=True)).state == "absent"
    assert tlsa.check(HOST, CHAIN, True, lookups({})).state == "absent"


# CAA


@pytest.mark.parametrize(
    ("zone", "state"),
    [
        ({}, "absent"),
        ({DOMAIN: {"CAA": [(0, "issue", "letsencrypt.org")]}}, "good"),
        ({DOMAIN: {"CAA": [(0, "issue", "LetsEncrypt.org; validationmethods=dns-01")]}}, "good"),
        ({DOMAIN: {"CAA": [(0, "issue", "digicert.com")]}}, "bad"),
        ({DOMAIN: {"CAA": [(0, "issue", ";")]}}, "bad"),
        ({DOMAIN: {"CAA": [(0, "iodef", "mailto:a@example.org")]}}, "absent"),
        ({DOMAIN: {"CAA": [(128, "strange", "x")]}}, "bad"),
        # The closest name that has any decides.
        ({DOMAIN: {"CAA": [(0, "issue", ";")]}, HOST: {"CAA": [(0, "issue", "letsencrypt.org")]}}, "good"),
    ],
)
def test_caa_must_allow_who_issued_the_certificate(zone: Zone, state: str) -> None:
    assert caa.check(HOST, ["Let's Encrypt"], lookups(zone)).state == state


def test_an_issuer_nobody_knows_is_no_fault() -> None:
    zone: Zone = {DOMAIN: {"CAA": [(0, "issue", "ca.example")]}}
    assert caa.check(HOST, ["Corner Shop CA"], lookups(zone)).state == "absent"
    assert caa.check(HOST, [], lookups(zone)).state == "absent"


# DNSSEC


def test_dnssec_is_good_broken_or_not_offered() -> None:
    signed: Zone = {DOMAIN: {"SOA": [1], "DS": [12345]}}
    unsigned: Zone = {DOMAIN: {"SOA": [1]}}
    assert dnssec.check(DOMAIN, [], True, lookups(signed, authenticated=True)).state == "good"
    assert dnssec.check(DOMAIN, [Answer(bogus=True)], True, lookups(signed, authenticated=True)).state == "bad"
    assert dnssec.check(DOMAIN, [], True, lookups(signed)).state == "bad"
    assert dnssec.check(DOMAIN, [], True, lookups(unsigned)).state == "absent"
    assert dnssec.check(DOMAIN, [], False, lookups(signed)).state == "absent"


# Lookups that fail


@pytest.mark.parametrize(
    ("name", "kind", "check"),
    [
        (DOMAIN, "MX", lambda ask: mx.check(DOMAIN, HOST, ask)),
        (HOST, "A", lambda ask: addresses.check(HOST, "A", [], ask)),
        ("dkim._domainkey.example.org", "TXT", lambda ask: dkim.check(DOMAIN, ["dkim"], ask)),
        ("_dmarc.example.org", "TXT", lambda ask: dmarc.check(DOMAIN, ask)),
        ("_mta-sts.example.org", "TXT", lambda ask: mta_sts.check(DOMAIN, [], ask, lambda host: b"")),
        ("_smtp._tls.example.org", "TXT", lambda ask: tls_rpt.check(DOMAIN, ask)),
        ("_25._tcp.mail.example.org", "TLSA", lambda ask: tlsa.check(HOST, [], True, ask)),
        (HOST, "CAA", lambda ask: caa.check(HOST, [], ask)),
        (DOMAIN, "SOA", lambda ask: dnssec.check(DOMAIN, [], True, ask)),
    ],
)
def test_no_check_takes_a_lookup_that_fails_for_a_record_that_is_missing(name: str, kind: str, check: Any) -> None:
    with pytest.raises(LookupFailed, match="no answer from"):
        check(lookups({name: {kind: FAILS}}))
