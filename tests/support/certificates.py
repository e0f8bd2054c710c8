"""Make certificates, each with one fault: a file holds the private key and the chain to present, leaf first."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

NAMES = ("localhost", "127.0.0.1", "::1")

# The chains that servers are seen with; write() makes them.
FAULTS = (
    "good",
    "expired",
    "not yet valid",
    "other name",
    "self-signed",
    "missing intermediate",
    "expired intermediate",
)


@dataclass(frozen=True)
class Issuer:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Key


def issue(
    common_name: str = "localhost",
    *,
    names: Sequence[str] = NAMES,
    days: float = 90,
    age_days: float = 1,
    issuer: Issuer | None = None,
    authority: bool = False,
    key: Key | None = None,
    extensions: Sequence[x509.ExtensionType] = (),
) -> Issuer:
    """Issue a certificate that began ``age_days`` ago and ends ``days`` from now; self-signed without an issuer."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=age_days))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), False)
    for extension in extensions:
        builder = builder.add_extension(extension, False)
    return Issuer(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


@lru_cache
def root() -> Issuer:
    """The authority that all chains go back to; it ends in ten years."""
    return issue("Test Root", days=3650, age_days=400, authority=True)


@lru_cache
def intermediate() -> Issuer:
    """What the root signed and what signs the leaves; it ends in five years."""
    return issue("Test Intermediate", days=1825, age_days=400, issuer=root(), authority=True)


def write(path: Path, fault: str = "good", *, days: float = 90, key: Key | None = None) -> Path:
    """Write key and chain with one of the FAULTS to ``path``; ``days`` is what is left where the fault says nothing."""
    middle = intermediate()
    if fault == "expired":
        leaf = issue(days=-2, age_days=92, issuer=middle, key=key)
    elif fault == "not yet valid":
        leaf = issue(days=days, age_days=-5, issuer=middle, key=key)
    elif fault == "other name":
        leaf = issue("other.example", names=["other.example"], days=days, issuer=middle, key=key)
    elif fault == "self-signed":
        leaf = issue(days=days, key=key)
    elif fault == "expired intermediate":
        middle = issue("Old Intermediate", days=-10, age_days=400, issuer=root(), authority=True)
        leaf = issue(days=days, issuer=middle, key=key)
    else:
        leaf = issue(days=days, issuer=middle, key=key)
    alone = fault in ("self-signed", "missing intermediate")
    write_pem(path, leaf.key, [leaf.certificate] if alone else [leaf.certificate, middle.certificate])
    return path


def write_chain(path: Path, *, days: float = 90) -> Path:
    """Write key and a good chain that ends in ``days`` days to ``path``."""
    return write(path, days=days)


def write_authority(path: Path) -> Path:
    """Write the root's certificate, for clients that verify."""
    path.write_bytes(root().certificate.public_bytes(serialization.Encoding.PEM))
    return path


def write_pem(path: Path, key: Key, certificates: Sequence[x509.Certificate]) -> None:
    """Write a key and certificates to one file that only its owner can read, replaced as a whole."""
    data = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    data += b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)
    temporary = path.with_suffix(".new")
    temporary.touch(mode=0o600)
    temporary.write_bytes(data)
    temporary.replace(path)


def earliest_expiry(path: Path) -> float:
    """Return the earliest notAfter of the certificates in a file, in Unix seconds, as cryptography reads them."""
    certificates = x509.load_pem_x509_certificates(path.read_bytes())
    return min(certificate.not_valid_after_utc.timestamp() for certificate in certificates)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
