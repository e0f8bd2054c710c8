"""Fetch an MTA-STS policy: HTTPS with a valid certificate, no redirect, no proxy, bounded (RFC 8461 3.3)."""

from __future__ import annotations

import http.client
import ssl
import time

from mailserver_exporter.sources.posture import deadline
from mailserver_exporter.sources.posture.answers import Lookup
from mailserver_exporter.sources.posture.mta_sts import MAX_POLICY_BYTES, PolicyError

SECONDS = 10.0
_PATH = "/.well-known/mta-sts.txt"
_MAX_ADDRESSES = 4


def fetch_policy(host: str, lookup: Lookup, *, port: int = 443, seconds: float = SECONDS) -> bytes:
    """Return the policy. Raises PolicyError with what is wrong, and LookupFailed.

    The address comes from ``lookup``, not from this machine's own resolver, which may see another world.
    """
    addresses = [*lookup(host, "A").records, *lookup(host, "AAAA").records][:_MAX_ADDRESSES]
    if not addresses:
        raise PolicyError("the host has no address")
    problem = ""
    end = time.monotonic() + seconds
    for address in addresses:
        left = end - time.monotonic()
        if left <= 0:
            break
        try:
            return _fetch(host, address, port, left)
        except ssl.SSLCertVerificationError as error:
            raise PolicyError(f"its certificate is not valid: {error.verify_message}") from error
        except (OSError, http.client.HTTPException) as error:
            late = time.monotonic() >= end
            problem = f"{address} port {port}: {'no answer in time' if late else _reason(error)}"
    raise PolicyError(problem)


def _fetch(host: str, address: str, port: int, seconds: float) -> bytes:
    context = ssl.create_default_context()
    connection = http.client.HTTPConnection(host, port)
    with (
        deadline.connected(address, port, seconds) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        connection.sock = secure
        connection.request("GET", _PATH, headers={"User-Agent": "mailserver-exporter", "Connection": "close"})
        answer = connection.getresponse()
        if answer.status != http.HTTPStatus.OK:
            raise PolicyError(f"HTTP status {answer.status} instead of 200")
        kind = answer.headers.get_content_type()
        if kind != "text/plain":
            raise PolicyError(f"is {kind[:40]!r} instead of text/plain")
        data = answer.read(MAX_POLICY_BYTES + 1)
        if len(data) > MAX_POLICY_BYTES:
            raise PolicyError(f"is larger than {MAX_POLICY_BYTES} bytes")
        return data


def _reason(error: Exception) -> str:
    if isinstance(error, http.client.HTTPException):
        return f"not HTTP: {error}"
    return getattr(error, "strerror", None) or str(error)
