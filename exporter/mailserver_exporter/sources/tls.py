"""TLS as a probe needs it: look at what the server presents, trust nothing, refuse nothing.

The certificate must be readable when it is expired, self-signed or for another name, for that is when its date matters.
"""

from __future__ import annotations

import os
import ssl
import warnings
from typing import Any

from mailserver_exporter.sources import SourceError, x509

# X509_V_FLAG_NO_CHECK_TIME, X509_VERIFY_PARAM_set_flags(3); Python has no name for it.
_NO_CHECK_TIME = 0x200000

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
    ago is up, too, and its certificate has a date. Anonymous ciphers it does not take: Postfix offers them when it
    cannot read its certificate, and no mail program would accept that. Sessions are not resumed, for a resumed one
    shows no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:!aNULL:@SECLEVEL=0")
    context.options |= getattr(ssl, "OP_LEGACY_SERVER_CONNECT", 0x4)
    return context


def verifying_context(ca_file: str | None) -> ssl.SSLContext:
    """Return the same, but for a chain that must lead to an authority of ``ca_file``, or of the system.

    Dates, names and weak keys are left aside: each of them is told for itself. Raises SourceError.
    """
    context = client_context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= _NO_CHECK_TIME
    if ca_file is None:
        paths = ssl.get_default_verify_paths()
        if paths.cafile is None and not (paths.capath and os.listdir(paths.capath)):
            raise SourceError("this system knows no certificate authority", remedy="apt install ca-certificates")
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(ca_file)
    except OSError as error:
        reason = error.strerror or "no certificate in it"
        raise SourceError(f"{ca_file}: {reason}", remedy="see certificates.ca_file in the configuration") from error
    return context


def legacy_context() -> ssl.SSLContext:
    """Return the same, for a client that knows nothing newer than TLS 1.1."""
    context = client_context()
    with warnings.catch_warnings():
        # Python says that it is deprecated, which is the point.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.maximum_version = ssl.TLSVersion.TLSv1_1
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
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    reason = error.reason or "unknown error"
    return _IN_WORDS.get(reason, reason.lower().replace("_", " "))
