"""What a certificate says of itself (RFC 5280), by the package cryptography: for errands only, it costs 16 MiB."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from mailserver_exporter.sources import SourceError

_MAX_FILE_BYTES = 1_000_000
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_KEY_TYPES = {
    rsa.RSAPublicKey: "rsa",
    ec.EllipticCurvePublicKey: "ecdsa",
    ed25519.Ed25519PublicKey: "ed25519",
    ed448.Ed448PublicKey: "ed448",
    dsa.DSAPublicKey: "dsa",
}
_FIXED_BITS = {"ed25519": 256, "ed448": 456}


@dataclass(frozen=True)
class Certificate:
    """Begin and end in Unix seconds; ``key_type`` is rsa, ecdsa, ed25519, ed448, dsa or other, ``key_bits`` then 0.

    ``subject`` and ``issuer`` are as in RFC 4514.
    """

    subject: str
    issuer: str
    not_before: float
    not_after: float
    key_type: str
    key_bits: int
    signature: str
    self_signed: bool
    names: tuple[str, ...]


def describe(der: bytes) -> Certificate:
    """Return what the certificate says; raises SourceError when it is none that can be read."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        key_type, key_bits = _key(certificate)
        return Certificate(
            certificate.subject.rfc4514_string(),
            certificate.issuer.rfc4514_string(),
            certificate.not_valid_before_utc.timestamp(),
            certificate.not_valid_after_utc.timestamp(),
            key_type,
            key_bits,
            certificate.signature_algorithm_oid._name,
            certificate.issuer == certificate.subject,
            _names(certificate),
        )
    except (ValueError, x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType) as error:
        raise SourceError(f"not a readable certificate: {error}") from error


def is_for(certificate: Certificate, name: str) -> bool:
    """Say whether a client that wants ``name`` takes the certificate (RFC 9525 6.3: ``*`` is the whole first label)."""
    name = name.rstrip(".").lower()
    parent = name.partition(".")[2]
    wanted = {name, f"*.{parent}"} if "." in parent else {name}
    return any(presented.rstrip(".").lower() in wanted for presented in certificate.names)


def is_renewal(certificate: Certificate, other: Certificate) -> bool:
    """Say whether one of the two takes the place of the other: they share a name."""
    return bool({name.lower() for name in certificate.names} & {name.lower() for name in other.names})


def in_file(path: str) -> list[bytes]:
    """Return the certificates of a PEM file as DER: the server's own, of its issuers, and perhaps for a second key.

    Raises SourceError, or OSError.
    """
    with Path(path).open("rb") as file:
        found = _PEM.findall(file.read(_MAX_FILE_BYTES))
    if not found:
        raise SourceError(f"{path}: no certificate in it")
    try:
        return [ssl.PEM_cert_to_DER_cert(pem.decode("ascii")) for pem in found]
    except ValueError as error:
        raise SourceError(f"{path}: {error}") from error


def _key(certificate: x509.Certificate) -> tuple[str, int]:
    try:
        key = certificate.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return "other", 0
    kind = next((name for known, name in _KEY_TYPES.items() if isinstance(key, known)), "other")
    return kind, _FIXED_BITS.get(kind) or int(getattr(key, "key_size", 0))


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the DNS names and addresses; the common name counts for nobody any more (RFC 9525 2)."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    addresses = map(str, extension.value.get_values_for_type(x509.IPAddress))
    return (*extension.value.get_values_for_type(x509.DNSName), *addresses)
