"""A real SMTP server, as a provider's submission service: STARTTLS (or implicit TLS) and a password are demanded."""

from __future__ import annotations

import datetime
import email.policy
import ipaddress
import logging
import ssl
import time
import warnings
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.processes import free_port

# It warns of each session that it uses its own deprecated name.
logging.getLogger("mail.log").setLevel(logging.ERROR)

USERNAME = "watch@example.org"
PASSWORD = "abcd efgh ijkl mnop"


@dataclass(frozen=True)
class Mail:
    """A message that was accepted: when (time.monotonic), its envelope, how the client greeted, and the message."""

    time: float
    sender: str
    recipients: tuple[str, ...]
    helo: str
    message: EmailMessage

    @property
    def subject(self) -> str:
        """The decoded subject."""
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        """The plain text part."""
        return self._part("plain")

    @property
    def html(self) -> str:
        """The HTML part."""
        return self._part("html")

    def _part(self, kind: str) -> str:
        part = self.message.get_body((cast("Any", kind),))
        assert part is not None, f"the mail has no {kind} part"
        return str(part.get_content())


@dataclass
class SmtpServer:
    """The server at ``address``; ends with the ``with`` block. ``folder`` receives its certificate (``ca_file``)."""

    folder: Path
    username: str = USERNAME
    password: str = PASSWORD
    host: str = "127.0.0.1"
    port: int = field(default_factory=free_port)
    implicit_tls: bool = False
    mails: list[Mail] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Make the certificate."""
        self._answer = ""
        self._controller: Controller | None = None
        self.ca_file, key = write_certificate(self.folder, self.host)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(self.ca_file, key)

    @property
    def address(self) -> str:
        """What ``notifications.email.smarthost`` is to be set to."""
        return f"{self.host}:{self.port}"

    def refuse(self, answer: str = "451 4.3.0 Try again later") -> None:
        """Give this answer to every MAIL command until ``accept``; ``refused`` holds when."""
        self._answer = answer

    def accept(self) -> None:
        """Work again."""
        self._answer = ""

    def start(self) -> None:
        """Listen; nothing to do when it does already."""
        if self._controller is None:
            self._controller = _Controller(
                self,
                self.host,
                self.port,
                tls_context=None if self.implicit_tls else self._tls,
                ssl_context=self._tls if self.implicit_tls else None,
                require_starttls=not self.implicit_tls,
                auth_required=True,
                auth_require_tls=not self.implicit_tls,
                authenticator=self._authenticate,
            )
            self._controller.start()

    def stop(self) -> None:
        """Refuse connections, as a server that is down; ``start`` brings it back on the same port."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        expected = LoginPassword(self.username.encode(), self.password.encode())
        return AuthResult(success=data == expected, handled=False)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd looks the method up by this name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept the sender, or refuse as told."""
        if self._answer:
            self.refused.append(time.monotonic())
            return self._answer
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd looks the method up by this name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept the recipient, or refuse one of those that are ``unknown``."""
        if address in self.unknown:
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd looks the method up by this name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Record the message."""
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append(
            Mail(
                time.monotonic(),
                envelope.mail_from or "",
                tuple(envelope.rcpt_tos),
                session.host_name or "",
                cast("EmailMessage", message),
            )
        )
        return "250 OK"

    def __enter__(self) -> SmtpServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(SMTP):
    # As usual servers ask; Alertmanager does not understand aiosmtpd's own words.
    AuthLoginUsernameChallenge = "Username:"
    AuthLoginPasswordChallenge = "Password:"


class _Controller(Controller):
    def factory(self) -> SMTP:
        with warnings.catch_warnings():
            # The SMTP side does not see that TLS is there already when it is implicit.
            warnings.filterwarnings("ignore", "Requiring AUTH while not requiring TLS")
            return _Server(self.handler, **self.SMTP_kwargs)


def write_certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """Write a self-made certificate for an IP address or a name, and its key; return both paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    alternative: x509.GeneralName
    try:
        alternative = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        alternative = x509.DNSName(host)
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "smtp.pem", folder / "smtp.key"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file
