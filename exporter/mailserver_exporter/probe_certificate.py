"""What clients would think of the certificate that a port shows, for the command ``probe``."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mailserver_exporter.config import Config
from mailserver_exporter.errands import certificates
from mailserver_exporter.finding import Finding
from mailserver_exporter.host import Host
from mailserver_exporter.mailstack import MailStack
from mailserver_exporter.sources import SourceError, certificate_files
from mailserver_exporter.sources.probe import Target

# What Debian's OpenSSL refuses (security level 2), as the alert CertificateWeak has it.
_LEAST_BITS = {"rsa": 2048, "dsa": 2048, "ecdsa": 224}
_BROKEN = ("md5", "sha1", "sha-1")


def judge(target: Target, config: Config, host: Host, *, legacy: bool) -> list[Finding]:
    """Look at the certificate again and judge it as the alerts do; ``legacy`` asks for TLS 1.1 and older, too.

    This takes two or three connections more.
    """
    stack = MailStack(config, host).get()
    paths: list[Path | str] = [*config.certificates.files] or [*certificate_files.configured(stack, host.path)]
    name = expected_name(target, config, stack.hostname)
    fields = asdict(replace(target, server_name=target.server_name or name, text=""))
    del fields["require_tls"], fields["ask_tls"]
    request = {
        "targets": [{**fields, "name": name, "legacy": legacy}],
        "files": [host.path(path) for path in paths],
        "ca_file": str(config.certificates.ca_file) if config.certificates.ca_file else None,
    }
    try:
        answer = certificates.run(request)
    except SourceError as error:
        return [Finding("certificate", "bad", str(error), error.remedy)]
    # A file that only root can read says nothing about the port.
    findings = [
        Finding("certificate", "bad" if problem.startswith(target.name) else "off", problem)
        for problem in answer["problems"]
    ]
    for found in answer["ports"].values():
        findings += _findings(found, name)
    return findings


def expected_name(target: Target, config: Config, hostname: str) -> str:
    """Return for which name the certificate should be, empty where nobody knows: an address that is not our own."""
    if target.server_name:
        return target.server_name
    try:
        own = ipaddress.ip_address(target.host).is_loopback
    except ValueError:
        own = target.host == "localhost"
        if not own:
            return target.host
    return (config.certificates.name or hostname) if own else ""


def _findings(found: Mapping[str, Any], name: str) -> Iterator[Finding]:
    yield Finding("certificate", "good", f"{found['subject'] or 'no subject'}, issued by {found['issuer']}")
    names = ", ".join(found["names"][:8]) or "no name at all"
    if name:
        yield _finding("name", found["name_matches"], f"for {name}", f"for {names}, not for {name}")
    else:
        yield Finding("name", "off", f"for {names}; name the one it should be for with --name")
    if found["chain_valid"] is not None:
        problem = f"clients would not trust it: {found['chain_problem']}"
        yield _finding("chain", found["chain_valid"], "leads to an authority that is trusted", problem)
    yield _dates(found["not_before"], found["not_after"])
    yield _strength(found["key_type"], found["key_bits"], found["signature"])
    if found["matches_file"] is not None:
        mend = "restart the service that shows it"
        yield _finding("on disk", found["matches_file"], "the same", "another one for the same name", mend)
    if found["legacy"] is not None:
        yield _finding("old TLS", not found["legacy"], "TLS 1.1 and older are refused", "takes TLS 1.1 or older")


def _dates(begin: float, end: float) -> Finding:
    now = time.time()
    days = f"valid from {_date(begin)} to {_date(end)}"
    if now < begin:
        return Finding("dates", "bad", f"not yet {days}", "date; timedatectl")
    if now >= end:
        return Finding("dates", "bad", f"expired: {days}", "certbot renew, or restart acme-mailcow")
    return Finding("dates", "good", f"{days}, {(end - now) / 86400:.1f} days left")


def _strength(key_type: str, bits: int, signature: str) -> Finding:
    weak = bits < _LEAST_BITS.get(key_type, 0) or any(name in signature.lower() for name in _BROKEN)
    key = f"{key_type} of {bits} bits" if bits else key_type
    return _finding("key", not weak, f"{key}, signed with {signature}", f"too weak: {key}, signed with {signature}")


def _finding(subject: str, good: bool, well: str, ill: str, remedy: str = "") -> Finding:
    return Finding(subject, "good", well) if good else Finding(subject, "bad", ill, remedy)


def _date(when: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(when))
