"""A mail account as a mail program uses it: submission (RFC 6409) and IMAP (RFC 9051), each over TLS only."""

from __future__ import annotations

import contextlib
import imaplib
import ipaddress
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mailserver_exporter.sources import smtp_client
from mailserver_exporter.sources.stages import Stages

_IMPLICIT_TLS = (465, 993)
_PAUSE = 15.0
_FLAGGED = re.compile(rb'\((?P<flags>[^)]*)\) (?:"[^"]*"|NIL) (?P<name>.+)')
_NO_FOLDER = {rb"\noselect", rb"\nonexistent"}
# By name where the server does not tell (RFC 6154); what Dovecot, mailcow and others call it.
_USUAL = {rb"\junk": ("Junk", "Spam", "INBOX.Junk", "INBOX.Spam"), rb"\sent": ("Sent",), rb"\trash": ("Trash",)}


@dataclass(frozen=True)
class Account:
    """Where the servers are and who logs in; ``*_tls`` is starttls, implicit, or empty for what the port suggests."""

    address: str
    username: str
    password: str
    smtp: str
    smtp_tls: str
    imap: str
    imap_tls: str
    ca_file: str


def submit(account: Account, recipient: str, message: bytes, stages: Stages) -> None:
    """Hand a message in for ``recipient``. Raises StageError."""
    host, port = smtp_client.address(account.smtp)
    context = _context(host, account.ca_file)
    implicit = _implicit(account.smtp_tls, port)
    server = smtp_client.Client(lambda: stages.left(_PAUSE))
    with contextlib.closing(server):
        with stages("smtp_connect"):
            server.open(host, port, context if implicit else None)
        if not implicit:
            with stages("smtp_tls"):
                server.encrypt(context)
        with stages("smtp_auth"):
            server.log_in(account.username, account.password)
        with stages("submit"):
            server.sendmail(account.address, [recipient], message)
        server.leave()


def _plain(account: Account) -> bytes:
    return f"\0{account.username}\0{account.password}".encode()


class Mailbox:
    """An IMAP session. Methods raise OSError and imaplib.IMAP4.error, ``__init__`` StageError."""

    def __init__(self, account: Account, stages: Stages) -> None:
        host, port = smtp_client.address(account.imap)
        context = _context(host, account.ca_file)
        implicit = _implicit(account.imap_tls, port)
        with stages("imap_connect"):
            timeout = stages.left(_PAUSE)
            if implicit:
                self._imap: imaplib.IMAP4 = imaplib.IMAP4_SSL(host, port, ssl_context=context, timeout=timeout)
            else:
                self._imap = imaplib.IMAP4(host, port, timeout=timeout)
        try:
            if not implicit:
                with stages("imap_tls"):
                    self._imap.starttls(context)
            with stages("imap_auth"):
                self._imap.authenticate("PLAIN", lambda _: _plain(account))
                self._folders = self._special_folders()
        except BaseException:
            self._imap.shutdown()
            raise

    def hurry(self, seconds: float) -> None:
        """Wait no longer than this for each of the server's answers."""
        self._imap.sock.settimeout(seconds)

    def close(self) -> None:
        """Log out."""
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            self._imap.logout()  # whatever they answer, we are gone

    def folders(self, *kinds: str) -> list[str]:
        """Return the folders of these kinds, ``inbox`` and RFC 6154's ``junk``, ``sent``, ``trash``, that there are."""
        known = {"inbox": "INBOX", **self._folders}
        return [known[kind] for kind in kinds if kind in known]

    def search(self, folder: str, *criteria: str) -> list[str]:
        """Select ``folder`` and return the UIDs that match."""
        self._demand(self._imap.select(_quoted(folder)))
        [found, *_] = self._demand(self._imap.uid("SEARCH", *criteria)) or [b""]
        return (found or b"").decode("ascii", "replace").split()

    def header(self, uid: str, name: str) -> Iterator[str]:
        """Yield the fields of a name of a message in the selected folder, from the top, unfolded."""
        answers = self._demand(self._imap.uid("FETCH", uid, f"(BODY.PEEK[HEADER.FIELDS ({name})])"))
        for answer in answers:
            if isinstance(answer, tuple):
                text = re.sub(r"\r?\n[ \t]+", " ", answer[1].decode(errors="replace"))
                for line in text.splitlines():
                    field, colon, value = line.partition(":")
                    if colon and field.strip().lower() == name.lower():
                        yield value.strip()

    def delete(self, uids: list[str]) -> None:
        """Remove messages of the selected folder for good."""
        if not uids:
            return
        several = ",".join(uids)
        if "X-GM-EXT-1" in self._imap.capabilities and "trash" in self._folders:
            # Gmail only archives what is expunged; what is in its trash goes by itself.
            self._demand(self._imap.uid("MOVE", several, _quoted(self._folders["trash"])))
            return
        self._demand(self._imap.uid("STORE", several, "+FLAGS.SILENT", r"(\Deleted)"))
        if "UIDPLUS" in self._imap.capabilities:
            self._demand(self._imap.uid("EXPUNGE", several))
        else:
            self._demand(self._imap.expunge())

    def _special_folders(self) -> dict[str, str]:
        found: dict[str, str] = {}
        names = []
        for line in self._demand(self._imap.list()):
            match = _FLAGGED.match(line) if isinstance(line, bytes) else None
            if match is None or _NO_FOLDER & set(match["flags"].lower().split()):
                continue
            name = match["name"].decode(errors="replace").strip('"')
            names.append(name)
            for flag in match["flags"].lower().split():
                if flag in _USUAL:
                    found.setdefault(flag[1:].decode(), name)
        for flag, usual in _USUAL.items():
            for name in usual:
                if name in names:
                    found.setdefault(flag[1:].decode(), name)
        return found

    @staticmethod
    def _demand(answer: tuple[str, list[Any]]) -> list[Any]:
        """Return the data of an answer: lines, and for literals pairs (line, literal)."""
        status, data = answer
        if status != "OK":
            raise imaplib.IMAP4.error(data[0] if data else status)
        return data


def _context(host: str, ca_file: str) -> ssl.SSLContext:
    """Return a context that verifies, but on this machine, where nobody is between, and names seldom match."""
    context = ssl.create_default_context(cafile=ca_file or None)
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
    return context


def _implicit(tls: str, port: int) -> bool:
    return tls == "implicit" or (not tls and port in _IMPLICIT_TLS)


def _quoted(folder: str) -> str:
    return '"' + folder.replace("\\", "\\\\").replace('"', '\\"') + '"'
