"""The command ``probe``: probe one port once and tell what happened step by step."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

from mailserver_exporter.finding import Finding
from mailserver_exporter.sources.probe import MODULES, Prober, Result, Target

# What a port usually speaks, IANA's registry of service names and ports.
USUAL = {
    25: "smtp_starttls",
    80: "http",
    110: "pop3_starttls",
    143: "imap_starttls",
    443: "https",
    465: "smtp_tls",
    587: "smtp_starttls",
    993: "imap_tls",
    995: "pop3_tls",
    4190: "sieve_starttls",
    8443: "https",
}
# What a dialogue notes, in words.
_NOTES = {
    "starttls": "offers STARTTLS:",
    "auth_in_clear": "AUTH before TLS:",
    "auth": "AUTH in TLS:",
    "hsts": "HSTS:",
}


def target(address: str, module: str | None, *, name: str = "", path: str = "/", text: str = "") -> Target:
    """Return what ``HOST:PORT`` or ``PORT`` and a module, or none, stand for; the rest is as in Target.

    A module that was named must work as a whole: with ``smtp_starttls`` STARTTLS, too, not the greeting alone.
    Raises ValueError with what is allowed.
    """
    host, _, port = address.rpartition(":")
    if not port.isdigit() or not 0 < int(port) < 65536 or (host.count(":") and not host.startswith("[")):
        raise ValueError(f"{address!r} is not HOST:PORT or PORT, such as mail.example.org:25, [::1]:993 or 587")
    if module is None:
        if int(port) not in USUAL:
            raise ValueError(f"port {port} could speak anything; name it with --module: {', '.join(MODULES)}")
        module, strict = USUAL[int(port)], False
    elif module not in MODULES:
        raise ValueError(f"there is no module {module!r}; there are {', '.join(MODULES)}")
    else:
        strict = module.endswith("_starttls")
    if (text or path != "/") and module not in ("http", "https"):
        raise ValueError(f"--text and --path are for web servers, not for {module}")
    if not path.startswith("/") or any(c.isspace() for c in path):
        raise ValueError(f"{path!r} is no path such as /webmail")
    host = host.strip("[]") or "127.0.0.1"
    return Target(host, int(port), module, require_tls=strict, path=path, text=text, server_name=name)


def probe(wanted: Target, timeout: float) -> Result:
    """Probe it; takes no longer than ``timeout`` seconds and a little for a server that has begun to speak."""
    [result] = Prober(timeout).run([wanted])
    return result


def as_text(result: Result, findings: Sequence[Finding] = (), *, verbose: bool = False) -> str:
    """Tell the story for a person; ``verbose`` with every line that was said, all that was learned, and what is well.

    ``findings`` are about the certificate.
    """
    lines = [
        f"{step.seconds * 1000:9.1f} ms  {step.text}"
        for step in result.story
        if verbose or not step.detail or step is result.story[-1]
    ]
    if result.up:
        verdict = f"up after {result.seconds * 1000:.1f} ms"
        verdict += f", but: {result.message}" if result.message else ""
    else:
        verdict = f"down: {result.reason}: {result.message}"
    if result.expiry is not None:
        days = (result.expiry - time.time()) / 86400
        verdict += (
            f"; certificate expires in {days:.1f} days" if days > 0 else f"; CERTIFICATE EXPIRED {-days:.1f} days ago"
        )
    if verbose:
        lines += _learned(result)
    lines += _judged(finding for finding in findings if verbose or finding.state == "bad")
    return "\n".join([*lines, f"{result.target.label} {result.target.module}: {verdict}"])


def _learned(result: Result) -> Iterator[str]:
    if result.phases:
        phases = [f"{phase} {seconds * 1000:.1f} ms" for phase, seconds in result.phases.items()]
        yield f"{'phases':>12}  {', '.join(phases)}"
    said = [
        f"{words} {'yes' if result.notes[note] else 'no'}" for note, words in _NOTES.items() if note in result.notes
    ]
    if said:
        yield f"{'server':>12}  {', '.join(said)}"


def _judged(findings: Iterable[Finding]) -> Iterator[str]:
    for finding in findings:
        bad = "BAD: " if finding.state == "bad" else ""
        text = f"{bad}{finding.detail}" + (f"; to mend it: {finding.remedy}" if finding.remedy else "")
        # A certificate may hold anything.
        yield f"{finding.subject:>12}  {''.join(c if c.isprintable() else '?' for c in text)}"


def as_json(result: Result, findings: Sequence[Finding] = ()) -> str:
    """Return the same for a script."""
    return json.dumps(
        {
            "target": result.target.label,
            "module": result.target.module,
            "success": result.up,
            "duration_seconds": round(result.seconds, 6),
            "reason": result.reason,
            "message": result.message,
            "ssl_earliest_cert_expiry": result.expiry,
            "tls_version": result.handshake.version if result.handshake else None,
            "tls_cipher": result.handshake.cipher if result.handshake else None,
            "ip_protocol": result.ip_protocol,
            "phases_seconds": {phase: round(seconds, 6) for phase, seconds in result.phases.items()},
            "notes": result.notes,
            "certificate": [asdict(finding) for finding in findings],
            "steps": [{"seconds": round(step.seconds, 6), "text": step.text} for step in result.story],
        }
    )
