"""The command ``probe``: probe one port once and tell what happened step by step."""

from __future__ import annotations

import json
import time

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


def target(address: str, module: str | None) -> Target:
    """Return what ``HOST:PORT`` or ``PORT`` and a module, or none, stand for.

    A module that was named must work as a whole: with ``smtp_starttls`` STARTTLS, too, not the greeting alone.
    Raises ValueError with what is allowed.
    """
    host, _, port = address.rpartition(":")
    if not port.isdigit() or not 0 < int(port) < 65536 or (host.count(":") and not host.startswith("[")):
        raise ValueError(f"{address!r} is not HOST:PORT or PORT, such as mail.example.org:25, [::1]:993 or 587")
    if module is None:
        if int(port) not in USUAL:
            raise ValueError(f"port {port} could speak anything; name it with --module: {', '.join(MODULES)}")
        module = USUAL[int(port)]
        return Target(host.strip("[]") or "127.0.0.1", int(port), module)
    if module not in MODULES:
        raise ValueError(f"there is no module {module!r}; there are {', '.join(MODULES)}")
    return Target(host.strip("[]") or "127.0.0.1", int(port), module, require_tls=module.endswith("_starttls"))


def probe(wanted: Target, timeout: float) -> Result:
    """Probe it; takes no longer than ``timeout`` seconds and a little for a server that has begun to speak."""
    [result] = Prober(timeout).run([wanted])
    return result


def as_text(result: Result, *, verbose: bool = False) -> str:
    """Tell the story for a person; ``verbose`` with every line that was said."""
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
    return "\n".join([*lines, f"{result.target.label} {result.target.module}: {verdict}"])


def as_json(result: Result) -> str:
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
            "steps": [{"seconds": round(step.seconds, 6), "text": step.text} for step in result.story],
        }
    )
