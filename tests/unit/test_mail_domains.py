"""Which domains a host seems to receive mail for, and with which selectors it signs."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailserver_exporter.collectors import dns_request
from mailserver_exporter.sources import mail_domains, postfix_conf, resolv_conf
from tests.support.contexts import context


def write(root: Path, name: str, text: str = "") -> None:
    path = root / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("host", "domain"),
    [("mail.example.org", "example.org"), ("example.org", "example.org"), ("mx.Mail.example.org.", "mail.example.org")],
)
def test_a_hosts_name_tells_its_domain(host: str, domain: str) -> None:
    assert mail_domains.of_host(host) == domain


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        "host.lan",
        "box.local",
        "192.0.2.1",
        "_garbage",
        "user@example.org",
        "-a.example",
        "a..b",
        "x" * 64 + ".org",
        "",
    ],
)
def test_what_cannot_be_a_mail_domain_is_left_out(name: str) -> None:
    assert not mail_domains.is_public_name(name)


def test_postfix_domains_come_from_main_cf_and_its_text_tables() -> None:
    settings = postfix_conf.parse(
        b"myhostname = mail.example.org\n"
        b"mydestination = $myhostname, localhost.$mydomain, localhost, ${mydomain}\n"
        b"virtual_mailbox_domains = hash:/etc/postfix/VDomains, mysql:/etc/postfix/my.cf shop.example\n"
        b"virtual_alias_domains = /etc/postfix/list\n"
        b"relay_domains = $mydestination\n"
    )
    tables = {
        "/etc/postfix/VDomains": b"# comment\none.example OK\n  continued.example\nlocalhost x\n",
        "/etc/postfix/list": b"two.example\n",
        "/etc/postfix/my.cf": b"password = secret.example\n",
    }
    found = list(mail_domains.of_postfix(settings, lambda path: tables.get(path, b"")))
    assert list(dict.fromkeys(found)) == ["example.org", "one.example", "shop.example", "two.example"]


def test_selectors_come_from_rspamd_and_opendkim() -> None:
    contents = {
        "/etc/rspamd/local.d/dkim_signing.conf": b'selector = "s2026";\nselector_map = "/etc/rspamd/selectors.map";\n',
        "/etc/rspamd/selectors.map": b"# x\nmapped.example m1\n",
        "/etc/opendkim.conf": b"Domain example.net\nSelector mail\nKeyTable refile:/etc/dkim/keytable\n",
        "/etc/dkim/keytable": b"mail._domainkey.one.example one.example:k1:/etc/dkim/k1.private\n",
    }
    keys = mail_domains.keys(["example.org.dkim.key", "example.org.new.key", "README"], lambda p: contents.get(p, b""))
    assert keys.of("example.org") == ("dkim", "new")
    assert keys.of("mapped.example") == ("m1",)
    assert keys.of("example.net") == ("mail",)
    assert keys.of("one.example") == ("k1",)
    assert keys.of("other.example") == ("s2026",)


def test_mailcows_domains_are_the_folders_of_its_mail_store(tmp_path: Path) -> None:
    write(tmp_path, "/opt/mailcow-dockerized/mailcow.conf", "MAILCOW_HOSTNAME=mail.example.org\n")
    store = "/var/lib/docker/volumes/mailcowdockerized_vmail-vol-1/_data"
    for name in ("one.example", "Two.example", "_garbage", "lost+found"):
        (tmp_path / store.lstrip("/") / name).mkdir(parents=True)
    write(tmp_path, f"{store}/file.example")

    found = {domain.name: domain.where for domain in dns_request.domains(context(tmp_path, "", tmp_path))}

    assert found == {"one.example": store, "two.example": store, "example.org": "the mail host's name"}


def test_what_the_configuration_names_is_all(tmp_path: Path) -> None:
    write(tmp_path, "/etc/postfix/main.cf", "myhostname = mail.example.org\n")
    yaml = "dns: {domains: [{name: Example.NET, dkim_selectors: [a, b]}]}"
    [found] = dns_request.domains(context(tmp_path, yaml, tmp_path))
    assert (found.name, found.selectors, found.where) == ("example.net", ("a", "b"), "dns.domains")


def test_a_host_with_nothing_readable_still_has_its_own_domain(tmp_path: Path) -> None:
    write(tmp_path, "/etc/postfix/main.cf", "myhostname = mail.example.org\nvirtual_mailbox_domains = hash:/gone\n")
    assert [each.name for each in dns_request.domains(context(tmp_path, "", tmp_path))] == ["example.org"]


def test_the_resolver_is_the_hosts_unless_another_is_named(tmp_path: Path) -> None:
    write(
        tmp_path,
        "/etc/resolv.conf",
        "# x\nsearch example.org\nnameserver 192.0.2.53\nnameserver nonsense\nnameserver ::1\n",
    )
    assert dns_request.resolvers(context(tmp_path, "", tmp_path)) == [("192.0.2.53", 53), ("::1", 53)]
    assert dns_request.resolvers(context(tmp_path, "dns: {resolver: '192.0.2.1:5353'}", tmp_path)) == [
        ("192.0.2.1", 5353)
    ]


@pytest.mark.parametrize("data", [b"", b"nameserver\n", b"\xff\x00\n" * 9, b"options edns0\n"])
def test_without_a_server_it_is_this_host(data: bytes) -> None:
    assert resolv_conf.parse(data) == [("127.0.0.1", 53)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", ("2001:db8::1", 5353)),
    ],
)
def test_an_address_may_have_a_port(text: str, expected: tuple[str, int]) -> None:
    assert resolv_conf.address_and_port(text) == expected


@pytest.mark.parametrize("text", ["dns.example.org", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.300", "[::1", ""])
def test_a_resolver_is_an_address(text: str) -> None:
    with pytest.raises(ValueError):
        resolv_conf.address_and_port(text)
