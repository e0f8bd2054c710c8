"""The web configuration file of ``--web.config.file``: TLS and users, in the format that all exporters share.

The format is that of Prometheus' exporter-toolkit (its docs/web-configuration.md); of it are read ``cert_file``,
``key_file``, ``client_ca_file``, ``client_auth_type`` and ``min_version`` of ``tls_server_config``, and
``basic_auth_users`` with bcrypt hashes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import os
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from mailserver_exporter.schema import Text, read_file

log = logging.getLogger(__name__)

BcryptHash = Annotated[str, Text(r"\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}", "a bcrypt hash (htpasswd -nBC 10 '')")]
RelativePath = Annotated[str, Text(r"[^\0]+", "a path")]


@dataclass(frozen=True, kw_only=True)
class TlsSettings:
    """``tls_server_config``; relative paths are relative to the file they stand in."""

    cert_file: RelativePath
    key_file: RelativePath
    client_ca_file: RelativePath | None = None
    client_auth_type: Literal["NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"] = "NoClientCert"
    min_version: Literal["TLS12", "TLS13"] = "TLS12"

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield (key, message) for settings that do not go together."""
        if self.client_auth_type != "NoClientCert" and self.client_ca_file is None:
            yield "client_ca_file", "is needed to verify clients"


@dataclass(frozen=True, kw_only=True)
class WebSettings:
    """The whole file."""

    tls_server_config: TlsSettings | None = None
    basic_auth_users: Mapping[str, BcryptHash] = field(default_factory=dict)


class WebConfig:
    """Who may connect, and how."""

    def __init__(self, settings: WebSettings, directory: Path) -> None:
        self._settings = settings
        self._directory = directory
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        self._stamp: tuple[int, ...] = ()
        # Checking a hash is slow on purpose; what was once right is remembered under a key that dies with the process.
        self._cache_key = os.urandom(32)
        self._admitted: set[bytes] = set()

    def tls_context(self) -> ssl.SSLContext | None:
        """Return the TLS settings, read anew when a file was renewed; None where TLS is not configured.

        Raises OSError (ssl.SSLError is one) when a file cannot be used at the start. Later, as when the certificate is
        new and the key is not yet, the former settings stay until a file changes again.
        """
        tls = self._settings.tls_server_config
        if tls is None:
            return None
        files = [self._directory / name for name in (tls.cert_file, tls.key_file, tls.client_ca_file) if name]
        stamp = tuple(map(_stamp, files))
        with self._lock:
            if self._context is None or stamp != self._stamp:
                try:
                    self._context = _context(tls, files)
                except OSError as error:
                    if self._context is None:
                        raise
                    log.warning("TLS files cannot be used, the former ones stay in use: %s", error)
                self._stamp = stamp
            return self._context

    def admits(self, authorization: str | None) -> bool:
        """Say whether a request with this Authorization header may pass."""
        users = self._settings.basic_auth_users
        if not users:
            return True
        scheme, _, encoded = (authorization or "").partition(" ")
        if scheme.lower() != "basic" or len(encoded) > 1000:
            return False
        try:
            user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            return False
        if not colon or len(password.encode()) > 72:  # bcrypt's own limit
            return False
        digest = hmac.new(self._cache_key, encoded.encode(), hashlib.sha256).digest()
        if digest in self._admitted:
            return True
        import bcrypt

        # An unknown user costs the same time as a known one, so that names cannot be found out by it.
        expected = users.get(user) or next(iter(users.values()))
        right = bcrypt.checkpw(password.encode(), expected.encode()) and user in users
        if right and len(self._admitted) < 100:
            self._admitted.add(digest)
        return right


def _stamp(file: Path) -> int:
    """Return a number that changes when a file is written, replaced, or given other permissions."""
    try:
        return file.stat().st_ctime_ns
    except OSError:
        return 0


def _context(tls: TlsSettings, files: Sequence[Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls13 = tls.min_version == "TLS13"
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if tls13 else ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files[0], files[1])
    if tls.client_ca_file and tls.client_auth_type != "NoClientCert":
        context.load_verify_locations(files[2])
        required = tls.client_auth_type == "RequireAndVerifyClientCert"
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context


def load(path: Path | None) -> WebConfig:
    """Read the file; raises ConfigError, and OSError when a certificate cannot be used. Without a file all may pass."""
    if path is None:
        return WebConfig(WebSettings(), Path())
    config = WebConfig(read_file(path, WebSettings()), path.parent)
    config.tls_context()
    return config
