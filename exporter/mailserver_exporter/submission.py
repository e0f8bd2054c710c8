"""Hand one finished message to the SMTP server of ``notifications.email`` (submission, RFC 6409).

``submit`` never raises for what a server or the network does; it returns an Outcome, which tells each recipient's fate:

    outcome = submission.submit(config.notifications.email, message, recipients, seconds=120, tell=note)
    outcome.accepted                 the recipients whose message is the server's business from now on
    outcome.refused                  {recipient: Trouble}, what the server said against single ones
    outcome.error                    the Trouble that kept back all the others, or None
    outcome.trouble(recipient)       None when accepted, else what was in the way of this one
    outcome.reply                    what the server said to the message, with its own number for it

A Trouble has the ``stage``, what was ``said``, the ``remedy`` (what to do), and ``retry``: the same may succeed later
without anybody changing anything. ``unknown`` is the one case in which the message may have been accepted: the final
dot was on its way and no answer came. Whatever fails before that was not sent.

``tell`` is called with each of STAGES as it begins; with ``acceptance`` just before the final dot is sent. Who is
killed after that, does not know; who is killed before, has not sent.
"""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import smtplib
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mailserver_exporter import submission_advice
from mailserver_exporter.settings.notifications import Email
from mailserver_exporter.sources import SourceError, deadline, secret, smtp_client
from mailserver_exporter.sources.stages import StageError, Stages

STAGES = ("connect", "tls", "auth", "sender", "recipient", "data", "acceptance")
_OK = (250, 251)


@dataclass(frozen=True)
class Trouble:
    """Why a message was not accepted, or is not known to be; see the module. No secret is in it."""

    stage: str
    said: str
    remedy: str
    retry: bool
    unknown: bool = False


@dataclass(frozen=True)
class Outcome:
    """What has become of a message; recipients that are neither accepted nor refused have the fate of ``error``."""

    accepted: tuple[str, ...] = ()
    refused: Mapping[str, Trouble] = field(default_factory=dict)
    error: Trouble | None = None
    reply: str = ""

    def trouble(self, recipient: str) -> Trouble | None:
        """Return what was in the way of one recipient."""
        return None if recipient in self.accepted else self.refused.get(recipient, self.error)


def submit(
    settings: Email,
    message: bytes,
    recipients: Sequence[str],
    seconds: float = 120,
    tell: Callable[[str], object] = lambda _: None,
    *,
    hello: str = "",
    note: Callable[[Outcome], object] = lambda _: None,
) -> Outcome:
    """Send ``message`` (RFC 5322) to ``recipients`` within ``seconds``; ``hello`` is our own name, if we have one.

    ``note`` is called with the outcome once the server has accepted it, and before the farewell, which may take long.
    """
    try:
        password = secret.read(settings.password_file) if settings.password_file else ""
    except SourceError as error:
        return Outcome(error=Trouble("auth", str(error), error.remedy, retry=False))
    hidden = secret.travelling(settings.username or "", password) if password else ()
    stages = Stages(seconds, functools.partial(secret.hide, hidden=hidden), reserve_bytes=0)
    session = _Session(settings, stages, tell, hello, note)
    with contextlib.closing(session.client):
        try:
            session.open(password)
            return session.send(message, list(recipients))
        except SourceError as error:
            return Outcome(error=Trouble("tls", str(error), error.remedy, retry=False))
        except StageError as error:
            return Outcome(refused=session.refused, error=session.explain(error))


class _Session:
    def __init__(
        self,
        settings: Email,
        stages: Stages,
        tell: Callable[[str], object],
        hello: str,
        note: Callable[[Outcome], object],
    ) -> None:
        end = deadline.Deadline(stages.left(float("inf")))
        self.client = smtp_client.Client(end.left, _own_name(hello))
        self.refused: dict[str, Trouble] = {}
        self._settings = settings
        self._stages = stages
        self._tell = tell
        self._note = note

    @contextlib.contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        self._tell(name)
        with self._stages(name):
            yield

    def open(self, password: str) -> None:
        """Connect, encrypt and log in. Raises StageError."""
        settings = self._settings
        host, port = smtp_client.address(settings.smarthost)
        implicit = smtp_client.implicit_tls(port)
        context = _context(settings, host, implicit)
        with self._stage("connect"):
            self.client.open(host, port, context if implicit else None)
            self.client.ehlo_or_helo_if_needed()
        if not implicit and (settings.require_tls or self.client.has_extn("starttls")):
            with self._stage("tls"):
                self.client.encrypt(context)
        if settings.username:
            with self._stages("tls"):
                if not self.client.encrypted and not _loopback(host):
                    raise smtplib.SMTPNotSupportedError("without TLS the password would be sent in clear text")
            with self._stage("auth"):
                self.client.log_in(settings.username, password)

    def send(self, message: bytes, recipients: list[str]) -> Outcome:
        """Say from whom and to whom, and send the message. Raises StageError."""
        data = _on_the_wire(message)
        self.client.ehlo_or_helo_if_needed()
        with self._stage("sender"):
            self._mail(data, recipients)
        self._tell("recipient")
        accepted = [recipient for recipient in recipients if self._recipient(recipient)]
        if not accepted:
            return Outcome(refused=self.refused, error=self._common(recipients))
        with self._stage("data"):
            self._demand(*self.client.docmd("DATA"), 354)
            # Without the final dot nobody may accept it (RFC 5321 4.1.1.4).
            self.client.send(data)
        with self._stage("acceptance"):
            self.client.send(b".\r\n")
            code, said = self.client.getreply()
        with self._stages("data"):
            self._demand(code, said, *_OK)
        reply = self._stages.in_words(smtplib.SMTPResponseException(code, said))
        outcome = Outcome(tuple(accepted), self.refused, reply=reply)
        self._note(outcome)
        self.client.leave()
        return outcome

    def explain(self, error: StageError, recipient: str = "") -> Trouble:
        """Return what a stage's error means and what to do."""
        advice = submission_advice.explain(error.stage, error.__cause__, str(error), self._settings, recipient)
        unknown = error.stage == "acceptance"
        return Trouble(advice.stage, advice.said, advice.remedy, advice.retry, unknown)

    def _mail(self, data: bytes, recipients: list[str]) -> None:
        options = []
        header = data.partition(b"\r\n\r\n")[0]
        local_parts = [_bare(each).rpartition("@")[0] for each in (self._settings.sender, *recipients)]
        if not header.isascii() or not all(map(str.isascii, local_parts)):
            if not self.client.has_extn("smtputf8"):
                raise smtplib.SMTPNotSupportedError("the server takes no addresses or headers beyond ASCII (SMTPUTF8)")
            options.append("SMTPUTF8")
            self.client.command_encoding = "utf-8"
        if not data.isascii() and self.client.has_extn("8bitmime"):
            options.append("BODY=8BITMIME")
        if self.client.has_extn("size"):
            limit = self.client.esmtp_features["size"]
            if limit.isdecimal() and 0 < int(limit) < len(data):
                raise smtplib.SMTPSenderRefused(552, f"5.3.4 {len(data)} bytes, {limit} are allowed".encode(), "")
            options.append(f"SIZE={len(data)}")
        self._demand(
            *self.client.docmd("MAIL", " ".join([f"FROM:<{_envelope(self._settings.sender)}>", *options])), *_OK
        )

    def _recipient(self, recipient: str) -> bool:
        try:
            with self._stages("recipient"):
                self._demand(*self.client.docmd("RCPT", f"TO:<{_envelope(recipient)}>"), *_OK)
        except StageError as error:
            cause = error.__cause__
            if not isinstance(cause, smtplib.SMTPResponseException) or cause.smtp_code == 421:
                raise
            self.refused[recipient] = self.explain(error, recipient)
            return False
        return True

    def _common(self, recipients: list[str]) -> Trouble | None:
        """Return what is not about single recipients, though it was said of each: Postfix delays its other refusals."""
        troubles = [self.refused[recipient] for recipient in recipients]
        if troubles and all(trouble.stage != "recipient" for trouble in troubles):
            self.refused.clear()
            return troubles[0]
        return None

    @staticmethod
    def _demand(code: int, said: bytes, *wanted: int) -> None:
        if code not in wanted:
            raise smtplib.SMTPResponseException(code, said)


def _context(settings: Email, host: str, implicit: bool) -> ssl.SSLContext:
    """Return how TLS is done; raises SourceError where the authorities of ``ca_file`` cannot be read."""
    try:
        context = ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
    except OSError as error:
        reason = "holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        remedy = "see notifications.email.ca_file: it is to hold certificates in PEM"
        raise SourceError(f"{settings.ca_file}: {reason}", remedy=remedy) from error
    secret_in_it = settings.username is not None and not _loopback(host)
    if not (implicit or settings.require_tls or settings.ca_file or secret_in_it):
        # Who would do without TLS gains by one that nobody vouches for (RFC 7435).
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _envelope(address: str) -> str:
    """Return an address as it travels: without a display name, its domain as the DNS has it. Raises UnicodeError."""
    local, at, domain = _bare(address).rpartition("@")
    if not (local and domain and address.isprintable()) or any(c in "<>@ " for c in local + domain):
        raise smtplib.SMTPSenderRefused(501, f"5.1.3 {address!r} is no e-mail address".encode(), address)
    return f"{local}{at}{smtp_client.ascii_name(domain)}"


def _bare(address: str) -> str:
    _, bracket, rest = address.rpartition("<")
    return rest.strip().removesuffix(">") if bracket else address.strip()


def _own_name(hello: str) -> str:
    """Return a name of ours that a server can take, nothing where it is none: an IP address is better then."""
    try:
        name = smtp_client.ascii_name(hello)
    except UnicodeError:
        return ""
    return name if "." in name and all(c.isalnum() or c in ".-" for c in name) else ""


def _on_the_wire(message: bytes) -> bytes:
    """Return a message with CRLF, its dots doubled (RFC 5321 4.5.2), complete but for the final dot."""
    lines = message.replace(b"\r\n", b"\n").replace(b"\r", b"\n").removesuffix(b"\n").split(b"\n")
    return b"".join((b"." + line if line.startswith(b".") else line) + b"\r\n" for line in lines)
