"""What is said to servers, held as a conversation: no sockets."""

from __future__ import annotations

import pytest

from mailserver_exporter.sources import http_status, imap, pop3, sieve, smtp
from mailserver_exporter.sources.dialogue import Dialogue, Do, Note, ProbeError, Send, printable

EHLO = b"EHLO [127.0.0.1]\r\n"
UP, TLS, END = Do.COUNT_AS_UP, Do.START_TLS, Do.READ_TO_END


def converse(dialogue: Dialogue, *lines: bytes, notes: dict[str, float] | None = None) -> list[bytes | Do]:
    """Answer each wish for a line with the next one; return what else was wanted, in order.

    What the dialogue notes goes into ``notes``.
    """
    todo = list(lines)
    wanted: list[bytes | Do] = []
    wish = next(dialogue)
    try:
        while True:
            if wish is Do.READ_LINE:
                if not todo:
                    raise AssertionError(f"waits for more after {wanted}")
                wish = dialogue.send(todo.pop(0))
                continue
            if isinstance(wish, Note):
                if notes is not None:
                    notes[wish.name] = wish.value
                wish = dialogue.send(b"")
                continue
            wanted.append(wish.data if isinstance(wish, Send) else wish)
            wish = dialogue.send(b"")
    except StopIteration:
        assert not todo, f"left unheard: {todo}"
        return wanted


def smtp_of(*, ask: bool = False, require: bool = False) -> Dialogue:
    return smtp.dialogue("[127.0.0.1]", ask_tls=ask, require_tls=require)


def test_smtp_greets_and_quits() -> None:
    assert converse(smtp_of(), b"220 mx ESMTP", b"221 bye") == [UP, b"QUIT\r\n"]


def test_smtp_says_nothing_before_the_last_line_of_postscreens_greeting() -> None:
    wanted = converse(smtp_of(ask=True), b"220-mx waits", b"220 mx ESMTP", b"250 mx", b"221 bye")

    assert wanted == [UP, b"EHLO [127.0.0.1]\r\n", b"QUIT\r\n"]


@pytest.mark.parametrize("offer", [b"250-STARTTLS", b"250-starttls", b"250-STARTTLS "])
def test_smtp_starts_tls_where_it_is_offered(offer: bytes) -> None:
    wanted = converse(
        smtp_of(ask=True), b"220 mx", b"250-mx", offer, b"250 DSN", b"220 go ahead", b"250 mx", b"221 bye"
    )

    assert wanted == [UP, EHLO, b"STARTTLS\r\n", TLS, EHLO, b"QUIT\r\n"]


def test_smtp_counts_as_up_only_after_tls_where_tls_is_required() -> None:
    wanted = converse(smtp_of(require=True), b"220 mx", b"250 STARTTLS", b"220 go ahead", b"250 mx", b"221 bye")

    assert wanted == [EHLO, b"STARTTLS\r\n", TLS, EHLO, UP, b"QUIT\r\n"]


@pytest.mark.parametrize(
    ("before", "within", "notes"),
    [
        ((b"250-mx", b"250 STARTTLS"), (b"250-mx", b"250 AUTH PLAIN"), {"starttls": 1, "auth_in_clear": 0, "auth": 1}),
        (
            (b"250-AUTH=LOGIN", b"250-auth LOGIN", b"250 STARTTLS"),
            (b"250 mx",),
            {"starttls": 1, "auth_in_clear": 1, "auth": 0},
        ),
        ((b"250-mx", b"250 XAUTH"), (), {"starttls": 0, "auth_in_clear": 0}),
    ],
)
def test_smtp_notes_what_is_offered_before_tls_and_in_it(
    before: tuple[bytes, ...], within: tuple[bytes, ...], notes: dict[str, float]
) -> None:
    found: dict[str, float] = {}
    go = (b"220 go ahead",) if within else ()
    converse(smtp_of(ask=True), b"220 mx", *before, *go, *within, b"221 bye", notes=found)

    assert found == notes


@pytest.mark.parametrize(
    ("dialogue", "lines", "reason"),
    [
        (smtp_of(), [b"421 too busy"], "greeting"),
        (smtp_of(), [b"* OK IMAP"], "greeting"),
        (smtp_of(require=True), [b"220 mx", b"250 mx"], "tls"),
        (smtp_of(require=True), [b"220 mx", b"502 what?"], "tls"),
        (smtp_of(require=True), [b"220 mx", b"250 STARTTLS", b"454 no"], "tls"),
        (smtp_of(require=True), [b"220 mx", b"hello"], "tls"),
        (imap.dialogue(ask_tls=False, require_tls=False), [b"* BYE"], "greeting"),
        (imap.dialogue(ask_tls=False, require_tls=True), [b"* OK", b"* CAPABILITY IMAP4rev1", b"a OK"], "tls"),
        (imap.dialogue(ask_tls=False, require_tls=True), [b"* OK", b"* CAPABILITY STARTTLS", b"a OK", b"b NO"], "tls"),
        (pop3.dialogue(ask_tls=False, require_tls=False), [b"-ERR"], "greeting"),
        (pop3.dialogue(ask_tls=False, require_tls=True), [b"+OK", b"-ERR no CAPA"], "tls"),
        (pop3.dialogue(ask_tls=False, require_tls=True), [b"+OK", b"+OK", b"STLS", b".", b"-ERR"], "tls"),
        (http_status.dialogue("h", "/"), [b"220 mx"], "greeting"),
        (http_status.dialogue("h", "/"), [b"HTTP/1.1 2000 OK"], "greeting"),
        (http_status.dialogue("h", "/"), [b"HTTP/1.1 500 Oops"], "status"),
        (http_status.dialogue("h", "/"), [b"HTTP/2 503"], "status"),
        (http_status.dialogue("h", "/", "SOGo"), [b"HTTP/1.1 302 Found"], "status"),
        (sieve.dialogue(ask_tls=False, require_tls=False), [b"* OK IMAP"], "greeting"),
        (sieve.dialogue(ask_tls=False, require_tls=False), [b'"SIEVE" "fileinto"', b'BYE "busy"'], "greeting"),
        (sieve.dialogue(ask_tls=False, require_tls=True), [b'"SIEVE" ""', b"OK"], "tls"),
        (sieve.dialogue(ask_tls=False, require_tls=True), [b'"STARTTLS"', b"OK", b'NO "no"'], "tls"),
    ],
)
def test_names_the_reason_of_a_failure(dialogue: Dialogue, lines: list[bytes], reason: str) -> None:
    with pytest.raises(ProbeError) as caught:
        converse(dialogue, *lines)

    assert caught.value.reason == reason


@pytest.mark.parametrize("greeting", [b"* OK ready", b"* ok [CAPABILITY STARTTLS] ready", b"* PREAUTH you are in"])
def test_imap_greets_and_logs_out(greeting: bytes) -> None:
    wanted = converse(imap.dialogue(ask_tls=False, require_tls=False), greeting, b"* BYE", b"c OK")

    assert wanted == [UP, b"c LOGOUT\r\n"]


def test_imap_starts_tls_where_it_is_offered() -> None:
    lines = (b"* OK", b"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED", b"a OK", b"b OK", b"* BYE", b"c OK")

    wanted = converse(imap.dialogue(ask_tls=True, require_tls=False), *lines)

    assert wanted == [UP, b"a CAPABILITY\r\n", b"b STARTTLS\r\n", TLS, b"c LOGOUT\r\n"]


def test_imap_goes_without_tls_where_none_is_offered() -> None:
    lines = (b"* OK", b"* CAPABILITY XSTARTTLS", b"a OK", b"* BYE", b"c OK")

    assert converse(imap.dialogue(ask_tls=True, require_tls=False), *lines) == [
        UP,
        b"a CAPABILITY\r\n",
        b"c LOGOUT\r\n",
    ]


def test_pop3_starts_tls_where_it_is_offered() -> None:
    lines = (b"+OK ready", b"+OK", b"TOP", b"STLS", b".", b"+OK go", b"+OK bye")

    wanted = converse(pop3.dialogue(ask_tls=True, require_tls=False), *lines)

    assert wanted == [UP, b"CAPA\r\n", b"STLS\r\n", TLS, b"QUIT\r\n"]


@pytest.mark.parametrize("status", [b"200 OK", b"301 Moved", b"401 Who?", b"404 Not Found", b"499"])
def test_a_web_server_that_answers_below_500_is_up(status: bytes) -> None:
    wanted = converse(http_status.dialogue("mail.example.org:8443", "/SOGo"), b"HTTP/1.1 " + status, b"")

    assert wanted[1:] == [UP, END]
    assert isinstance(wanted[0], bytes)
    assert wanted[0].startswith(b"GET /SOGo HTTP/1.1\r\nHost: mail.example.org:8443\r\n")
    assert wanted[0].endswith(b"\r\n\r\n")


def test_sieve_starts_tls_where_it_is_offered() -> None:
    capabilities = (b'"IMPLEMENTATION" "Dovecot Pigeonhole"', b'"STARTTLS"', b'OK "Dovecot ready."')
    lines = (*capabilities, b'OK "Begin TLS negotiation now."', *capabilities, b'OK "Logout completed."')

    wanted = converse(sieve.dialogue(ask_tls=True, require_tls=False), *lines)

    assert wanted == [UP, b"STARTTLS\r\n", TLS, b"LOGOUT\r\n"]


@pytest.mark.parametrize(
    ("header", "hsts"),
    [
        (b"Strict-Transport-Security: max-age=15768000; includeSubDomains", 1),
        (b'strict-transport-security:max-age="1"', 1),
        (b"Strict-Transport-Security: max-age=0", 0),
        (b"X-Note: Strict-Transport-Security: max-age=1", 0),
    ],
)
def test_hsts_is_noted(header: bytes, hsts: float) -> None:
    found: dict[str, float] = {}
    converse(http_status.dialogue("h", "/"), b"HTTP/1.1 200 OK", header, b"", notes=found)

    assert found == {"http_version": 1.1, "http_status": 200, "hsts": hsts}


def test_a_text_is_looked_for_in_the_whole_page() -> None:
    dialogue = http_status.dialogue("h", "/", "Anmeldung für")
    sent = next(dialogue)
    assert isinstance(sent, Send)
    assert sent.data.startswith(b"GET / HTTP/1.0\r\n")
    dialogue.send(b"")
    assert dialogue.send(b"HTTP/1.1 200 OK") == Note("http_version", 1.1)
    assert dialogue.send(b"") == Note("http_status", 200)
    assert dialogue.send(b"") is Do.READ_LINE
    assert isinstance(dialogue.send(b""), Note)
    assert dialogue.send(b"") is Do.READ_ALL
    assert dialogue.send("<h1>Anmeldung für SOGo</h1>".encode()) is UP


def test_a_page_without_the_text_is_a_failure() -> None:
    dialogue = http_status.dialogue("h", "/", "SOGo")
    with pytest.raises(ProbeError) as caught:
        converse_to_page(dialogue, b"<h1>Welcome to nginx!</h1>")
    assert caught.value.reason == "text"


def converse_to_page(dialogue: Dialogue, page: bytes) -> None:
    """Answer 200 and no header, then the page."""
    answers = iter([b"", b"HTTP/1.1 200 OK", b""])
    wish = next(dialogue)
    while wish is not Do.READ_ALL:
        wish = dialogue.send(b"" if isinstance(wish, Note) else next(answers))
    dialogue.send(page)


def test_shows_nothing_that_a_terminal_would_obey() -> None:
    assert printable(b"\x1b[2J\xff ok\r") == "?[2J? ok?"
    assert printable(b"x" * 1000) == "x" * 100 + "..."
