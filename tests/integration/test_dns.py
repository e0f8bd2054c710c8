"""The DNS checks against NSD and a validating Unbound, a policy from nginx, a certificate from Postfix."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rrset
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mailserver_exporter import errand
from mailserver_exporter.settings.dns import DnsSeverity
from mailserver_exporter.sources import SourceError
from mailserver_exporter.sources.posture import https, port25
from mailserver_exporter.sources.posture.mta_sts import PolicyError
from tests.support import certificates
from tests.support.dns import ADDRESS, ADDRESS6, DOMAIN, Authority, Resolver, free_port_of_both_kinds, mail_zones
from tests.support.exporter import NO_COLLECTORS
from tests.support.lookups import lookups
from tests.support.nginx import Nginx
from tests.support.postfix import Postfix
from tests.support.processes import wait_for
from tests.support.tools import ROOT

HOST = f"mail.{DOMAIN}"
CHECKS = list(DnsSeverity().watched())
RSA_KEY = base64.b64encode(
    rsa.generate_private_key(65537, 2048)
    .public_key()
    .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
).decode()
POLICY_PATH = "/.well-known/mta-sts.txt"
POLICY = r'return 200 "version: STSv1\nmode: enforce\nmx: mail.example.org\nmax_age: 604800\n";'


class Scene:
    """A mail domain that offers everything, all of it in order."""

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / "smtp.pem"
        names = certificates.issue(HOST, names=[HOST], issuer=certificates.intermediate())
        certificates.write_pem(
            self.certificate, names.key, [names.certificate, certificates.intermediate().certificate]
        )
        web = certificates.issue(names=[f"mta-sts.{DOMAIN}"], issuer=certificates.intermediate())
        self.web_certificate = folder / "web.pem"
        certificates.write_pem(
            self.web_certificate, web.key, [web.certificate, certificates.intermediate().certificate]
        )
        self.nginx = Nginx(certificate=self.web_certificate, locations={POLICY_PATH: POLICY})
        self.postfix = Postfix(certificate=self.certificate)
        self.zones = mail_zones()
        self.zones[DOMAIN].update(
            {
                "dkim._domainkey": [f"TXT {' '.join(_strings(f'v=DKIM1; k=rsa; p={RSA_KEY}'))}"],
                "_mta-sts": ['TXT "v=STSv1; id=20261122"'],
                "mta-sts": ["A 127.0.0.1"],
                "_smtp._tls": ['TXT "v=TLSRPTv1; rua=mailto:tls@example.org"'],
                "_25._tcp.mail": [f"TLSA 3 1 1 {key_digest(self.certificate)}"],
            }
        )
        self.authority = Authority(self.zones, signed=[DOMAIN])
        self.authority.expired = set()

    def check(self, port: int, **changes: Any) -> dict[str, Any]:
        """Return the errand's answer, asking the resolver at ``port``."""
        request = {
            "resolver": [("127.0.0.1", port)],
            "host": HOST,
            "addresses": [],
            "smtp": ("127.0.0.1", self.postfix.smtp_port),
            "domains": [{"name": DOMAIN, "selectors": ["dkim"], "tentative": False}],
            "checks": CHECKS,
            "seconds": 20,
            "https_port": self.nginx.https_port,
        }
        answer: dict[str, Any] = errand.send("dns", {**request, **changes}, 40)
        return answer


def _strings(text: str) -> list[str]:
    return [f'"{text[start : start + 200]}"' for start in range(0, len(text), 200)]


def key_digest(file: Path) -> str:
    """Return what `openssl x509 -pubkey | openssl pkey -pubin -outform der | sha256sum` does."""
    key = x509.load_pem_x509_certificates(file.read_bytes())[0].public_key()
    data = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(data).hexdigest()


def states(answer: dict[str, Any]) -> dict[str, str]:
    return {result["check"]: result["state"] for result in answer["results"]}


def told(answer: dict[str, Any], check: str) -> str:
    [found] = [result for result in answer["results"] if result["check"] == check]
    return str(found["detail"])


ALL_GOOD = {**dict.fromkeys(CHECKS, "good"), "caa": "absent"}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("dns")
    scene = Scene(folder)
    # What OpenSSL reads instead of the system's authorities, openssl-env(7); the errand inherits it.
    with pytest.MonkeyPatch.context() as patch, scene.authority, scene.nginx, scene.postfix:
        patch.setenv("SSL_CERT_FILE", str(certificates.write_authority(folder / "root.pem")))
        yield scene


@pytest.fixture(scope="module")
def resolver(scene: Scene) -> Iterator[Resolver]:
    with Resolver(scene.authority) as resolver:
        yield resolver


def test_all_is_well_with_a_domain_that_offers_everything(scene: Scene, resolver: Resolver) -> None:
    answer = scene.check(resolver.port)
    assert states(answer) == ALL_GOOD, answer
    assert answer["validating"]
    [dkim] = [result["info"]["keys"] for result in answer["results"] if result["check"] == "dkim"]
    assert dkim == [{"selector": "dkim", "type": "rsa", "bits": 2048, "weak": False}]


# Each broken record turns its check to bad and no other. The check, what the zone then has, and a word of what is told.
BROKEN: list[tuple[str, dict[str, list[str]], str]] = [
    ("mx", {"@": ["MX 10 gone", *mail_zones()[DOMAIN]["@"][1:]]}, "does not exist"),
    ("mx", {"@": ["MX 10 alias", *mail_zones()[DOMAIN]["@"][1:]], "alias": ["CNAME mail"]}, "CNAME"),
    ("spf", {"@": ["MX 10 mail"]}, "no SPF record"),
    ("spf", {"@": ["MX 10 mail", 'TXT "v=spf1 mx -all"', 'TXT "v=spf1 a -all"']}, "2 SPF records"),
    ("spf", {"@": ["MX 10 mail", 'TXT "v=spf1 ip4:203.0.113.1 -all"']}, "does not permit our address"),
    ("spf", {"@": ["MX 10 mail", f'TXT "v=spf1 {"a:mail.example.org " * 11}-all"']}, "needs 11 lookups"),
    ("spf", {"@": ["MX 10 mail", 'TXT "v=spf1 mx include:loop.example.org -all"'],
             "loop": ['TXT "v=spf1 include:loop.example.org -all"']}, "circle"),
    ("dkim", {"dkim._domainkey": []}, "no DKIM key at dkim._domainkey.example.org"),
    ("dkim", {"dkim._domainkey": ['TXT "v=DKIM1; p="']}, "revoked"),
    ("dkim", {"dkim._domainkey": [f'TXT "v=DKIM1; p={RSA_KEY[:200]}"']}, "no RSA key"),
    ("dmarc", {"_dmarc": []}, "no DMARC record"),
    ("mta_sts", {"mta-sts": []}, "no address"),
    ("mta_sts", {"_mta-sts": ['TXT "v=STSv1"']}, "needs an id="),
    ("tls_rpt", {"_smtp._tls": ['TXT "v=TLSRPTv1"']}, "needs rua="),
    ("tlsa", {"_25._tcp.mail": [f"TLSA 3 1 1 {'00' * 32}"]}, "no TLSA record"),
    ("caa", {"mail": [f"A {ADDRESS}", f"AAAA {ADDRESS6}", 'CAA 0 issue ";"']}, "forbids every authority"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "records", "word"), BROKEN, ids=[f"{b[0]} {b[2]}" for b in BROKEN])
def test_a_broken_record_is_told_by_its_own_check_alone(
    scene: Scene, resolver: Resolver, check: str, records: dict[str, list[str]], word: str
) -> None:
    with scene.authority.changed(DOMAIN, records):
        answer = scene.check(resolver.port)
    if check == "mx":
        # The policy, rightly, does not name a wrong MX.
        answer["results"] = [result for result in answer["results"] if result["check"] != "mta_sts"]
    assert {name for name, state in states(answer).items() if state not in (ALL_GOOD[name], "good")} == {check}
    assert states(answer)[check] == "bad"
    assert word in told(answer, check)


def test_a_reverse_record_that_is_missing_or_leads_elsewhere(scene: Scene, resolver: Resolver) -> None:
    [four, six] = scene.zones["arpa"]
    for records in ({four: []}, {six: ["PTR other.example.org."]}):
        with scene.authority.changed("arpa", records):
            found = states(scene.check(resolver.port))
        assert {name for name, state in found.items() if state != ALL_GOOD[name]} == {"ptr"}


def test_a_host_without_an_address(scene: Scene, resolver: Resolver) -> None:
    with scene.authority.changed(DOMAIN, {"mail": [f"AAAA {ADDRESS6}"]}):
        answer = scene.check(resolver.port)
    assert {name for name, state in states(answer).items() if state == "bad"} == {"a"}


def test_what_is_not_offered_is_no_fault(scene: Scene, resolver: Resolver) -> None:
    optional = {"_mta-sts": [], "mta-sts": [], "_smtp._tls": [], "_25._tcp.mail": []}
    with scene.authority.changed(DOMAIN, optional):
        found = states(scene.check(resolver.port))
    assert {name for name, state in found.items() if state == "absent"} == {"mta_sts", "tls_rpt", "tlsa", "caa"}
    assert "bad" not in found.values()


def test_signatures_that_have_expired_break_dnssec_and_nothing_else(scene: Scene) -> None:
    scene.authority.expired.add(DOMAIN)
    scene.authority.reload()
    try:
        # A resolver of its own, because it remembers for a while that a key was bad.
        with Resolver(scene.authority) as resolver:
            answer = scene.check(resolver.port)
    finally:
        scene.authority.expired.clear()
        scene.authority.reload()
    # DANE is not judged meanwhile: nobody can use it.
    assert states(answer) == {**ALL_GOOD, "dnssec": "bad", "tlsa": "absent"}, answer
    assert "validating resolvers refuse" in told(answer, "dnssec")


def test_a_resolver_that_does_not_validate_judges_what_it_can(scene: Scene) -> None:
    answer = scene.check(scene.authority.port)
    assert not answer["validating"]
    assert states(answer) == {**ALL_GOOD, "dnssec": "absent"}, answer


def test_a_domain_that_does_not_exist_is_told_once(scene: Scene, resolver: Resolver) -> None:
    answer = scene.check(resolver.port, domains=[{"name": "exampel.org", "selectors": [], "tentative": False}])
    found = [result for result in answer["results"] if result["domain"] == "exampel.org"]
    assert [result["check"] for result in found if result["state"] == "bad"] == ["mx"]
    assert "exampel.org does not exist" in told(answer, "mx")


def test_a_tentative_domain_without_mx_is_none(scene: Scene, resolver: Resolver) -> None:
    answer = scene.check(resolver.port, domains=[{"name": HOST, "selectors": [], "tentative": True}])
    assert answer == {"results": [], "ignored": [HOST], "validating": True}


def test_a_policy_is_refused_when_its_host_cannot_be_trusted(scene: Scene, resolver: Resolver, tmp_path: Path) -> None:
    for fault, word in (("good", "certificate is not valid"), ("self-signed", "certificate is not valid")):
        certificate = certificates.write(tmp_path / "web.pem", fault)
        with Nginx(certificate=certificate, locations={POLICY_PATH: POLICY}) as other:
            answer = scene.check(resolver.port, https_port=other.https_port)
        assert {name for name, state in states(answer).items() if state == "bad"} == {"mta_sts"}
        assert word in told(answer, "mta_sts")


@pytest.mark.parametrize(
    ("what", "word"),
    [
        ("return 404;", "status 404"),
        ("return 302 /;", "status 302"),
        (f"default_type text/html; {POLICY}", "text/html"),
        (f'return 200 "{"x" * 3000}";', "is not KEY: VALUE"),
        ("return 444;", "not HTTP"),
    ],
)
def test_a_policy_must_come_as_one(scene: Scene, resolver: Resolver, what: str, word: str) -> None:
    with Nginx(certificate=scene.web_certificate, locations={POLICY_PATH: what}) as other:
        answer = scene.check(resolver.port, https_port=other.https_port)
    assert word in told(answer, "mta_sts")


def test_a_port_25_that_is_down_is_no_fault_of_the_dns(scene: Scene, resolver: Resolver) -> None:
    answer = scene.check(resolver.port, smtp=("127.0.0.1", free_port_of_both_kinds()))
    assert states(answer) == {**ALL_GOOD, "tlsa": "absent"}


# Resolvers that fail


def test_a_resolver_that_is_down_means_errors_and_not_one_missing_record(scene: Scene) -> None:
    answer = scene.check(free_port_of_both_kinds(), seconds=3)
    assert set(states(answer)) == set(CHECKS)
    assert set(states(answer).values()) == {"error"}


def test_a_resolver_that_hangs_means_errors_within_the_time(scene: Scene, resolver: Resolver) -> None:
    resolver.send(signal.SIGSTOP)
    started = time.monotonic()
    try:
        answer = scene.check(resolver.port, seconds=3)
    finally:
        resolver.send(signal.SIGCONT)
    assert set(states(answer).values()) == {"error"}
    assert time.monotonic() - started < 20
    wait_for("Unbound answers again", lambda: states(scene.check(resolver.port)) == ALL_GOOD, 20)


def test_a_domain_whose_servers_are_down_means_errors(scene: Scene, resolver: Resolver) -> None:
    scene.authority.stop()
    try:
        answer = scene.check(resolver.port, seconds=6)
    finally:
        scene.authority.start()
    assert "bad" not in states(answer).values()
    assert states(answer)["spf"] == "error"
    assert any(text in told(answer, "mx") for text in ("SERVFAIL", "no answer", "no time"))


def test_a_second_server_is_asked_when_the_first_is_down(scene: Scene, resolver: Resolver) -> None:
    servers = [("127.0.0.1", free_port_of_both_kinds()), ("127.0.0.1", resolver.port)]
    assert states(scene.check(resolver.port, resolver=servers)) == ALL_GOOD


# Servers that lie

Liar = Callable[[dns.message.Message], list[bytes]]


@contextmanager
def liar(answers: Liar, over_tcp: Liar | None = None) -> Iterator[int]:
    """Run a DNS server that answers a query with these datagrams, and over TCP with ``over_tcp``; yield its port."""
    port = free_port_of_both_kinds()
    udp = socket.socket(type=socket.SOCK_DGRAM)
    tcp = socket.socket()
    udp.bind(("127.0.0.1", port))
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tcp.bind(("127.0.0.1", port))
    tcp.listen()

    def serve_udp() -> None:
        while True:
            try:
                data, client = udp.recvfrom(4096)
            except OSError:
                return
            for answer in answers(dns.message.from_wire(data)) if data != b"end" else ():
                udp.sendto(answer, client)
            if data == b"end":
                return

    def serve_tcp() -> None:
        while True:
            connection, _ = tcp.accept()
            with connection:
                head = connection.recv(2)
                if len(head) < 2:
                    return
                query = dns.message.from_wire(connection.recv(struct.unpack("!H", head)[0]))
                for answer in over_tcp(query) if over_tcp else ():
                    connection.sendall(struct.pack("!H", len(answer)) + answer)

    threads = [threading.Thread(target=serve_udp), threading.Thread(target=serve_tcp)]
    for thread in threads:
        thread.start()
    try:
        yield port
    finally:
        with socket.socket(type=socket.SOCK_DGRAM) as end:
            end.sendto(b"end", ("127.0.0.1", port))
        with socket.create_connection(("127.0.0.1", port)):
            pass
        for thread in threads:
            thread.join(10)
        udp.close()
        tcp.close()


def reply(query: dns.message.Message, *records: str) -> dns.message.Message:
    """Return an answer with ``records`` of the type that was asked for."""
    answer = dns.message.make_response(query, recursion_available=True)
    [question] = query.question
    if records:
        answer.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", question.rdtype, records))
    return answer


def spf_seen(scene: Scene, port: int, seconds: float = 4) -> tuple[str, str]:
    answer = scene.check(port, checks=["spf"], seconds=seconds, smtp=None)
    return states(answer)["spf"], told(answer, "spf")


def test_an_answer_to_another_question_is_passed_over(scene: Scene) -> None:
    def stale_first(query: dns.message.Message) -> list[bytes]:
        text = '"v=spf1 ip4:192.0.2.25 -all"' if query.question[0].rdtype == dns.rdatatype.TXT else None
        good = reply(query, text) if text else reply(query)
        forged = dns.message.from_wire(reply(query).to_wire())
        forged.id = (query.id + 1) & 0xFFFF
        return [forged.to_wire(), b"\0" * 7, good.to_wire()]

    with liar(stale_first) as port:
        assert spf_seen(scene, port)[0] == "good"


def test_what_is_cut_off_is_asked_for_again_over_tcp_up_to_64_kilobytes(scene: Scene) -> None:
    def cut_off(query: dns.message.Message) -> list[bytes]:
        answer = reply(query)
        answer.flags |= dns.flags.TC
        return [answer.to_wire()]

    def whole(query: dns.message.Message) -> list[bytes]:
        if query.question[0].rdtype != dns.rdatatype.TXT:
            return [reply(query).to_wire()]
        padding = " ".join(['"' + "x" * 255 + '"'] * 240)
        return [reply(query, '"v=spf1 ip4:192.0.2.25" " -all"', padding).to_wire(max_size=65535)]

    with liar(cut_off, whole) as port:
        assert spf_seen(scene, port)[0] == "good"


def test_a_thousand_strings_are_one_text(scene: Scene) -> None:
    def cut_off(query: dns.message.Message) -> list[bytes]:
        answer = reply(query)
        answer.flags |= dns.flags.TC
        return [answer.to_wire()]

    def strings(query: dns.message.Message) -> list[bytes]:
        if query.question[0].rdtype != dns.rdatatype.TXT:
            return [reply(query).to_wire()]
        return [reply(query, '"v=spf1 " ' + '"ip4:192.0.2.25 " ' * 1000 + '"-all"').to_wire(max_size=65535)]

    with liar(cut_off, strings) as port:
        assert spf_seen(scene, port)[0] == "good"


def _loop(query: dns.message.Message) -> list[bytes]:
    answer = dns.message.make_response(query)
    name = query.question[0].name
    answer.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", "loop.example."))
    answer.answer.append(dns.rrset.from_text("loop.example.", 60, "IN", "CNAME", name.to_text()))
    return [answer.to_wire()]


def _compression_loop(query: dns.message.Message) -> list[bytes]:
    """Answer with a name that is a pointer to itself (RFC 1035 4.1.4)."""
    data = dns.message.make_response(query).to_wire()
    head = bytearray(data[:12])
    head[6:8] = b"\0\1"
    end = 12 + len(query.question[0].name.to_wire() or b"") + 4
    pointer = struct.pack("!H", 0xC000 | end)
    return [bytes(head) + data[12:end] + pointer + b"\0\x10\0\1\0\0\0\0\0\1\0"]


def _garbage(query: dns.message.Message) -> list[bytes]:
    return [struct.pack("!H", query.id) + b"\x81\x80" + b"\xff" * 500]


def _refused(query: dns.message.Message) -> list[bytes]:
    answer = dns.message.make_response(query)
    answer.set_rcode(dns.rcode.REFUSED)
    return [answer.to_wire()]


def _cut_off_for_ever(query: dns.message.Message) -> list[bytes]:
    answer = dns.message.make_response(query)
    answer.flags |= dns.flags.TC
    return [answer.to_wire()]


@pytest.mark.parametrize("lies", [_loop, _compression_loop, _garbage, _refused, _cut_off_for_ever])
def test_nonsense_is_an_error_and_not_a_missing_record(scene: Scene, lies: Liar) -> None:
    with liar(lies) as port:
        state, detail = spf_seen(scene, port)
    assert state == "error", detail
    assert "\n" not in detail


# Hosts that let us wait


@contextmanager
def dripping(first: bytes) -> Iterator[int]:
    """Run a server that sends ``first`` and then one byte after the other, for ever; yield its port."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(first)
                while not ended.wait(0.1):
                    connection.sendall(b"\0")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ended.set()
            thread.join(10)


# A TLS record of 16 KiB (RFC 8446 5.1), of which little ever comes.
ENDLESS_RECORD = b"\x16\x03\x03\x40\x00"


def test_a_policy_host_that_drips_is_given_up() -> None:
    ask = lookups({"mta-sts.example.org": {"A": ["127.0.0.1"]}})
    started = time.monotonic()
    with dripping(ENDLESS_RECORD) as port, pytest.raises(PolicyError, match="no answer in time"):
        https.fetch_policy("mta-sts.example.org", ask, port=port, seconds=1)
    assert time.monotonic() - started < 8


@pytest.mark.parametrize(
    "first", [b"220-wait\r\n", b"220 a\r\n250-b\r\n", b"220 a\r\n250 b\r\n220 c\r\n" + ENDLESS_RECORD, b"250 " * 9999]
)
def test_a_port_25_that_drips_is_given_up(first: bytes) -> None:
    started = time.monotonic()
    with dripping(first) as port, pytest.raises(OSError):
        port25.certificates("127.0.0.1", port, HOST, 1)
    assert time.monotonic() - started < 8


# As the admin meets it


def test_check_has_one_clear_message_for_each_fault(scene: Scene, resolver: Resolver, tmp_path: Path) -> None:
    dns_section = {
        "resolver": f"127.0.0.1:{resolver.port}",
        "hostname": HOST,
        "domains": [{"name": DOMAIN, "dkim_selectors": ["dikm"]}, {"name": "exampel.org"}],
        # Its port is 443 here, where nobody serves the policy.
        "severity": {"mta_sts": "none"},
    }
    off = "".join(f"{line}\n" for line in NO_COLLECTORS.splitlines() if not line.startswith("dns:"))
    settings = {"dns": dns_section, "mail_stack": {"kind": "none"}, "state_directory": str(tmp_path)}
    (tmp_path / "config.yml").write_text(off + yaml.safe_dump(settings))
    command = [sys.executable, "-m", "mailserver_exporter", "check", "--json", f"--config.file={tmp_path}/config.yml"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "exporter")}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)

    findings = [found for found in json.loads(done.stdout) if found["subject"].startswith("dns")]

    assert [(found["subject"], found["detail"], found["remedy"]) for found in findings if found["state"] == "bad"] == [
        (
            "dns example.org",
            "dkim: no DKIM key at dikm._domainkey.example.org",
            "is 'dkim' meant? dkim._domainkey.example.org exists",
        ),
        (
            "dns exampel.org",
            "mx: the domain exampel.org does not exist (NXDOMAIN)",
            "is it mistyped in dns.domains, or expired?",
        ),
    ]


def test_the_blocklists_of_a_real_server_are_believed_only_when_they_pass_their_test(scene: Scene) -> None:
    request = {
        "resolver": [("127.0.0.1", scene.authority.port)],
        "host": HOST,
        "addresses": [],
        "lists": ["bl.example.net", "closed.example.net"],
        "seconds": 10,
    }
    reverse = ".".join(reversed(ADDRESS.split(".")))
    with scene.authority.changed("bl.example.net", {reverse: ["A 127.0.0.4", 'TXT "https://bl.example.net/why"']}):
        found = errand.send("blocklists", request, 30)
    seen = {(each["list"], each["family"]): each["state"] for each in found["listings"]}
    assert seen == {
        ("bl.example.net", "ipv4"): "listed",
        ("bl.example.net", "ipv6"): "clear",
        ("closed.example.net", "ipv4"): "error",
        ("closed.example.net", "ipv6"): "absent",
    }
    with pytest.raises(SourceError, match=r"mail\.example\.org A"):
        silent = {"resolver": [("127.0.0.1", free_port_of_both_kinds())], "seconds": 3}
        errand.send("blocklists", {**request, **silent}, 30)
