"""Who failed to log in most: lines, times, files and sums, each against a count by another way."""

from __future__ import annotations

import bz2
import gzip
import ipaddress
import lzma
import os
import random
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mailserver_exporter.config import Config
from mailserver_exporter.host import Host
from mailserver_exporter.report import networks
from mailserver_exporter.report.heaviest import Heaviest, network_of
from mailserver_exporter.report.networks import Networks
from mailserver_exporter.schema import read_text
from mailserver_exporter.sources import SourceError, fail2ban, failed_logins, netfilter_log
from mailserver_exporter.sources.failed_logins import Failure
from mailserver_exporter.sources.log_source import MAX_LINE
from mailserver_exporter.sources.past_files import PastFiles
from mailserver_exporter.sources.past_log import Clock, Span

NOW = datetime(2026, 11, 22, 6, 50, tzinfo=timezone.utc)
START = NOW - timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("line", "address"),
    [
        # OpenSSH 9.2, `journalctl -u ssh -o cat` behind the identifier.
        (b"sshd[7]: Failed password for root from 192.0.2.1 port 4711 ssh2", b"192.0.2.1"),
        (b"sshd-session[7]: Failed password for invalid user x from 2001:db8::1 port 4711 ssh2", b"2001:db8::1"),
        (b"sshd[7]: Failed keyboard-interactive for root from 192.0.2.1 port 4711 ssh2", b"192.0.2.1"),
        (b"sshd[7]: error: PAM: Authentication failure for root from 192.0.2.1", b"192.0.2.1"),
        (b"sshd[7]: Invalid user admin from 192.0.2.1 port 4711", b"192.0.2.1"),
        (b"sshd[7]: Invalid user  from 192.0.2.1 port 4711", b"192.0.2.1"),
        (b"sshd[7]: Failed password for root from fe80::1%eth0 port 4711 ssh2", b"fe80::1"),
        (b"sshd[7]: Connection closed by authenticating user root 192.0.2.1 port 4711 [preauth]", b"192.0.2.1"),
        (b"sshd[7]: Connection reset by invalid user a b 192.0.2.1 port 4711 [preauth]", b"192.0.2.1"),
        (b"sshd[7]: Disconnected from authenticating user root 192.0.2.1 port 4711 [preauth]", b"192.0.2.1"),
        # User names that look like the rest of a line.
        (b"sshd[7]: Failed password for x from 6.6.6.6 port 1 ssh2 from 192.0.2.1 port 4711 ssh2", b"192.0.2.1"),
        (b"sshd[7]: Invalid user x from 6.6.6.6 port 1 from 192.0.2.1 port 4711", b"192.0.2.1"),
        (b"sshd[7]: Connection closed by invalid user x 6.6.6.6 port 1 [preauth] 192.0.2.1 port 4711", b"192.0.2.1"),
        # With UseDNS a name instead of the address; no failure; said besides; somebody else's.
        (b"sshd[7]: Failed password for root from mail.example.org port 4711 ssh2", None),
        (b"sshd[7]: Accepted password for root from 192.0.2.1 port 4711 ssh2", None),
        (b"sshd[7]: Failed none for invalid user x from 192.0.2.1 port 4711 ssh2", None),
        (b"sshd[7]: Failed publickey for root from 192.0.2.1 port 4711 ssh2", None),
        (b"sshd[7]: Failed keyboard-interactive/pam for root from 192.0.2.1 port 4711 ssh2", None),
        (b"sshd[7]: Connection closed by 192.0.2.1 port 4711 [preauth]", None),
        (b"sshd[7]: Disconnected from user root 192.0.2.1 port 4711", None),
        (b"cron[7]: sshd[7]: Failed password for root from 192.0.2.1 port 4711 ssh2", None),
    ],
)
def test_sshd_tells_who_failed(line: bytes, address: bytes | None) -> None:
    assert failed_logins.Sshd()(line) == (Failure(address, "ssh") if address else None)


INVALID = b"sshd[%d]: Invalid user x from 192.0.2.1 port 4711"
REFUSED = b"sshd[%d]: Failed password for invalid user x from 192.0.2.1 port 4711 ssh2"
LEFT = b"sshd[%d]: Connection closed by invalid user x 192.0.2.1 port 4711 [preauth]"


@pytest.mark.parametrize(
    ("lines", "failures"),
    [
        ([INVALID], 1),
        ([LEFT], 1),
        ([INVALID, LEFT], 1),
        ([INVALID, REFUSED, LEFT], 1),
        ([INVALID, REFUSED, REFUSED, REFUSED, LEFT], 3),
        ([REFUSED, REFUSED, LEFT], 2),
    ],
)
def test_what_sshd_says_of_one_connection_is_counted_once_in_either_order(lines: list[bytes], failures: int) -> None:
    for order in (lines, lines[::-1]):
        sshd = failed_logins.Sshd()
        assert sum(sshd(line % process) is not None for process in (7, 8) for line in order) == 2 * failures


def test_sshd_is_not_remembered_without_bound() -> None:
    sshd = failed_logins.Sshd()
    for process in range(10_000):
        sshd(INVALID % process)
    assert len(sshd._known) <= 2000


@pytest.mark.parametrize(
    ("line", "failure"),
    [
        (
            b"postfix/smtpd[7]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
            Failure(b"192.0.2.1", "smtp"),
        ),
        (
            b"postfix/submission/smtpd[7]: warning: a.example[2001:db8::1]:4711: SASL PLAIN authentication failed: "
            b"(reason unavailable), sasl_username=x[6.6.6.6]: SASL",
            Failure(b"2001:db8::1", "smtp"),
        ),
        (b"postfix/smtpd[7]: warning: a[192.0.2.1]: SASL LOGIN authentication failed: Connection lost to auth", None),
        (b"postfix/smtpd[7]: warning: hostname a does not resolve to address 192.0.2.1", None),
        (b"postfix/smtp[7]: warning: a[192.0.2.1]: SASL LOGIN authentication failed", None),
    ],
)
def test_postfix_tells_who_failed(line: bytes, failure: Failure | None) -> None:
    assert failed_logins.postfix(line) == failure


@pytest.mark.parametrize(
    ("line", "failure"),
    [
        (
            b"dovecot: imap-login: Disconnected: Connection closed (auth failed, 3 attempts in 12 secs): "
            b"user=<a@example.org>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.9, TLS, session=<abd>",
            Failure(b"192.0.2.1", "imap", 3),
        ),
        (
            b"dovecot[7]: pop3-login: Login aborted: Logged out (auth failed, 1 attempts in 0 secs) (auth_failed): "
            b"user=<x>, method=PLAIN, rip=2001:db8::1, lip=::1",
            Failure(b"2001:db8::1", "pop3"),
        ),
        (
            b"submission-login: Info: Disconnected (auth failed, 2 attempts in 2 secs): user=<x>, method=LOGIN, "
            b"rip=192.0.2.1",
            Failure(b"192.0.2.1", "smtp", 2),
        ),
        (
            b"dovecot: managesieve-login: Aborted login (auth failed, 1 attempts in 2 secs): "
            b"user=<x>, method=PLAIN, rip=6.6.6.6, lip=6.6.6.6, session=<x>>, method=PLAIN, rip=192.0.2.1, "
            b"lip=192.0.2.9",
            Failure(b"192.0.2.1", "sieve"),
        ),
        (
            b"dovecot: imap-login: Disconnected (no auth attempts in 0 secs): user=<>, rip=192.0.2.1, lip=192.0.2.9",
            None,
        ),
        (
            b"dovecot: imap-login: Login: user=<(auth failed, 9 attempts>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.9",
            None,
        ),
    ],
)
def test_dovecot_tells_who_failed(line: bytes, failure: Failure | None) -> None:
    assert failed_logins.dovecot(line) == failure


def test_sogo_and_mailcow_tell_who_failed() -> None:
    login = b"Nov 22 03:15:55 1b2c3d4e5f60 sogod [69]: SOGoRootPage Login from '192.0.2.1' for user 'a' might not have"
    assert failed_logins.sogo(login) == Failure(b"192.0.2.1", "webmail")
    assert failed_logins.sogo(b"sogod [69]: 192.0.2.1 \"GET /SOGoRootPage Login from '6.6.6.6' for user") is None
    ui = b"NOTICE: PHP message: mailcow UI: Invalid password for x by 6.6.6.6 by 192.0.2.1"
    assert failed_logins.mailcow_ui(ui) == Failure(b"192.0.2.1", "mailcow")
    worker = b'[22-Nov-2026 03:15:55] WARNING: [pool web] child 9 said into stderr: "' + ui + b'"'
    assert failed_logins.mailcow_ui(worker) == Failure(b"192.0.2.1", "mailcow")
    assert failed_logins.mailcow_ui(b"192.0.2.1 - GET /" + ui) is None


def test_no_line_is_missed_for_its_hint() -> None:
    """What a finder knows must have the hint of its program."""
    for program, lines in {
        "sshd": [
            INVALID % 7,
            REFUSED % 7,
            LEFT % 7,
            b"sshd[7]: error: PAM: Authentication failure for x from 192.0.2.1",
        ],
        "postfix": [b"postfix/smtpd[7]: warning: a[192.0.2.1]: SASL LOGIN authentication failed: "],
        "dovecot": [b"imap-login: Disconnected (auth failed, 1 attempts): user=<x>, rip=192.0.2.1"],
        "sogo": [b"sogod [69]: SOGoRootPage Login from '192.0.2.1' for user 'a'"],
        "php-fpm": [b"PHP message: mailcow UI: Invalid password for x by 192.0.2.1"],
    }.items():
        for line in lines:
            assert failed_logins.finders()[program](line)
            assert re.search(failed_logins.HINTS[program], b"Nov 22 03:15:55 mail " + line)


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        (b"2026-11-22T03:13:24.123456+00:00 mail x", datetime(2026, 11, 22, 3, 13, 24, tzinfo=timezone.utc)),
        (b"2026-11-22T03:13:24+01:00 mail x", datetime(2026, 11, 22, 2, 13, 24, tzinfo=timezone.utc)),
        (b"2026-11-22T03:13:24.123456789Z", datetime(2026, 11, 22, 3, 13, 24, tzinfo=timezone.utc)),
        (b"Nov 22 03:13:24 mail x", datetime(2026, 11, 22, 3, 13, 24, tzinfo=BERLIN)),
        (b"Nov  2 03:13:24 mail x", datetime(2026, 11, 2, 3, 13, 24, tzinfo=BERLIN)),
        (b"Jul  2 03:13:24 mail x", datetime(2026, 7, 2, 3, 13, 24, tzinfo=BERLIN)),
        # Later in the year than the newest line can be.
        (b"Dec 31 23:59:59 mail x", datetime(2025, 12, 31, 23, 59, 59, tzinfo=BERLIN)),
        (b"Feb 29 12:00:00 mail x", datetime(2024, 2, 29, 12, tzinfo=BERLIN)),
        (b"Nov 22 03:13:60 mail x", datetime(2026, 11, 22, 3, 13, 59, tzinfo=BERLIN)),
        (b"Foo 22 03:13:24 mail x", None),
        (b"Nov 31 03:13:24 mail x", None),
        (b"2026-13-22T03:13:24Z x", None),
        (b"", None),
        (b"\xff" * 100, None),
    ],
)
def test_both_dates_of_syslog_are_understood(stamp: bytes, expected: datetime | None) -> None:
    clock = Clock(BERLIN, NOW.timestamp())
    for _ in range(2):
        assert clock.of(stamp) == (expected.timestamp() if expected else None)


def test_on_new_years_day_december_was_last_year() -> None:
    newest = datetime(2027, 1, 1, 0, 5, tzinfo=timezone.utc).timestamp()
    clock = Clock(timezone.utc, newest)
    assert clock.of(b"Dec 31 23:59:00 mail x") == newest - 360
    assert clock.of(b"Jan  1 00:04:00 mail x") == newest - 60


def span(seconds: float = 60, start: datetime = START, end: datetime = NOW) -> Span:
    return Span(start.timestamp(), end.timestamp(), time.monotonic() + seconds)


def lines(
    count: int, start: datetime = NOW - timedelta(days=3), end: datetime = NOW, classic: bool = False
) -> list[bytes]:
    """Return lines evenly over a time, numbered."""
    step = (end - start) / count
    result = []
    for number in range(count):
        at = start + number * step
        stamp = f"{at:%b} {at.day:2} {at:%H:%M:%S}" if classic else at.isoformat()
        result.append(f"{stamp} mail sshd[{number}]: line {number}\n".encode())
    return result


def write(path: Path, content: bytes, modified: datetime) -> None:
    path.write_bytes(content)
    os.utime(path, (modified.timestamp(), modified.timestamp()))


def numbers(found: Iterable[tuple[float, bytes]]) -> list[int]:
    return sorted(int(line.rpartition(b" ")[2]) for _, line in found)


@pytest.mark.parametrize("classic", [False, True])
@pytest.mark.parametrize("kind", ["", ".gz", ".bz2", ".xz", ".zst"])
def test_rotated_files_of_every_kind_are_read_for_the_time_asked_about(
    tmp_path: Path, kind: str, classic: bool
) -> None:
    everything = lines(9000, classic=classic)
    pack = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstd}[kind]
    # Two days ago, the middle of the last day, now.
    write(tmp_path / "auth.log.2.gz", gzip.compress(b"".join(everything[:3000])), NOW - timedelta(days=2))
    write(tmp_path / f"auth.log.1{kind}", pack(b"".join(everything[3000:7500])), NOW - timedelta(hours=12))
    write(tmp_path / "auth.log", b"".join(everything[7500:]), NOW)
    write(tmp_path / "auth.log.old", b"".join(everything), NOW)
    write(tmp_path / "auth.logger", b"".join(everything), NOW)

    asked = span()
    found = list(PastFiles("auth.log", str(tmp_path / "auth.log"), timezone.utc).past(asked, bool))

    assert asked.problems == []
    assert numbers(found) == list(range(6000, 9000))
    times = {int(line.rpartition(b" ")[2]): at for at, line in found}
    assert times[6000] == START.timestamp()


def zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-q"], input=data, capture_output=True, check=True).stdout


def test_files_with_a_date_in_their_names_are_read(tmp_path: Path) -> None:
    everything = lines(3000)
    write(tmp_path / "mail.log-20261121.gz", gzip.compress(b"".join(everything[:2500])), NOW - timedelta(hours=12))
    write(tmp_path / "mail.log", b"".join(everything[2500:]), NOW)
    assert numbers(PastFiles("x", str(tmp_path / "mail.log"), timezone.utc).past(span(), bool)) == list(
        range(2000, 3000)
    )


def test_a_file_that_is_being_compressed_is_not_read_twice(tmp_path: Path) -> None:
    everything = b"".join(lines(300, START))
    write(tmp_path / "mail.log.1", everything, NOW)
    write(tmp_path / "mail.log.1.gz", gzip.compress(everything)[:-100], NOW)
    write(tmp_path / "mail.log", b"", NOW)
    asked = span()
    assert numbers(PastFiles("x", str(tmp_path / "mail.log"), timezone.utc).past(asked, bool)) == list(range(300))
    assert asked.problems == []


@pytest.mark.parametrize("kind", [".gz", ".bz2", ".xz", ".zst"])
def test_a_damaged_file_is_told_and_the_others_are_read(tmp_path: Path, kind: str) -> None:
    everything = lines(3000, START)
    pack = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstd}[kind]
    write(tmp_path / f"mail.log.2{kind}", pack(b"".join(everything[1000:2000]))[:-20], NOW - timedelta(hours=2))
    write(tmp_path / f"mail.log.3{kind}", pack(b"".join(everything[:1000])), NOW - timedelta(hours=3))
    write(tmp_path / "mail.log.1", b"".join(everything[2000:2500]), NOW - timedelta(hours=1))
    write(tmp_path / "mail.log", b"".join(everything[2500:]), NOW)
    asked = span()
    found = numbers(PastFiles("x", str(tmp_path / "mail.log"), timezone.utc).past(asked, bool))
    assert set(found) >= {*range(1000), *range(2000, 3000)}
    [problem] = asked.problems
    assert problem.startswith(f"{tmp_path}/mail.log.2{kind} could not be read to its end: ")


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    log = PastFiles("x", str(tmp_path / "mail.log"), timezone.utc)
    with pytest.raises(FileNotFoundError):
        list(log.past(span(), bool))
    os.mkfifo(tmp_path / "mail.log")
    assert list(log.past(span(), bool)) == []


def test_without_zstd_the_remedy_is_told(tmp_path: Path) -> None:
    write(tmp_path / "mail.log.1.zst", zstd(b""), NOW)
    asked = span()
    assert list(PastFiles("x", str(tmp_path / "mail.log"), timezone.utc, ["/no/zstd"]).past(asked, bool)) == []
    assert "apt install zstd" in asked.problems[0]


def test_lines_over_the_edges_of_blocks_are_whole_and_too_long_ones_left_out(tmp_path: Path) -> None:
    everything = lines(40_000, START)
    long = everything[20_000][:-1] + b"x" * (3 << 20) + b" 7\n"
    just = everything[20_000].replace(b"line", b"x" * (MAX_LINE - 100))
    content = b"".join(everything[:20_000]) + long + just + b"".join(everything[20_001:])
    write(tmp_path / "mail.log", content, NOW)
    write(tmp_path / "mail.log.1.gz", gzip.compress(content), NOW)
    found = numbers(PastFiles("x", str(tmp_path / "mail.log"), timezone.utc).past(span(), bool))
    assert found == sorted([*range(40_000), *range(40_000)])


def test_when_the_time_is_up_the_newest_has_been_read(tmp_path: Path) -> None:
    write(tmp_path / "mail.log", b"".join(lines(100_000, START)), NOW)
    asked = span(seconds=-1)
    found = numbers(PastFiles("mail.log", str(tmp_path / "mail.log"), timezone.utc).past(asked, bool))
    assert 1000 < len(found) < 50_000
    assert found[-1] == 99_999
    assert asked.problems == [
        f"mail.log is too large to be read in time: only what was written since "
        f"{START + found[0] / 100_000 * timedelta(days=1):%Y-%m-%d %H:%M} UTC is counted"
    ]


def test_a_file_without_an_end_of_line_is_read_no_longer_than_there_is_time(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    with path.open("wb") as file:
        file.truncate(64 << 30)
    asked = span(0.2)
    began = time.monotonic()
    assert list(PastFiles("mail.log", str(path), timezone.utc).past(asked, re.compile(b"").search)) == []
    assert time.monotonic() - began < 20
    [problem] = asked.problems
    assert "too large to be read in time" in problem


@pytest.mark.parametrize("modified", [-1e12, 1e12, 1e18, float("inf")])
def test_a_file_of_any_age_gives_its_lines_a_year(modified: float) -> None:
    assert Clock(timezone.utc, modified).of(b"Nov 22 03:00:00 mail sshd[1]: x") is not None


def test_an_old_file_of_any_size_costs_one_block(tmp_path: Path) -> None:
    old = b"".join(lines(200_000, NOW - timedelta(days=30), NOW - timedelta(days=2)))
    write(tmp_path / "mail.log", old + b"".join(lines(10, START)), NOW)
    looked = []
    found = PastFiles("x", str(tmp_path / "mail.log"), timezone.utc).past(span(), lambda line: not looked.append(line))
    assert numbers(found) == list(range(10))
    assert len(looked) < 20_000


def test_few_networks_are_counted_exactly() -> None:
    random.seed(6)
    heaviest, plain, hosts = Heaviest(), Counter[str](), dict[str, set[str]]()
    for number in range(20_000):
        low = random.choice([random.randrange(3), random.randrange(200)])
        address = (
            f"198.51.{low}.{random.randrange(40)}" if number % 3 else f"2001:db8:{low:x}:{number % 5}::{number % 9:x}"
        )
        network = str(ipaddress.ip_network(f"{address}/{48 if ':' in address else 24}", strict=False))
        plain[network] += 1 + number % 2
        hosts.setdefault(network, set()).add(address)
        heaviest.add(Failure(address.encode(), "ssh", 1 + number % 2), float(number))
    assert heaviest.exact
    assert heaviest.failures == plain.total()
    found = heaviest.top(10_000)
    assert {str(network): weight.failures for network, weight in found} == plain
    assert [weight.failures for _, weight in found] == sorted(plain.values(), reverse=True)
    for network, weight in found:
        assert weight.address_count <= len(hosts[str(network)])
        if network.version == 4:
            assert weight.address_count == len(hosts[str(network)])


def test_among_hundreds_of_thousands_the_heavy_ones_are_found_within_bounds() -> None:
    random.seed(7)
    heaviest, plain = Heaviest(), Counter[bytes]()
    for number in range(300_000):
        if number % 20 == 0:
            network = b"192.0.%d" % min(int(random.expovariate(0.2)), 250)
        else:
            network = b"%d.%d.%d" % (random.randrange(1, 127), number >> 8 & 255, random.randrange(256))
        plain[network] += 1
        heaviest.add(Failure(network + b".%d" % (number % 256), "ssh"), float(number))
    assert len(heaviest._weights) <= 10_000
    assert not heaviest.exact
    for (network, weight), (expected, count) in zip(heaviest.top(10), plain.most_common(10), strict=True):
        assert network == network_of(f"{expected.decode()}.0")
        assert weight.failures <= count <= weight.failures + weight.missed


def test_a_network_that_was_forgotten_and_came_back_is_told_as_at_least() -> None:
    heaviest = Heaviest(capacity=10)
    for number in range(25):
        for _ in range(3 if number < 10 else 1):
            heaviest.add(Failure(b"192.0.%d.1" % number, "ssh"), 0.0)
    heaviest.add(Failure(b"192.0.12.1", "ssh"), 0.0)
    missed = {str(network): weight.missed for network, weight in heaviest.top(100)}
    assert missed["192.0.5.0/24"] == 0
    assert missed["192.0.24.0/24"] == 1
    assert not heaviest.exact


def test_addresses_are_put_into_networks_as_they_are_meant() -> None:
    for address, network in {
        "192.0.2.77": "192.0.2.0/24",
        "::ffff:192.0.2.77": "192.0.2.0/24",
        "2001:db8:1:2:3:4:5:6": "2001:db8:1::/48",
        "2001:db8:1:2::/64": "2001:db8:1::/48",
        "192.0.2.0/24": "192.0.2.0/24",
        "::1": "::/48",
    }.items():
        assert str(network_of(address)) == network
    for none in ("", "mail.example.org", "192.0.2", "999.1.1.1", "1:2", "192.0.2.1\0"):
        assert network_of(none) is None
    heaviest = Heaviest()
    heaviest.add(Failure(b"999.1.1.1", "ssh"), 0.0)
    assert (heaviest.failures, heaviest.unplaced, heaviest.top(10)) == (1, 1, [])


def test_what_fail2ban_bans_is_understood() -> None:
    # fail2ban 0.11.2 and 1.1, `fail2ban-client banned`.
    assert fail2ban.parse_banned([{"sshd": ["192.0.2.1", "2001:db8::1"]}, {"postfix": ["192.0.2.1"]}]) == {
        "192.0.2.1",
        "2001:db8::1",
    }
    assert fail2ban.parse_banned([]) == set()
    for foreign in ("x", [{"sshd": "192.0.2.1"}], [{"sshd": [17]}], 5):
        with pytest.raises(SourceError):
            fail2ban.parse_banned(foreign)


def worst(folder: Path, sources: str, start: datetime = START, end: datetime = NOW, seconds: float = 60) -> Networks:
    yaml = f"state_directory: {folder}/state\nlogs: {{sources: {sources}}}\n"
    yaml += f"fail2ban: {{socket: {folder}/none}}\ncontainers: {{socket: {folder}/none}}"
    return networks.worst(read_text(yaml, "config.yml", Config()), Host(), start, end, seconds=seconds)


def test_the_ten_worst_are_told_with_services_addresses_and_times(tmp_path: Path) -> None:
    auth, mail = [], []
    for number in range(200):
        at = (START + timedelta(minutes=number)).isoformat()
        auth.append(
            f"{at} mail sshd[{number}]: Failed password for root from 192.0.{number % 20}.{number % 7} port 1 ssh2"
        )
        mail.append(f"{at} mail cron[1]: sshd[2]: Failed password for root from 6.6.6.6 port 1 ssh2")
        if number % 20 == 3:
            mail.append(
                f"{at} mail postfix/smtpd[1]: warning: unknown[192.0.3.9]: SASL LOGIN authentication failed: UGF"
            )
            mail.append(
                f"{at} mail dovecot: imap-login: Disconnected (auth failed, 5 attempts in 9 secs): user=<a>, "
                "method=PLAIN, rip=192.0.3.9, lip=192.0.2.9, session=<x>"
            )
    auth.append(
        f"{NOW.isoformat()} mail sshd[7]: message repeated 2 times: [ Failed password for x from 6.6.6.6 port 1 ssh2]"
    )
    last = NOW - timedelta(seconds=1)
    auth.append(
        f"{last.isoformat()} mail sshd[7]: message repeated 30 times: [ Failed password for x from 192.0.4.4 port 1]"
    )
    write(tmp_path / "auth.log", "\n".join([*auth, ""]).encode(), NOW)
    write(tmp_path / "mail.log", "\n".join([*mail, ""]).encode(), NOW)

    found = worst(
        tmp_path, f"{{sshd: {tmp_path}/auth.log, postfix: {tmp_path}/mail.log, dovecot: {tmp_path}/mail.log}}"
    )

    assert (found.complete, found.problems) == (True, ())
    assert found.logs == (f"{tmp_path}/mail.log", f"{tmp_path}/auth.log")
    assert found.failures == 200 + 10 * 6 + 30
    assert len(found.networks) == 10
    first, second, third = found.networks[:3]
    assert (first.name, first.failures, first.services) == ("192.0.3.0/24", 70, {"imap": 50, "ssh": 10, "smtp": 10})
    assert (first.addresses, first.address, first.banned, first.at_least) == (8, "", None, False)
    assert (first.first, first.last) == (START + timedelta(minutes=3), START + timedelta(minutes=183))
    assert (second.name, second.failures, second.last) == ("192.0.4.0/24", 40, last)
    assert third.failures == 10


def test_dates_without_a_zone_are_the_hosts(tmp_path: Path) -> None:
    root = tmp_path / "host"
    (root / "etc").mkdir(parents=True)
    (root / "etc/localtime").write_bytes(Path("/usr/share/zoneinfo/Asia/Tokyo").read_bytes())
    (root / "var/log").mkdir(parents=True)
    line = b"Nov 22 %02d:30:00 mail sshd[%d]: Failed password for root from 192.0.2.%d port 1 ssh2\n"
    write(root / "var/log/auth.log", b"".join(line % (hour, hour, hour) for hour in range(24)), NOW)
    yaml = f"state_directory: {tmp_path}/state\nlogs: {{sources: {{postfix: none, dovecot: none}}}}"
    config = read_text(yaml, "config.yml", Config())
    found = networks.worst(config, Host(str(root)), NOW - timedelta(hours=2), NOW)
    assert found.logs == ("/var/log/auth.log",)
    [network] = found.networks
    assert (network.failures, network.first) == (2, datetime(2026, 11, 22, 5, 30, tzinfo=timezone.utc))


def test_dovecots_own_log_is_read(tmp_path: Path) -> None:
    line = (
        "Nov 22 03:13:51 imap-login: Info: Disconnected: Connection closed (auth failed, 2 attempts in 4 secs): "
        "user=<a>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.9, session=<x>\n"
    )
    write(tmp_path / "dovecot.log", line.encode(), NOW)
    [network] = worst(tmp_path, f"{{sshd: none, postfix: none, dovecot: {tmp_path}/dovecot.log}}").networks
    assert (network.name, network.address, network.failures) == ("192.0.2.0/24", "192.0.2.1", 2)


def test_a_log_that_cannot_be_read_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    line = (
        f"{(NOW - timedelta(hours=1)).isoformat()} mail sshd[7]: Failed password for root from 192.0.2.1 port 1 ssh2\n"
    )
    write(tmp_path / "auth.log", line.encode(), NOW)
    found = worst(tmp_path, f"{{sshd: {tmp_path}/auth.log, postfix: {tmp_path}/gone.log, dovecot: container/gone}}")
    assert found.failures == 1
    assert not found.complete
    assert len(found.problems) == 2
    assert any(problem == f"{tmp_path}/gone.log: No such file or directory" for problem in found.problems)


def test_a_host_without_logs_or_that_does_not_want_them_read_has_no_networks(tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    config = read_text(f"state_directory: {tmp_path}", "config.yml", Config())
    assert networks.worst(config, Host(str(tmp_path / "host")), START, NOW) == Networks()
    off = read_text(f"state_directory: {tmp_path}\nlogs: {{enabled: false}}", "config.yml", Config())
    assert networks.worst(off, Host(), START, NOW) == Networks()
    assert not (tmp_path / "expected.json").exists()


def test_networks_that_the_internet_does_not_route_are_told_apart(tmp_path: Path) -> None:
    addresses = ("172.22.1.248", "192.0.2.1", "::1", "fd4d:6169:6c63:6f77::5", "2001:db8::1", "172.32.0.1", "127.0.0.1")
    line = "{} mail sshd[{}]: Failed password for root from {} port 1 ssh2\n"
    text = "".join(line.format(START.isoformat(), number, address) for number, address in enumerate(addresses))
    write(tmp_path / "auth.log", text.encode(), NOW)
    found = worst(tmp_path, f"{{sshd: {tmp_path}/auth.log}}").networks
    assert {each.address for each in found if each.local} == {addresses[0], addresses[2], addresses[3], addresses[6]}
    assert len(found) == len(addresses)


@pytest.mark.parametrize(
    ("line", "ban"),
    [
        (b"2026-11-22 03:15:56 CRIT: Banning 192.0.2.1/32 for 30 minutes", ("192.0.2.1/32", 1800)),
        (b"Banning 2001:db8::1/128 for 166 minutes", ("2001:db8::1/128", 9960)),
        (b"2026-11-22 03:45:56 INFO: Unbanning 192.0.2.1/32", ("192.0.2.1/32", 0)),
        (b"6.6.6.6 matched rule id 3 (Banning 192.0.2.1/32 for 30 minutes)", None),
    ],
)
def test_netfilter_tells_whom_it_bans(line: bytes, ban: tuple[str, float] | None) -> None:
    assert netfilter_log.ban(line) == ban
