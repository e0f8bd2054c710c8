"""What it means for the admin that a server cannot be reached or is not trusted, and what to do about it."""

from __future__ import annotations

import errno
import socket
import ssl
from dataclasses import dataclass

# X509_V_ERR_*, openssl-verify(1).
_NOT_YET_VALID, _EXPIRED = 9, 10
_NO_AUTHORITY = (2, 18, 19, 20, 21)
_OTHER_NAME = (62, 64)
_PLAIN_TEXT = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_MESSAGE", "PACKET_LENGTH_TOO_LONG")
_OLD = ("UNSUPPORTED_PROTOCOL", "DH_KEY_TOO_SMALL", "NO_SHARED_CIPHER", "NO_PROTOCOLS_AVAILABLE", "EE_KEY_TOO_SMALL")
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)


@dataclass(frozen=True)
class Advice:
    """What happened, what to do, and whether it may go by itself; ``tls`` where encryption is what fails."""

    said: str
    remedy: str
    retry: bool = True
    tls: bool = False


def explain(error: OSError, host: str, port: int, ca_file: str = "") -> Advice | None:
    """Say what an error of the network means for a connection to ``host``, nothing where it is not one.

    ``ca_file`` is how the setting is called that names another authority, if there is one.
    """
    server = f"{host}:{port}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error, server, ca_file)
    if isinstance(error, ssl.SSLError):
        return _tls(error, server)
    if isinstance(error, socket.gaierror):
        return _name(error, host)
    if isinstance(error, ConnectionRefusedError):
        remedy = f"is it the right port? nc -vz {host} {port} must connect; a firewall may refuse it, too"
        return Advice(f"nothing listens on {server} (connection refused)", remedy)
    if isinstance(error, ConnectionError):
        return Advice(
            f"{server} has cut the connection", "is it the right port? something between may have cut it, too"
        )
    if isinstance(error, TimeoutError):
        return Advice(f"{server} does not answer in time", f"does nc -vz {host} {port} connect? {_blocked(port)}")
    if error.errno in _NO_ROUTE:
        return Advice(f"no way to {host}: {error.strerror}", "has this machine (or container) a way out? ip route")
    return None


def _blocked(port: int) -> str:
    if port == 25:
        return "providers of servers mostly block port 25 towards others: use 587 or 465"
    return "if not, a firewall on the way drops it"


def _certificate(error: ssl.SSLCertVerificationError, server: str, ca_file: str) -> Advice:
    what = f"the certificate of {server} is not accepted: {error.verify_message or error.reason}"
    code = error.verify_code
    if code in (_NOT_YET_VALID, _EXPIRED):
        return Advice(what, "is the clock right (date)? if so, whose server it is must renew it", tls=True)
    if code in _OTHER_NAME:
        return Advice(what, "name the server as its certificate does", retry=False, tls=True)
    if code in _NO_AUTHORITY:
        own = f"; for an authority of your own set {ca_file}" if ca_file else ""
        remedy = f"apt install ca-certificates{own}; else somebody between pretends to be the server"
        return Advice(what, remedy, retry=False, tls=True)
    return Advice(what, "whose server it is must replace it", retry=False, tls=True)


def _tls(error: ssl.SSLError, server: str) -> Advice:
    reason = error.reason or str(error)
    if reason in _PLAIN_TEXT:
        return Advice(
            f"{server} speaks plain text where TLS is expected", "is it the right port?", retry=False, tls=True
        )
    if reason in _OLD or "VERSION" in reason:
        said = f"{server} knows only TLS that is too old to be safe ({reason})"
        return Advice(said, "whose server it is must update it", retry=False, tls=True)
    return Advice(f"{server} broke off the TLS handshake ({reason})", "is it the right port?", tls=True)


def _name(error: socket.gaierror, host: str) -> Advice:
    if error.errno == socket.EAI_AGAIN:
        return Advice(f"the DNS does not answer, so {host} has no address", f"does getent hosts {host} answer here?")
    return Advice(f"there is no host {host}", f"is the name right? getent hosts {host} must show an address")
