"""TLS as a probe needs it: look at what the server presents, trust nothing, refuse nothing.

The certificate must be readable when it is expired, self-signed or for another name, for that is when its date matters.
"""

from __future__ import annotations

import ssl
from typing import Any

from mailserver_exporter.sources import SourceError, x509

# What the admin can make of OpenSSL's reasons; others are shown as they are.
_IN_WORDS = {
    "WRONG_VERSION_NUMBER": "the server speaks plain text where TLS is expected",
    "HTTP_REQUEST": "the server speaks plain text where TLS is expected",
    "UNEXPECTED_EOF_WHILE_READING": "the server closed the connection during the handshake",
    "NO_SHARED_CIPHER": "no cipher in common",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the server found no common ground (handshake_failure)",
}


def client_context() -> ssl.SSLContext:
    """Return a context for looking at servers. Making one is expensive, so all probes share it.

    It verifies nothing and takes the oldest protocol and the weakest key that the library can do: a server of ten years
    ago is up, too, and its certificate has a date. Sessions are not resumed, for a resumed one shows no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.options |= getattr(ssl, "OP_LEGACY_SERVER_CONNECT", 0x4)
    return context


def presented_certificates(tls: ssl.SSLObject) -> list[bytes]:
    """Return the certificates that the server presented, DER encoded, its own first.

    Python has this since 3.13; 3.10 to 3.12 have it one layer down. Without either it is the server's own alone.
    """
    if hasattr(tls, "get_unverified_chain"):
        return list(tls.get_unverified_chain())
    inner: Any = getattr(tls, "_sslobj", None)
    if hasattr(inner, "get_unverified_chain"):
        import _ssl

        return [certificate.public_bytes(_ssl.ENCODING_DER) for certificate in inner.get_unverified_chain() or ()]
    own = tls.getpeercert(binary_form=True)
    return [own] if own else []


def earliest_expiry(certificates: list[bytes]) -> float:
    """Return the earliest notAfter of all, in Unix seconds, as blackbox_exporter's probe_ssl_earliest_cert_expiry.

    Raises SourceError when one cannot be read or there is none.
    """
    if not certificates:
        raise SourceError("the server presented no certificate")
    return min(map(x509.not_after, certificates))


def in_words(error: ssl.SSLError) -> str:
    """Say what went wrong in a handshake."""
    reason = error.reason or "unknown error"
    return _IN_WORDS.get(reason, reason.lower().replace("_", " "))
