"""Commands that the admin can paste, as the mail stack needs them."""

from __future__ import annotations

# Its label mail_stack says what the commands are for.
STACK = "mailserver_mail_stack_info"

# What counts equal lines, the most frequent last.
RANKED = "sort | uniq -c | sort -n | tail"

_MAILCOW = "cd /opt/mailcow-dockerized && docker compose"
_CONTAINERS = {"postfix": "postfix-mailcow", "dovecot": "dovecot-mailcow", "acme": "acme-mailcow"}


def run(stack: str, service: str, command: str) -> str:
    """Return a command to run where the service is, without a pipe."""
    return f"{_MAILCOW} exec {_CONTAINERS[service]} {command}" if stack == "mailcow" else command


def log(stack: str, service: str, what: str) -> str:
    """Return a command that shows what ``what`` (of grep -E) finds in the last day's log of postfix or dovecot."""
    if stack == "mailcow":
        return f"{_MAILCOW} logs --since 24h {_CONTAINERS[service]} | grep -E '{what}'"
    if service == "postfix":
        return f"grep -hE '{what}' /var/log/mail.log.1 /var/log/mail.log"
    return f"journalctl -u {service} --since -24h | grep -E '{what}'"


def reload(stack: str) -> str:
    """Return a command after which all services show the certificate that is on disk."""
    if stack == "mailcow":
        return f"{_MAILCOW} restart postfix-mailcow dovecot-mailcow nginx-mailcow"
    return "systemctl reload postfix dovecot nginx"


def renew(stack: str) -> str:
    """Return a command that says why a certificate is not renewed."""
    if stack == "mailcow":
        return f"{_MAILCOW} restart acme-mailcow && docker compose logs --tail 100 acme-mailcow"
    return "certbot renew --dry-run"
