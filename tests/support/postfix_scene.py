"""A real Postfix that meets everything its log is read for: deliveries of all kinds, refusals, attacks, forgeries."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.certificates import write_chain
from tests.support.postfix import Postfix
from tests.support.processes import free_port, wait_for

FORGED = (
    "to=<x@y.example>, relay=forged.example[192.0.2.1]:25, delay=1, delays=1/1/1/1, dsn=2.0.0, status=sent (250 ok)"
)
# What the remote server says to a recipient by the part before the @.
REPLIES = {
    "unknown": "550 5.1.1 no such user",
    "blocked": "554 5.7.1 Service unavailable; Client host blocked using a list",
    "spf": "550 5.7.26 SPF and DKIM did not pass",
    "greylisted": "451 4.7.1 Greylisted, come back later",
    "full": "452 4.2.2 mailbox full",
    "strange": "451 4.999.99 strange number",
    "forger": f"451 4.3.0 later), dsn=2.0.0, status=sent (250 ok) Nov 22 03:00:00 mail postfix/smtp[1]: ABCD: {FORGED}",
}


class _Remote:
    """The server that all mail for elsewhere goes to."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd looks the method up by this name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        reply = REPLIES.get(address.strip('"').partition("@")[0], "250 OK")
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802
        return "250 2.0.0 taken"


class _SmtpController(Controller):
    def factory(self) -> SMTP:
        return SMTP(self.handler, **self.SMTP_kwargs)


class _LmtpController(Controller):
    def factory(self) -> SMTP:
        return LMTP(self.handler, **self.SMTP_kwargs)


class _NobodyMayIn(socketserver.StreamRequestHandler):
    """Dovecot's side of the protocol that smtpd asks it for logins with: each is refused."""

    def handle(self) -> None:
        mechanisms = b"MECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\n"
        self.wfile.write(b"VERSION\t1\t1\n" + mechanisms + b"SPID\t1\nCUID\t1\nCOOKIE\tx\nDONE\n")
        for line in self.rfile:
            words = line.rstrip(b"\n").split(b"\t")
            if words[0] in (b"AUTH", b"CONT"):
                last = words[0] == b"CONT" or b"PLAIN" in words
                self.wfile.write(b"FAIL\t%s\n" % words[1] if last else b"CONT\t%s\tVXNlcm5hbWU6\n" % words[1])


class PostfixScene:
    """The stage: ``play`` makes everything happen once and returns the log."""

    def __init__(self, folder: Path, release: str = "") -> None:
        self._folder = folder
        self._certificate = folder / "certificate.pem"
        write_chain(self._certificate)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(self._certificate)
        self._ports = {name: free_port() for name in ("smtp", "lmtp", "auth", "submission", "postscreen", "denied")}
        self._release = release

    def play(self) -> bytes:
        """Return the log of a Postfix that has lived through everything."""
        with contextlib.ExitStack() as stack:
            for controller, port in ((_SmtpController, "smtp"), (_LmtpController, "lmtp")):
                running = controller(_Remote(), "127.0.0.1", self._ports[port], tls_context=self._tls)
                running.start()
                stack.callback(running.stop)
            stack.enter_context(self._authentication())
            postfix = stack.enter_context(
                Postfix(
                    certificate=self._certificate,
                    settings=self._settings(),
                    services=self._services(),
                    release=self._release,
                )
            )
            (postfix.folder / "headers").write_text("/^Subject: forbidden/ REJECT not here\n")
            mail = postfix.folder / "mail"
            mail.mkdir()
            mail.chmod(0o777)
            self._send(postfix)
            self._attack(postfix)
            wait_for("everything is over and written down", lambda: self._is_over(postfix), 60)
            return postfix.log.read_bytes()

    @staticmethod
    def _is_over(postfix: Postfix) -> bool:
        if any(postfix.count(queue) for queue in ("maildrop", "incoming", "active")):
            return False
        seen = postfix.log.read_bytes().count
        # Postfix does before it says.
        finished = seen(b": removed\n") + seen(b"status=deferred (")
        if finished != seen(b"(queue active)\n") or seen(b": connect from ") != seen(b": disconnect from "):
            return False
        return seen(b": PASS NEW ") == 2 and seen(b": PREGREET ") == 1

    def _settings(self) -> Mapping[str, str]:
        transports = {
            "elsewhere.example": f"smtp:[127.0.0.1]:{self._ports['smtp']}",
            "store.example": f"lmtp:inet:127.0.0.1:{self._ports['lmtp']}",
            "pipe.example": "filter:",
            "virtual.example": "virtual:",
        }
        return {
            "transport_maps": "inline:{" + ", ".join(f"{{{k}={v}}}" for k, v in transports.items()) + "}",
            "virtual_mailbox_domains": "virtual.example",
            "virtual_mailbox_maps": "static:box/",
            "virtual_mailbox_base": "$maillog_file_prefixes/mail",
            "virtual_uid_maps": "static:65534",
            "virtual_gid_maps": "static:65534",
            "virtual_alias_maps": "inline:{{alias@virtual.example=user@store.example}}",
            "header_checks": "regexp:$maillog_file_prefixes/headers",
            "smtp_tls_security_level": "may",
            "smtp_tls_loglevel": "1",
            "smtpd_tls_loglevel": "1",
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": f"inet:127.0.0.1:{self._ports['auth']}",
            "smtpd_recipient_restrictions": "check_recipient_access inline:{{nobody@elsewhere.example=REJECT go away}},"
            " permit_mynetworks, reject",
            "postscreen_greet_wait": "1s",
            "postscreen_cache_map": "",
        }

    def _services(self) -> str:
        port = self._ports
        return (
            f"127.0.0.1:{port['submission']} inet n - n - - smtpd -o syslog_name=postfix/submission"
            " -o smtpd_sasl_auth_enable=yes\n"
            f"127.0.0.1:{port['postscreen']} inet n - n - 1 postscreen -o postscreen_access_list=\n"
            f"127.0.0.1:{port['denied']} inet n - n - 1 postscreen -o postscreen_access_list=static:reject\n"
            "smtpd pass - - n - - smtpd\n"
            "lmtp unix - - n - - lmtp\n"
            "virtual unix - n n - - virtual\n"
            "filter unix - n n - - pipe user=nobody argv=/usr/sbin/postconf -d mail_version\n"
        )

    @contextlib.contextmanager
    def _authentication(self) -> Iterator[None]:
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        with socketserver.ThreadingTCPServer(("127.0.0.1", self._ports["auth"]), _NobodyMayIn) as server:
            server.daemon_threads = True
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            try:
                yield
            finally:
                server.shutdown()
                thread.join()

    @staticmethod
    def _client(port: int) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", port, local_hostname="client.example", timeout=30)

    def _send(self, postfix: Postfix) -> None:
        recipients = [
            "user@elsewhere.example",
            "user@store.example",
            "user@pipe.example",
            "user@virtual.example",
            "alias@virtual.example",
            "user@dead.example",
            f'"x>, {FORGED.replace("<", "(").replace(">", ")")} "@dead.example',
            *(f"{name}@elsewhere.example" for name in REPLIES),
        ]
        for number, recipient in enumerate(recipients):
            with self._client(postfix.submission_port) as client:
                client.starttls(context=ssl._create_unverified_context())
                client.ehlo()
                client.mail("sender@store.example")
                client.rcpt(recipient)
                client.data(f"Message-ID: <{number}@client.example>\r\nSubject: {FORGED}\r\n\r\nhello\r\n".encode())

    def _attack(self, postfix: Postfix) -> None:
        with self._client(postfix.smtp_port) as client:
            client.ehlo("helo-with-a-line.example")
            client.mail("sender@store.example")
            client.rcpt("nobody@elsewhere.example")
            client.rcpt(f'"nobody>: 554 {FORGED}"@elsewhere.example'.replace("<", "(").replace(">", ")"))
            client.data(b"Message-ID: <forbidden@client.example>\r\nSubject: forbidden\r\n\r\nhello\r\n")
        for command in (
            b"MAIL FROM:<a@b.example>\r\n",
            b"MAIL FROM:<a@b.example>\r\nRCPT TO:<user@dead.example>\r\nDATA\r\n",
        ):
            self._talk(postfix.smtp_port, b"EHLO client.example\r\n" + command)
        for _ in range(3):
            with self._client(self._ports["submission"]) as client, contextlib.suppress(smtplib.SMTPException):
                client.login("user", "wrong", initial_response_ok=False)
        self._talk(self._ports["postscreen"], b"EHLO too-early.example\r\n")
        with self._client(self._ports["postscreen"]) as client:
            client.ehlo()
        with contextlib.suppress(smtplib.SMTPException), self._client(self._ports["denied"]) as client:
            client.ehlo()

    @staticmethod
    def _talk(port: int, said: bytes) -> None:
        """Say something and hang up when something was answered to it."""
        with socket.create_connection(("127.0.0.1", port), 30) as connection:
            if b"early" not in said:
                connection.recv(1000)
            for line in said.splitlines(keepends=True):
                connection.sendall(line)
                connection.recv(1000)


def main() -> None:
    """Print the log: ``python -m tests.support.postfix_scene FOLDER [RELEASE]``."""
    import sys

    sys.stdout.buffer.write(PostfixScene(Path(sys.argv[1]), *sys.argv[2:3]).play())


if __name__ == "__main__":
    main()
