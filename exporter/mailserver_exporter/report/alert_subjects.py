"""Which section of the report an alert belongs to: by its own name, or by the collector that its rule names."""

from __future__ import annotations

from collections.abc import Mapping

_BY_NAME: Mapping[str, str] = {
    "CertificateExpired": "certificates",
    "CertificateExpiring": "certificates",
    "DovecotErrors": "errors",
    "LogSourceSilent": "errors",
    "LogSourceUnreadable": "errors",
    "MailBounceRatioHigh": "mail",
    "MailDeferralRatioHigh": "mail",
    "MailRefusedByOthers": "mail",
    # A container tells of what else it does; whether what it serves is there is the services' subject.
    "ServiceDown": "services",
}
_BY_COLLECTOR: Mapping[str, str] = {
    "": "errors",
    "backups": "backups",
    "blocklists": "dns",
    "certificates": "certificates",
    "containers": "containers",
    "cpu": "host",
    "dns": "dns",
    "fail2ban": "security",
    "filesystem": "filesystems",
    "load": "host",
    # What the logs tell is mostly of logins; the others are named above.
    "logs": "security",
    "memory": "host",
    "network": "host",
    "ports": "services",
    "processes": "host",
    "queue": "queue",
    "queue_messages": "queue",
    "report": "errors",
    "roundtrip": "roundtrips",
    "roundtrip_outside": "roundtrips",
    "system": "host",
    "systemd": "services",
    "temperature": "host",
    "textfile": "errors",
    "time": "host",
    "updates": "updates",
    "vmail": "filesystems",
}


def subject(labels: Mapping[str, str]) -> str | None:
    """Return the name of the section's module, None for an alert that is not one of ours."""
    return _BY_NAME.get(labels.get("alertname", "")) or _BY_COLLECTOR.get(labels.get("collector", ""))
