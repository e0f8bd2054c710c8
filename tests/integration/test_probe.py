"""The driver of the probes against listeners that behave badly: each in its own way, none at the cost of another."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import socket
import ssl
import time
from pathlib import Path

import pytest

from mailserver_exporter.sources.probe import Prober, Result, Target
from tests.support import certificates, listeners
from tests.support.listeners import Behaviour, listener, speaks
from tests.support.processes import free_port

GREETS = speaks(b"220 mx ESMTP\r\n", b"221 bye\r\n")


def probe(port: int, module: str = "smtp", *, require_tls: bool = False, timeout: float = 0.7) -> Result:
    target = Target("127.0.0.1", port, module, require_tls=require_tls)
    [result] = Prober(timeout, grace=0.3).run([target])
    return result


@pytest.mark.parametrize(
    ("behaviour", "module", "reason", "message"),
    [
        (listeners.silent, "smtp", "timeout", "no greeting within 0.7 s"),
        (listeners.byte_a_second, "smtp", "timeout", "no greeting within 0.7 s"),
        (listeners.huge_banner, "smtp", "greeting", "no end of line within 65536 bytes"),
        (listeners.endless_banner, "imap", "greeting", "no end of line within 65536 bytes"),
        (listeners.hang_up, "pop3", "greeting", "closed the connection instead of the greeting"),
        (listeners.garbage, "imap", "greeting", 'does not greet as IMAP (* OK) but says "?[31m'),
        (listeners.silent, "smtp_tls", "timeout", "no TLS handshake within 0.7 s"),
        (listeners.half_tls, "imap_tls", "timeout", "no TLS handshake within 0.7 s"),
        (listeners.garbage, "https", "tls", "the server speaks plain text where TLS is expected"),
        (GREETS, "smtp_tls", "tls", "the server speaks plain text where TLS is expected"),
        (listeners.hang_up, "pop3_tls", "tls", "the server closed the connection during the handshake"),
        (listeners.silent, "http", "timeout", "no greeting within 0.7 s"),
        (GREETS, "http", "greeting", 'does not greet as HTTP (a status line) but says "220 mx ESMTP"'),
        (speaks(b"", b"HTTP/1.1 503 Busy\r\n\r\n"), "http", "status", 'answers "HTTP/1.1 503 Busy"'),
    ],
)
def test_a_bad_server_is_down_for_the_right_reason(
    behaviour: Behaviour, module: str, reason: str, message: str
) -> None:
    with listener(behaviour) as port:
        result = probe(port, module)

    assert (result.up, result.reason) == (False, reason)
    assert result.message.startswith(message)
    assert len(result.message) < 220
    assert result.message.isprintable()
    assert result.seconds < 1.5


@pytest.mark.parametrize(("module", "stage"), [("pop3", "greeting"), ("https", "tls")])
def test_a_reset_is_told_whether_it_comes_early_or_late(module: str, stage: str) -> None:
    with listener(listeners.reset) as port:
        result = probe(port, module)

    assert not result.up
    assert result.reason in ("connect", stage)
    assert "Connection reset by peer" in result.message


def test_tls_records_without_end_are_cut_off() -> None:
    with listener(listeners.endless_tls) as port:
        result = probe(port, "imap_tls", timeout=5)

    assert not result.up
    assert result.reason in ("tls", "greeting")
    assert result.seconds < 4


def test_a_closed_port_is_refused_at_once() -> None:
    port = free_port()

    result = probe(port)

    assert (result.up, result.reason) == (False, "connect")
    assert result.message == f"127.0.0.1 port {port}: Connection refused"
    assert result.seconds < 0.5


def test_a_host_that_does_not_exist_fails_to_connect() -> None:
    [result] = Prober().run([Target("no-such-host.invalid", 25, "smtp")])

    assert (result.up, result.reason) == (False, "connect")
    assert result.message.startswith("cannot look up no-such-host.invalid: ")


def test_a_host_name_is_tried_at_each_of_its_addresses() -> None:
    with listener(GREETS) as port:
        [result] = Prober().run([Target("localhost", port, "smtp")])

    assert result.up


def test_ipv6_works_and_says_its_address_to_the_server() -> None:
    with listener(speaks(b"220 mx\r\n", b"250 mx\r\n", b"221 bye\r\n"), "::1") as port:
        [result] = Prober().run([Target("::1", port, "smtp_starttls")])

    assert result.up
    assert result.target.name == f"[::1]:{port}/smtp_starttls"
    assert "> EHLO [IPv6:::1]" in [step.text for step in result.story]


def test_what_goes_wrong_after_the_greeting_leaves_the_port_up() -> None:
    with listener(listeners.endless_lines) as lines, listener(speaks(b"220 mx\r\n", b"")) as mute:
        [many, none] = Prober(0.5, grace=0.3).run(
            [Target("127.0.0.1", lines, "smtp"), Target("127.0.0.1", mute, "smtp_starttls")]
        )

    assert (many.up, none.up) == (True, True)
    assert many.message == "more than 1000 lines while waiting for the greeting"
    assert none.message == "no answer to EHLO [127.0.0.1] within 0.8 s"
    assert none.seconds < 0.3


def test_a_required_tls_that_fails_takes_the_port_down() -> None:
    with listener(speaks(b"220 mx\r\n", b"250 mx\r\n", b"221 bye\r\n")) as port:
        assert probe(port, "smtp_starttls").up
        strict = probe(port, "smtp_starttls", require_tls=True)

    assert (strict.up, strict.reason, strict.message) == (False, "tls", "STARTTLS is not offered")


@pytest.mark.parametrize("fault", certificates.FAULTS)
def test_reads_the_earliest_expiry_whatever_is_wrong_with_the_chain(fault: str, tmp_path: Path) -> None:
    behaviour = listeners.tls(tmp_path, speaks(b"* OK\r\n", b"c OK\r\n"), fault)
    with listener(behaviour) as port:
        result = probe(port, "imap_tls", timeout=5)

    assert result.up
    assert result.expiry == certificates.earliest_expiry(tmp_path / f"{fault.replace(' ', '-')}.pem")


@pytest.mark.parametrize(
    ("module", "greeting", "offer", "go"),
    [
        ("smtp_starttls", b"220 mx\r\n", b"250-mx\r\n250 STARTTLS\r\n", b"220 go\r\n"),
        ("imap_starttls", b"* OK\r\n", b"* CAPABILITY STARTTLS\r\na OK\r\n", b"b OK\r\n"),
        ("pop3_starttls", b"+OK\r\n", b"+OK\r\nSTLS\r\n.\r\n", b"+OK go\r\n"),
    ],
)
def test_reads_an_expired_certificate_by_starttls(
    module: str, greeting: bytes, offer: bytes, go: bytes, tmp_path: Path
) -> None:
    with listener(listeners.starttls(tmp_path, greeting, offer, go, "expired")) as port:
        result = probe(port, module, timeout=5)

    assert (result.up, result.message) == (True, "")
    assert result.expiry == certificates.earliest_expiry(tmp_path / "expired.pem")


def test_what_is_slipped_in_before_the_handshake_is_not_believed(tmp_path: Path) -> None:
    go = b"220 go\r\n221 slipped in\r\n"  # CVE-2011-0411
    with listener(listeners.starttls(tmp_path, b"220 mx\r\n", b"250 STARTTLS\r\n", go)) as port:
        result = probe(port, "smtp_starttls", timeout=5)

    assert result.up
    assert "< 221 slipped in" not in [step.text for step in result.story]


def test_a_silent_port_delays_no_other() -> None:
    with (
        listener(listeners.silent) as silent,
        listener(listeners.half_tls) as half,
        listener(listeners.byte_a_second) as slow,
        listener(GREETS) as good,
    ):
        targets = [Target("127.0.0.1", silent, "imap"), Target("127.0.0.1", half, "smtp_tls")]
        targets += [Target("127.0.0.1", slow, "smtp"), Target("127.0.0.1", good, "smtp")]
        started = time.monotonic()
        results = Prober(1.0, grace=0.5).run(targets)
        took = time.monotonic() - started

    assert [result.up for result in results] == [False, False, False, True]
    assert results[3].seconds < 0.5
    assert took < 1.8


# What is said before the answer that offers TLS, before the go-ahead, and before the handshake.
STAGES = {
    "smtp_starttls": (b"220 mx\r\n", b"250-mx\r\n250 STARTTLS\r\n", b"220 go\r\n"),
    "imap_starttls": (b"* OK\r\n", b"* CAPABILITY STARTTLS\r\na OK\r\n", b"b OK\r\n"),
    "pop3_starttls": (b"+OK\r\n", b"+OK\r\nSTLS\r\n.\r\n", b"+OK go\r\n"),
    "sieve_starttls": (b'"STARTTLS"\r\nOK\r\n', b"OK\r\n"),
}
# One more line of an answer that goes on.
MORE = {
    "smtp_starttls": b"250-X\r\n",
    "imap_starttls": b"* CAPABILITY X\r\n",
    "pop3_starttls": b"X\r\n",
    "sieve_starttls": b'"X"\r\n',
    "https": b"X-Header: x\r\n",
}


@pytest.mark.parametrize("module", STAGES)
def test_ten_thousand_lines_are_too_many_in_every_protocol(module: str) -> None:
    greeting = () if module == "sieve_starttls" else STAGES[module][:1]
    first = b"+OK\r\n" if module == "pop3_starttls" else b""
    with listener(speaks(*greeting, first + MORE[module] * 10_000)) as port:
        result = probe(port, module, require_tls=True, timeout=5)

    assert (result.up, result.reason) == (False, "greeting")
    assert result.message.startswith("more than 1000 lines while waiting for the ")
    assert len(result.story) < 1010
    assert result.seconds < 4


@pytest.mark.parametrize("text", ["", "webmail"])
def test_headers_without_end_are_cut_off(text: str, tmp_path: Path) -> None:
    page = b"HTTP/1.1 200 OK\r\n" + MORE["https"] * 10_000
    with listener(listeners.tls(tmp_path, speaks(b"", page))) as port:
        [result] = Prober(5).run([Target("127.0.0.1", port, "https", text=text)])

    assert result.up == (not text)
    assert result.message.startswith("more than 1000 lines while waiting for the ")


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("found", [True, False])
def test_a_text_is_looked_for_at_the_start_of_a_page_of_ten_gigabytes(
    secure: bool, found: bool, tmp_path: Path
) -> None:
    page = listeners.endless_page(b"HTTP/1.1 200 OK\r\n\r\n<h1>webmail</h1>")
    with listener(listeners.tls(tmp_path, page) if secure else page) as port:
        target = Target("127.0.0.1", port, "https" if secure else "http", text="webmail" if found else "SOGo")
        [result] = Prober(5).run([target])

    assert (result.up, result.reason) == ((True, None) if found else (False, "text"))
    assert found or re.fullmatch(r"the page does not hold 'SOGo' in its first 2\d{5} bytes", result.message)
    assert result.seconds < 4


@pytest.mark.parametrize(
    "last",
    [listeners.reset, listeners.hang_up, listeners.silent, listeners.byte_a_second, listeners.endless_banner],
    ids=["reset", "hangs up", "silent", "a byte a second", "endless"],
)
@pytest.mark.parametrize("module", STAGES)
def test_whatever_a_server_does_at_whatever_stage_it_is_told_in_time_and_delays_no_other(
    module: str, last: Behaviour
) -> None:
    stages = STAGES[module]
    with contextlib.ExitStack() as stack:
        ports = [stack.enter_context(listener(listeners.speaks_then(last, *stages[:n]))) for n in range(1, len(stages))]
        # During the handshake, and with what is no handshake.
        ports.append(stack.enter_context(listener(listeners.speaks_then(last, *stages))))
        good = stack.enter_context(listener(GREETS))
        targets = [Target("127.0.0.1", port, module, require_tls=True) for port in ports]
        started = time.monotonic()
        *bad, other = Prober(0.7, grace=0.3).run([*targets, Target("127.0.0.1", good, "smtp")])
        took = time.monotonic() - started

    assert took < 3
    assert (other.up, other.message) == (True, "")
    for result in bad:
        assert not result.up
        assert result.reason in ("timeout", "greeting", "tls"), result
        assert result.message
        assert result.message.isprintable()
        assert result.phases["greeting"] > 0


def test_leaves_no_socket_open(tmp_path: Path) -> None:
    before = _sockets()
    prober = Prober(0.3, grace=0.1)
    with listener(listeners.silent) as silent, listener(listeners.tls(tmp_path, GREETS)) as good:
        targets = [Target("127.0.0.1", silent, "imap"), Target("127.0.0.1", good, "smtp_tls")]
        targets.append(Target("127.0.0.1", free_port(), "pop3"))
        results = prober.run(targets)

    assert [result.up for result in results] == [False, True, False]
    assert _sockets() == before


def test_leaves_nothing_to_the_garbage_collector(tmp_path: Path) -> None:
    with listener(listeners.tls(tmp_path, GREETS)) as port, listener(listeners.half_tls) as half:
        prober = Prober(0.3, grace=0.1)
        gc.collect()
        gc.disable()
        try:
            prober.run([Target("127.0.0.1", port, "smtp_tls"), Target("127.0.0.1", half, "smtp_tls")])
            left = [thing for thing in gc.get_objects() if isinstance(thing, ssl.SSLObject)]
        finally:
            gc.enable()

    assert left == []


def _sockets() -> set[str]:
    return {name for name in map(_link, os.listdir("/proc/self/fd")) if name.startswith("socket:")}


def _link(descriptor: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except FileNotFoundError:  # the one that listed them
        return ""


def test_a_full_backlog_is_a_timeout() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        port = server.getsockname()[1]
        queued = [socket.socket() for _ in range(3)]
        for client in queued:
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        result = probe(port)
        for client in queued:
            client.close()

    assert (result.up, result.reason, result.message) == (False, "timeout", "no TCP connection within 0.7 s")
