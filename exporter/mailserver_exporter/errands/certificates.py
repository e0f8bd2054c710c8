"""Look closely at what each TLS port presents: three handshakes a port, with the package cryptography.

Request: ``{"targets": [Target's fields and "name"], "files": [PATH], "ca_file": PATH or null, "legacy": BOOL}``.
Answer: ``{"ports": {TARGET'S NAME: {...}}, "problems": [TEXT]}``; a port that could not be looked at is not in it.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from mailserver_exporter.sources import SourceError, certificate, tls
from mailserver_exporter.sources.probe import Prober, Result, Target

_TIMEOUT = 10.0


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Look at all targets; raises SourceError when the CA file cannot be used."""
    names = {}
    targets = []
    for fields in request["targets"]:
        name = fields.pop("name")
        target = Target(**fields, require_tls=True)
        names[target.name] = name
        targets.append(target)
    looked = [result for result in _probe(targets, tls.client_context()) if result.handshake]
    seen = [result.target for result in looked]
    trusted = {result.target.name: result for result in _probe(seen, tls.verifying_context(request["ca_file"]))}
    legacy = {}
    if request["legacy"]:
        # Who knows nothing older refuses; a port that did not answer is not spoken of.
        for result in _probe([replace(target, text="") for target in seen], tls.legacy_context()):
            if result.handshake or result.reason == "tls":
                legacy[result.target.name] = result.handshake is not None
    files, problems = _on_disk(request["files"])
    ports = {}
    for result in looked:
        name = result.target.name
        try:
            ports[name] = _describe(result, trusted[name], names[name], files) | {"legacy": legacy.get(name)}
        except SourceError as error:
            problems.append(f"{name}: {error}")
    return {"ports": ports, "problems": problems}


def _probe(targets: Sequence[Target], context: ssl.SSLContext) -> list[Result]:
    return Prober(_TIMEOUT, context=context).run(targets)


def _describe(result: Result, trusted: Result, name: str, files: set[bytes]) -> dict[str, Any]:
    assert result.handshake is not None  # noqa: S101 - chosen so by the caller
    own = result.handshake.certificates[0] if result.handshake.certificates else b""
    found = certificate.describe(own)
    verdict: dict[str, Any] = asdict(found)
    del verdict["names"]
    # A chain that could not be looked at a second time is no bad chain.
    known = trusted.handshake is not None or trusted.reason == "tls"
    verdict["chain_valid"] = (trusted.handshake is not None) if known else None
    verdict["chain_problem"] = "" if trusted.handshake else trusted.message
    verdict["name_matches"] = certificate.is_for(found, name) if name else None
    verdict["matches_file"] = own in files if files else None
    return verdict


def _on_disk(paths: list[str]) -> tuple[set[bytes], list[str]]:
    """Return the servers' own certificates in the files, and why others cannot be read."""
    found, problems = set(), []
    for path in paths:
        try:
            found.add(certificate.first_in_file(path))
        except SourceError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(f"{path}: {error.strerror}")
    return found, problems
