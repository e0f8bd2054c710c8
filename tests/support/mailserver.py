"""A small mail server that is whole: submission with passwords, delivery into mailboxes, IMAP (Postfix and Dovecot)."""

from __future__ import annotations

import contextlib
import pwd
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from tests.support.dovecot import Dovecot
from tests.support.postfix import Postfix


class MailServer:
    """A server for ``users`` (address: password), with ``certificate`` for all its ports; ``settings`` are Postfix'.

    ``folder`` is where in a mailbox mail is delivered, ``.Junk/`` for example.
    """

    def __init__(
        self,
        certificate: Path,
        users: Mapping[str, str],
        settings: Mapping[str, str] | None = None,
        *,
        folder: str = "",
    ) -> None:
        domains = {user.partition("@")[2] for user in users}
        self.dovecot = Dovecot(certificate, users=users)
        nobody = pwd.getpwnam("nobody")
        mailboxes = ", ".join(f"{{ {user} = {user}/{folder} }}" for user in users)
        self.postfix = Postfix(
            certificate=certificate,
            settings={
                "virtual_mailbox_domains": " ".join(domains),
                "virtual_mailbox_base": str(self.dovecot.mail),
                "virtual_mailbox_maps": f"inline:{{ {mailboxes} }}",
                "virtual_uid_maps": f"static:{nobody.pw_uid}",
                "virtual_gid_maps": f"static:{nobody.pw_gid}",
                "virtual_minimum_uid": "1",
                "virtual_transport": "virtual",
                "mynetworks": "",
                "smtpd_sasl_auth_enable": "yes",
                "smtpd_sasl_type": "dovecot",
                "smtpd_sasl_path": str(self.dovecot.auth_socket),
                "smtpd_tls_auth_only": "yes",
                # While Dovecot is away, no new smtpd finds a SASL mechanism, and the port is closed for this long.
                "service_throttle_time": "1s",
                "max_use": "100000",
                "smtpd_recipient_restrictions": "permit_sasl_authenticated, reject_unauth_destination",
                **(settings or {}),
            },
            services="virtual unix - n n - - virtual\n",
        )
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> MailServer:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.dovecot)
            self.dovecot.mail.mkdir(exist_ok=True)
            self.dovecot.mail.chmod(0o777)
            stack.enter_context(self.postfix)
            self._cleanup = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def messages(self, user: str) -> list[Path]:
        """Return the files of the messages in a mailbox, junk included."""
        folder = self.dovecot.mail / user
        return [path for path in folder.rglob("*") if path.is_file() and path.parent.name in ("new", "cur")]
