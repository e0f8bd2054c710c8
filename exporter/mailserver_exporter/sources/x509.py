"""The end of a certificate's validity, by a walk through as much DER as lies before it (RFC 5280, X.690).

For one date the package cryptography would cost 16 MiB of resident memory.
"""

from __future__ import annotations

from datetime import datetime, timezone

from mailserver_exporter.sources import SourceError

_INTEGER, _UTC_TIME, _GENERALIZED_TIME, _SEQUENCE, _VERSION = 0x02, 0x17, 0x18, 0x30, 0xA0


def not_after(der: bytes) -> float:
    """Return a certificate's notAfter in Unix seconds; raises SourceError when ``der`` is not a certificate."""
    try:
        return _not_after(der)
    except (IndexError, ValueError) as error:
        raise SourceError(f"not a readable certificate: {error}") from error


def _not_after(der: bytes) -> float:
    # Certificate ::= SEQUENCE { tbsCertificate SEQUENCE { [0] version OPTIONAL, serialNumber INTEGER,
    #   signature SEQUENCE, issuer SEQUENCE, validity SEQUENCE { notBefore Time, notAfter Time }, ...
    start, end = _enter(der, 0, len(der), _SEQUENCE)
    position, end = _enter(der, start, end, _SEQUENCE)
    if der[position] == _VERSION:
        _, position = _enter(der, position, end, _VERSION)
    for tag in (_INTEGER, _SEQUENCE, _SEQUENCE):
        _, position = _enter(der, position, end, tag)
    position, end = _enter(der, position, end, _SEQUENCE)
    _, position = _enter(der, position, end, _UTC_TIME, _GENERALIZED_TIME)
    start, stop = _enter(der, position, end, _UTC_TIME, _GENERALIZED_TIME)
    return _time(der[start:stop].decode("ascii"), der[position])


def _enter(der: bytes, position: int, end: int, *tags: int) -> tuple[int, int]:
    """Return where the content of the element at ``position`` begins and ends."""
    if position + 2 > end or der[position] not in tags:
        raise ValueError(f"unexpected element at byte {position}")
    length = der[position + 1]
    start = position + 2
    if length >= 0x80:
        octets = length & 0x7F
        # DER has no indefinite length (0), and four octets are more than any certificate needs.
        if not 1 <= octets <= 4 or start + octets > end:
            raise ValueError(f"bad length at byte {position}")
        length = int.from_bytes(der[start : start + octets], "big")
        start += octets
    if start + length > end:
        raise ValueError(f"element at byte {position} is longer than what holds it")
    return start, start + length


def _time(text: str, tag: int) -> float:
    digits = text.removesuffix("Z")
    if tag == _UTC_TIME:
        # RFC 5280 4.1.2.5.1: two digits from 50 on are of the twentieth century.
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    if not (text.endswith("Z") and digits.isdigit() and len(digits) == 14):
        raise ValueError(f"not a time: {text[:20]!r}")
    year, fields = int(digits[:4]), [int(digits[i : i + 2]) for i in range(4, 14, 2)]
    return datetime(year, *fields, tzinfo=timezone.utc).timestamp()  # type: ignore[arg-type,misc]
