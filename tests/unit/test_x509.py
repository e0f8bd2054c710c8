"""The end of a certificate's validity, with the package cryptography as the second opinion."""

from __future__ import annotations

import datetime
import random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from mailserver_exporter.sources import SourceError
from mailserver_exporter.sources import x509 as ours

EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(65537, 2048)


Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def make(not_after: datetime.datetime, key: Key = EC, name: str = "x") -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(1950, 1, 1))  # noqa: DTZ001 - cryptography takes it as UTC
        .not_valid_after(not_after)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(f"{n}.{name}.example") for n in range(3)]), False)
        .sign(key, None if key is ED else hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.DER)


def theirs(der: bytes) -> float:
    return x509.load_der_x509_certificate(der).not_valid_after_utc.timestamp()


# From 2050 on the date is a GeneralizedTime (RFC 5280 4.1.2.5); 9999 means "never ends".
@pytest.mark.parametrize(
    "moment",
    [
        *("1950-01-01 00:00:01", "1999-12-31 23:59:59", "2000-02-29 12:00:00", "2026-11-22 00:00:00"),
        *("2049-12-31 23:59:59", "2050-01-01 00:00:00", "2100-03-01 00:00:00", "9999-12-31 23:59:59"),
    ],
)
@pytest.mark.parametrize("key", [EC, ED, RSA], ids=["ec", "ed25519", "rsa"])
def test_agrees_with_cryptography_on_every_kind_of_date(moment: str, key: Key) -> None:
    der = make(datetime.datetime.fromisoformat(moment), key)

    assert ours.not_after(der) == theirs(der)


def test_agrees_with_cryptography_on_many_certificates() -> None:
    chance = random.Random(2)
    for _ in range(200):
        moment = datetime.datetime(1951, 1, 1) + datetime.timedelta(seconds=chance.randrange(200 * 365 * 86400))  # noqa: DTZ001
        der = make(moment, EC, "n" * chance.randrange(1, 60))
        assert ours.not_after(der) == theirs(der)


def test_every_truncated_certificate_is_refused_up_to_the_date() -> None:
    der = make(datetime.datetime(2030, 1, 1))  # noqa: DTZ001
    for length in range(len(der)):
        with pytest.raises(SourceError, match="not a readable certificate"):
            ours.not_after(der[:length])


def test_hostile_bytes_give_a_number_or_a_source_error() -> None:
    chance = random.Random(1)
    good = make(datetime.datetime(2030, 1, 1))  # noqa: DTZ001
    refused = 0
    for _ in range(20_000):
        der = bytearray(good)
        for _ in range(chance.randrange(1, 4)):
            der[chance.randrange(200)] = chance.randrange(256)
        try:
            assert isinstance(ours.not_after(bytes(der)), float)
        except SourceError:
            refused += 1
    assert refused > 1000


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\x30", b"\x30\x80", b"\x30\x85\x00\x00\x00\x00\x01", b"\x30\x84\xff\xff\xff\xff"),
        *(b"\x30\x03\x30\x01\x02", b"<html>", bytes(100), b"\xff" * 100),
    ],
)
def test_what_is_no_certificate_is_refused(data: bytes) -> None:
    with pytest.raises(SourceError, match="not a readable certificate"):
        ours.not_after(data)


@pytest.mark.parametrize(
    "date", [b"300229000000Z", b"30010100000Z0", b"3001010000+01", b"300101000000+", b"\xb3001010000Z0"]
)
def test_a_date_that_does_not_exist_is_refused(date: bytes) -> None:
    der = make(datetime.datetime(2030, 1, 1))  # noqa: DTZ001

    with pytest.raises(SourceError):
        ours.not_after(der.replace(b"300101000000Z", date))
