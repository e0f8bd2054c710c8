"""As much DER as keys and certificates need (X.690): elements one after the other."""

from __future__ import annotations

from typing import NamedTuple

INTEGER, BIT_STRING, OBJECT_IDENTIFIER, SEQUENCE, SET, VERSION = 0x02, 0x03, 0x06, 0x30, 0x31, 0xA0


class Element(NamedTuple):
    """One element: its tag, its content, and itself whole."""

    tag: int
    content: bytes
    whole: bytes


def elements(data: bytes) -> list[Element]:
    """Return the elements of which ``data`` is made; raises ValueError when it is not made of elements."""
    found = []
    position = 0
    while position < len(data):
        start = position + 2
        if start > len(data):
            raise ValueError("an element is cut off")
        length = data[position + 1]
        if length >= 0x80:
            octets = length & 0x7F
            # DER has no indefinite length (0), and four octets are more than anything here needs.
            if not 1 <= octets <= 4 or start + octets > len(data):
                raise ValueError("an element's length cannot be read")
            length = int.from_bytes(data[start : start + octets], "big")
            start += octets
        end = start + length
        if end > len(data):
            raise ValueError("an element is longer than what holds it")
        found.append(Element(data[position], data[start:end], data[position:end]))
        position = end
    return found


def only(data: bytes, tag: int) -> bytes:
    """Return the content of the one element of which ``data`` is made; raises ValueError."""
    found = elements(data)
    if len(found) != 1 or found[0].tag != tag:
        raise ValueError("not the one element that was expected")
    return found[0].content


def bits_of_rsa_key(data: bytes) -> int:
    """Return the size of the modulus of a SubjectPublicKeyInfo (RFC 5280) or an RSAPublicKey (RFC 8017)."""
    parts = elements(only(data, SEQUENCE))
    if parts and parts[0].tag == SEQUENCE:
        if len(parts) != 2 or parts[1].tag != BIT_STRING:
            raise ValueError("not a public key")
        # The first octet of a bit string counts unused bits.
        parts = elements(only(parts[1].content[1:], SEQUENCE))
    if len(parts) != 2 or parts[0].tag != INTEGER:
        raise ValueError("not an RSA key")
    return int.from_bytes(parts[0].content, "big").bit_length()


class Certificate(NamedTuple):
    """What is asked of a certificate, RFC 5280 4.1: its key as a SubjectPublicKeyInfo, and who issued it."""

    key: bytes
    issuer_organizations: tuple[str, ...]


_ORGANIZATION = bytes.fromhex("55040a")


def certificate(data: bytes) -> Certificate:
    """Read a certificate; raises ValueError."""
    fields = elements(elements(only(data, SEQUENCE))[0].content)
    if fields and fields[0].tag == VERSION:
        fields = fields[1:]
    # serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo
    if len(fields) < 6 or fields[5].tag != SEQUENCE:
        raise ValueError("not a certificate")
    names = []
    for relative in elements(fields[2].content):
        for attribute in elements(relative.content):
            kind, value = elements(attribute.content)[:2]
            if kind.content == _ORGANIZATION:
                names.append(value.content.decode("utf-8", "replace"))
    return Certificate(fields[5].whole, tuple(names))
