"""However hostile the lines, what is counted has no more series than it may have, and nobody's name in a label."""

from __future__ import annotations

import random
import re

from mailserver_exporter.collectors.log_programs import PROGRAMS
from mailserver_exporter.sources.tally import Tally
from tests.support.metrics import Exposition

LINES = 200_000
# The starts of real lines; what comes behind is a stranger's.
STARTS = [
    b"sshd[1]: Failed password for ",
    b"sshd[1]: Accepted ",
    b"sshd[1]: Failed ",
    b"sshd[1]: error: PAM: ",
    b"dovecot: imap-login: Login: user=<",
    b"dovecot: imap-login: Disconnected (",
    b"dovecot: ",
    b"dovecot: imap(a)<1><x>: Error: ",
    b"postfix/smtpd[1]: warning: ",
    b"postfix/smtpd[1]: 4F1A22E: client=a[192.0.2.1], sasl_method=",
    b"postfix/smtpd[1]: NOQUEUE: reject: RCPT from a[192.0.2.1]: 5",
    b"postfix/smtpd[1]: lost connection after ",
    b"postfix/smtp[1]: 4F1A22E: to=<a@example.net>, relay=mx[192.0.2.1]:25, delay=1, delays=0/0/1/0, dsn=",
    b"postfix/smtp[1]: Trusted TLS connection established to ",
    b"postfix/pipe[1]: 4F1A22E: to=<a@example.net>, relay=",
    b"postfix/postscreen[1]: ",
    b"postfix/postscreen[1]: DNSBL rank ",
    b"postfix/",
    b"2026-11-22 03:15:55 WARN: ",
    b"NOTICE: PHP message: mailcow UI: Invalid password for ",
    b"Nov 22 03:15:55 sogod [69]: SOGoRootPage Login from '",
    b"",
]
PIECES = [
    *(
        b"mallory@attacker.example",
        b"mallory",
        b"203.0.113.66",
        b"attacker.example",
        b"5.7.1",
        b"4.%d.%d",
        b"status=",
        b"sent",
    ),
    *(
        b" from ",
        b" port ",
        b" for ",
        b", ",
        b": ",
        b"[",
        b"]",
        b"(",
        b")",
        b"<",
        b">",
        b"user=<",
        b"auth failed",
        b"%d",
        b" ",
    ),
    *(
        b"smtpd[1]: ",
        b"relay=",
        b"dsn=",
        b"delays=",
        b"TLSv1.%d with cipher ",
        b" (256/256 bits)",
        b"HANGUP after ",
        b"PASS ",
    ),
    *(
        b"\xff\xfe",
        b"\0",
        b"Error: ",
        b"Banning ",
        b"/32 for 30 minutes",
        b"publickey",
        b"=",
        b"NON-SMTP COMMAND",
        b"x" * 300,
    ),
]
LEAKED = re.compile(r"mallory|attacker|203\.0\.113|\x00|\ufffd")


def line(chance: random.Random) -> bytes:
    pieces = b"".join(chance.choices(PIECES, k=chance.randint(0, 12)))
    return chance.choice(STARTS) + pieces.replace(b"%d", b"%d" % chance.randrange(100_000))


def test_two_hundred_thousand_hostile_lines_make_no_series_of_their_own() -> None:
    chance = random.Random(11)
    lines = [line(chance) for _ in range(LINES // len(PROGRAMS))]
    read = 0
    for program in PROGRAMS:
        tally = Tally()
        # Every program gets every line, also those of the others.
        for start in range(0, len(lines), 1000):
            program.parser(lines[start : start + 1000], tally)
            read += len(lines[start : start + 1000])
        found = Exposition.of(program.families(tally))
        values = [value for sample in found.samples for value in sample.labels.values()]
        assert [value for value in values if LEAKED.search(value)] == []
        assert len(found.samples) < 2500, program.name
        assert len(tally) + len(tally.histograms) < 1000, program.name
        series = [(sample.name, *sorted(sample.labels.items())) for sample in found.samples]
        assert len(series) == len(set(series))
    assert read > LINES - 1000 * len(PROGRAMS)
