"""Fetch an MTA-STS policy: HTTPS with a valid certificate, no redirect, no proxy, bounded (RFC 8461 3.3)."""

from __future__ import annotations

import http.client
import socket
import ssl
import time

from mailserver_exporter.sources.posture.answers import Lookup
from mailserver_exporter.sources.posture.mta_sts import MAX_POLICY_BYTES, PolicyError

_PATH = "/.well-known/mta-sts.txt"


def fetch_policy(host: str, lookup: Lookup, *, port: int = 443, seconds: float = 10.0) -> bytes:
    """Return the policy. Raises PolicyError with what is wrong, and LookupFailed.

    The address comes from ``lookup``, not from this machine's own resolver, which may see another world.
    """
    addresses = [*lookup(host, "A").records, *lookup(host, "AAAA").records]
    if not addresses:
        raise PolicyError("the host has no address")
    problem = ""
    end = time.monotonic() + seconds
    for address in addresses[:4]:
        try:
            return _fetch(host, address, port, end)
        except ssl.SSLCertVerificationError as error:
            raise PolicyError(f"its certificate is not valid: {error.verify_message}") from error
        except (OSError, http.client.HTTPException) as error:
            problem = f"{address} port {port}: {_reason(error)}"
    raise PolicyError(problem)


def _fetch(host: str, address: str, port: int, end: float) -> bytes:
    context = ssl.create_default_context()
    connection = http.client.HTTPConnection(host, port)
    with socket.create_connection((address, port), timeout=_left(end)) as plain:
        plain.settimeout(_left(end))
        with context.wrap_socket(plain, server_hostname=host) as secure:
            connection.sock = secure
            secure.settimeout(_left(end))
            connection.request("GET", _PATH, headers={"User-Agent": "mailserver-exporter", "Connection": "close"})
            answer = connection.getresponse()
            if answer.status != http.HTTPStatus.OK:
                raise PolicyError(f"HTTP status {answer.status} instead of 200")
            kind = answer.headers.get_content_type()
            if kind != "text/plain":
                raise PolicyError(f"is {kind[:40]!r} instead of text/plain")
            data = bytearray()
            while chunk := answer.read1(8192):
                data += chunk
                if len(data) > MAX_POLICY_BYTES:
                    raise PolicyError(f"is larger than {MAX_POLICY_BYTES} bytes")
                secure.settimeout(_left(end))
            return bytes(data)


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"not HTTP: {error}" if isinstance(error, http.client.HTTPException) else str(error)
