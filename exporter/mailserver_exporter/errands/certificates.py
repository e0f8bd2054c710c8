"""Look closely at what each TLS port presents: three handshakes a port, with the package cryptography.

Request: ``{"targets": [Target's fields, "name" and "legacy"], "files": [PATH], "ca_file": PATH or null}``; the name is
the one that the certificate should be for, or empty, and legacy whether to ask for TLS 1.1 and older. Answer:
``{"ports": {TARGET'S NAME: {...}}, "problems": [TEXT]}``; a port that could not be looked at is not in it.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mailserver_exporter.sources import SourceError, certificate, tls
from mailserver_exporter.sources.probe import Prober, Result, Target

_TIMEOUT = 10.0


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Look at all targets; raises SourceError when the CA file cannot be used."""
    names, ask_legacy, targets = {}, set(), []
    for fields in request["targets"]:
        name, legacy = fields.pop("name"), fields.pop("legacy")
        target = Target(**fields, require_tls=True)
        names[target.name] = name
        if legacy:
            ask_legacy.add(target.name)
        targets.append(target)
    looked = [result for result in _probe(targets, tls.client_context()) if result.handshake]
    seen = [result.target for result in looked]
    trusted = {result.target.name: result for result in _probe(seen, tls.verifying_context(request["ca_file"]))}
    # Who knows nothing older refuses; a port that did not answer is not spoken of.
    old = _probe([target for target in seen if target.name in ask_legacy], tls.legacy_context())
    legacy_offered = {r.target.name: r.handshake is not None for r in old if r.handshake or r.reason == "tls"}
    files, problems = _on_disk(request["files"])
    ports = {}
    for result in looked:
        name = result.target.name
        try:
            verdict = _describe(result, trusted[name], names[name], files)
            ports[name] = verdict | {"legacy": legacy_offered.get(name)}
        except SourceError as error:
            problems.append(f"{name}: {error}")
    return {"ports": ports, "problems": problems}


def _probe(targets: Sequence[Target], context: ssl.SSLContext) -> list[Result]:
    return Prober(_TIMEOUT, context=context).run(targets)


def _describe(
    result: Result, trusted: Result, name: str, files: Mapping[bytes, certificate.Certificate]
) -> dict[str, Any]:
    assert result.handshake is not None  # noqa: S101 - chosen so by the caller
    chain = result.handshake.certificates
    own = chain[0] if chain else b""
    found = certificate.describe(own)
    verdict: dict[str, Any] = asdict(found)
    # A chain that could not be looked at a second time is no bad chain.
    known = trusted.handshake is not None or trusted.reason == "certificate"
    verdict["chain_valid"] = (trusted.handshake is not None) if known else None
    verdict["chain_problem"] = "" if trusted.handshake else trusted.message
    verdict["name_matches"] = certificate.is_for(found, name) if name else None
    verdict["matches_file"] = _matches(own, found, files)
    verdict["chain"] = hashlib.sha256(b"".join(chain)).hexdigest()
    return verdict


def _matches(own: bytes, found: certificate.Certificate, files: Mapping[bytes, certificate.Certificate]) -> bool | None:
    """Say whether it is on disk; None where nothing there is for any of its names: then it comes from elsewhere."""
    if own in files:
        return True
    return False if any(certificate.is_renewal(found, other) for other in files.values()) else None


def _on_disk(paths: list[str]) -> tuple[dict[bytes, certificate.Certificate], list[str]]:
    """Return the certificates in the files, and why others cannot be read."""
    found: dict[bytes, certificate.Certificate] = {}
    problems = []
    for path in paths:
        try:
            found |= {der: certificate.describe(der) for der in certificate.in_file(path)}
        except SourceError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(f"{path}: {error.strerror}")
    return found, problems
