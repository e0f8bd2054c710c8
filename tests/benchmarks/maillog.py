"""A log as a busy Postfix writes it, as long as wanted and the same each time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

_TLS = "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"
_TLS_DETAILS = "key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256"


def write(path: Path, count: int) -> None:
    """Append ``count`` lines to a file."""
    lines = _lines(random.Random(1))
    with path.open("a", encoding="ascii") as file:
        while count > 0:
            piece = list(islice(lines, min(count, 10_000)))
            count -= len(piece)
            file.write("".join(piece))


def _lines(rng: random.Random) -> Iterator[str]:
    """Yield what each of endless clients makes Postfix write: of ten, six bring mail and four are turned away."""
    number = 0
    while True:
        number += 1
        seconds = number // 20
        head = f"Nov 22 {seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d} mail postfix"
        for program, message in _mail(rng, number) if number % 10 < 6 else _attack(rng, number):
            yield f"{head}/{program}[{1000 + rng.randrange(50)}]: {message}\n"


def _mail(rng: random.Random, number: int) -> Iterator[tuple[str, str]]:
    queue_id = f"4{rng.randrange(16**9):09X}"
    client = f"mx{number % 300}.example.net[192.0.2.{number % 250}]"
    login = number % 10 == 0
    smtpd = "submission/smtpd" if login else "smtpd"
    yield smtpd, f"connect from {client}"
    yield smtpd, f"Anonymous TLS connection established from {client}: {_TLS} {_TLS_DETAILS}"
    yield smtpd, f"{queue_id}: client={client}" + (", sasl_method=PLAIN, sasl_username=a@example.org" if login else "")
    yield "cleanup", f"{queue_id}: message-id=<{rng.randrange(10**12)}.{number}@example.net>"
    size = int(rng.lognormvariate(9.5, 1.5))
    yield "qmgr", f"{queue_id}: from=<sender{number % 5000}@example.net>, size={size}, nrcpt=1 (queue active)"
    yield smtpd, f"disconnect from {client} ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7"
    if login:
        yield from _outgoing(rng, number, queue_id)
    else:
        to = f"user{number % 300}@example.org"
        yield (
            "lmtp",
            f"{queue_id}: to=<{to}>, relay=mail.example.org[private/dovecot-lmtp], {_delays(rng)}, dsn=2.0.0, "
            f"status=sent (250 2.0.0 <{to}> {rng.randrange(10**9)} Saved)",
        )
    yield "qmgr", f"{queue_id}: removed"


def _outgoing(rng: random.Random, number: int, queue_id: str) -> Iterator[tuple[str, str]]:
    host = f"mx.example{number % 1000}.com[198.51.100.{number % 250}]"
    head = f"{queue_id}: to=<somebody{number % 9000}@example{number % 1000}.com>, "
    kind = rng.randrange(10)
    if kind == 0:
        yield "smtp", f"connect to {host}:25: Connection timed out"
        reason = f"connect to {host}:25: Connection timed out"
        yield "smtp", f"{head}relay=none, {_delays(rng)}, dsn=4.4.1, status=deferred ({reason})"
        return
    yield "smtp", f"Trusted TLS connection established to {host}:25: {_TLS} {_TLS_DETAILS}"
    head += f"relay={host}:25, {_delays(rng)}, "
    if kind == 1:
        said = f"host {host} said: 550 5.1.1 The email account does not exist (in reply to RCPT TO command)"
        yield "smtp", f"{head}dsn=5.1.1, status=bounced ({said})"
        yield "bounce", f"{queue_id}: sender non-delivery notification: 4{rng.randrange(16**9):09X}"
    else:
        yield "smtp", f"{head}dsn=2.0.0, status=sent (250 2.0.0 OK  1700000000 {rng.randrange(10**9)} - gsmtp)"


def _attack(rng: random.Random, number: int) -> Iterator[tuple[str, str]]:
    client = f"unknown[203.0.113.{number % 250}]"
    yield "postscreen", f"CONNECT from [203.0.113.{number % 250}]:{rng.randrange(65536)} to [192.0.2.1]:25"
    yield "smtpd", f"connect from {client}"
    if number % 2:
        yield "smtpd", f"warning: {client}: SASL LOGIN authentication failed: UGFzc3dvcmQ6"
        yield "smtpd", f"lost connection after AUTH from {client}"
    else:
        yield (
            "smtpd",
            f"NOQUEUE: reject: RCPT from {client}: 554 5.7.1 Service unavailable; Client host [203.0.113.1] blocked by "
            f"zen.spamhaus.org; from=<spam{number}@example.net> to=<info@example.org> proto=ESMTP helo=<spam{number}>",
        )
    yield "smtpd", f"disconnect from {client} ehlo=1 auth=0/1 rset=1 quit=1 commands=3/4"
    yield "anvil", f"statistics: max connection rate 3/60s for (smtp:203.0.113.{number % 250}) at Nov 22 03:00:00"


def _delays(rng: random.Random) -> str:
    parts = [f"{rng.expovariate(5):.2g}" for _ in range(4)]
    return f"delay={rng.expovariate(1):.2g}, delays={'/'.join('0' if 'e' in part else part for part in parts)}"
