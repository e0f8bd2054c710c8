"""Where the services of a mail stack have their certificates, by their own configuration."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterator

from mailserver_exporter.mailstack import Stack
from mailserver_exporter.sources import SourceError, files, postfix_conf

# postconf(5); smtpd_tls_chain_files holds keys, too.
_POSTFIX = ("smtpd_tls_chain_files", "smtpd_tls_cert_file", "smtpd_tls_eccert_file")
# doc.dovecot.org: ssl_cert until 2.3, ssl_server_cert_file from 2.4 on.
_DOVECOT = re.compile(r"^\s*(?:ssl_cert|ssl_server_cert_file)\s*=\s*<?\s*(/\S+)", re.MULTILINE)


def configured(stack: Stack, path: Callable[[str], str]) -> list[str]:
    """Return the paths of certificates as the host names them; ``path`` says where we see one of the host's files.

    Services whose configuration cannot be read add nothing.
    """
    if stack.kind == "mailcow":
        return [f"{stack.directory}/data/assets/ssl/cert.pem"]
    if stack.kind == "native":
        return sorted({*_of_postfix(path), *_of_dovecot(path)})
    return []


def _of_postfix(path: Callable[[str], str]) -> Iterator[str]:
    settings = postfix_conf.parse(_read(path("/etc/postfix/main.cf")))
    for name in _POSTFIX:
        yield from (file for file in re.split(r"[,\s]+", settings.get(name, "")) if file.startswith("/"))


def _of_dovecot(path: Callable[[str], str]) -> Iterator[str]:
    for file in (path("/etc/dovecot/dovecot.conf"), *sorted(glob.glob(path("/etc/dovecot/conf.d/*.conf")))):
        yield from _DOVECOT.findall(_read(file).decode(errors="replace"))


def _read(path: str) -> bytes:
    try:
        return files.read(path)
    except (OSError, SourceError):
        return b""  # mailstack.py tells of a main.cf that cannot be read
