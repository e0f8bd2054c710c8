"""What showq lists, and what queue files say where it does not."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailserver_exporter.sources import SourceError, queue_file, queue_listing, showq
from mailserver_exporter.sources.histogram import Histogram
from mailserver_exporter.sources.showq import Message, Parser

# socat - UNIX-CONNECT:/var/spool/postfix/public/showq, Postfix 3.7.11
LIST = (
    b"protocol\0mail_queue_list_protocol\0\0"
    b"queue_name\0deferred\0queue_id\0C98A7211FD8\0time\x001795306911\0size\x00272\0forced_expire\x000\0"
    b"sender\0sender@example.org\0recipient\0user@elsewhere.example\0"
    b"reason\0connect to 127.0.0.1[127.0.0.1]:53765: Connection refused\0\0"
    b"queue_name\0hold\0queue_id\0BA7BB211FDF\0time\x001795306912\0size\x00808\0forced_expire\x000\0"
    b"sender\0sender@example.org\0recipient\0user@elsewhere.example\0"
    b"reason\0connect to 127.0.0.1[127.0.0.1]:53765: Connection refused\0\0\0"
)
MESSAGES = [Message("deferred", 1795306911, 272), Message("hold", 1795306912, 808)]

# postcat shows the same; od -c deferred/C/C98A7211FD8
DEFERRED_FILE = (
    b"C_            272             284               1               0             272               0"
    b"T\x111795306911 822791A\x16create_time=1795306911A\x15rewrite_context=localF\x04rootS\x12sender@example.org"
)
# What sendmail leaves while Postfix is stopped, od -c maildrop/98BAE211044
MAILDROP_FILE = b"T\x111795306916 625144A\x15rewrite_context=localF\x04rootS\x12sender@example.orgM\x00"


def test_reads_a_list() -> None:
    parser = Parser()

    assert list(parser.feed(LIST)) == MESSAGES
    assert parser.ended


def test_reads_a_list_that_comes_in_pieces() -> None:
    for size in (1, 2, 3, 7, 50):
        parser = Parser()
        pieces = [LIST[start : start + size] for start in range(0, len(LIST), size)]

        assert [message for piece in pieces for message in parser.feed(piece)] == MESSAGES
        assert parser.ended


@pytest.mark.parametrize("empty", [b"\0", b"protocol\0mail_queue_list_protocol\0\0\0"])
def test_an_empty_queue_is_a_list_without_messages(empty: bytes) -> None:
    parser = Parser()

    assert list(parser.feed(empty)) == []
    assert parser.ended


def test_an_empty_sender_does_not_end_the_message() -> None:
    bounce = b"queue_name\0active\0queue_id\0A1\0time\x005\0size\x006\0sender\0\0recipient\0a@b\0reason\0\0\0\0"

    assert list(Parser().feed(bounce)) == [Message("active", 5, 6)]


def test_attributes_that_are_not_known_yet_are_passed_over() -> None:
    later = b"queue_name\0active\0new\0x\0time\x005\0size\x006\0recipient\0queue_name\0log_class\0\0reason\0size\0\0\0"

    assert list(Parser().feed(later)) == [Message("active", 5, 6)]


@pytest.mark.parametrize(
    "broken",
    [
        b"queue_name\0active\0time\x005\0\0",
        b"queue_name\0active\0time\0soon\0size\x006\0\0",
        b"queue_name\0active\0time\x00-5\0size\x006\0\0",
        b"queue_name\0active\0time\x00" + b"9" * 60 + b"\0size\x006\0\0",
        b"queue_name\0active\0time\x00" + b"9" * 6000 + b"\0size\x006\0\0",
        b"\0queue_name\0",
        b"x" * 1_100_000,
    ],
)
def test_what_is_no_list_is_refused(broken: bytes) -> None:
    with pytest.raises(SourceError, match="showq sent"):
        list(Parser().feed(broken))


@contextmanager
def serving(queue: Path, serve: Callable[[socket.socket], None]) -> Iterator[None]:
    """Answer one connection to a queue's showq socket."""
    (queue / "public").mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        folder = os.open(queue / "public", os.O_PATH)
        listener.bind(f"/proc/self/fd/{folder}/showq")
        os.close(folder)
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                try:
                    serve(connection)
                except OSError:
                    return  # the reader has had enough

        thread = threading.Thread(target=answer)
        thread.start()
        yield
        thread.join(10)
        assert not thread.is_alive()


def test_a_socket_deeper_than_an_address_is_long_is_reached(tmp_path: Path) -> None:
    queue = tmp_path / ("x" * 120)
    with serving(queue, lambda connection: connection.sendall(LIST)):
        assert list(showq.read(str(queue), 5)) == MESSAGES


def test_a_list_that_never_ends_is_given_up(tmp_path: Path) -> None:
    with serving(tmp_path, lambda connection: time.sleep(0.6)):
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            list(showq.read(str(tmp_path), 0.2))
        assert time.monotonic() - started < 0.5


def test_a_list_that_comes_a_byte_at_a_time_is_given_up(tmp_path: Path) -> None:
    def drip(connection: socket.socket) -> None:
        for byte in LIST:
            connection.send(bytes([byte]))
            time.sleep(0.02)

    with serving(tmp_path, drip), pytest.raises(TimeoutError):
        list(showq.read(str(tmp_path), 0.3))


def test_a_list_that_breaks_off_is_told_from_a_complete_one(tmp_path: Path) -> None:
    with (
        serving(tmp_path, lambda connection: connection.sendall(LIST[:-1])),
        pytest.raises(ConnectionError, match="hung up"),
    ):
        list(showq.read(str(tmp_path), 5))


def test_a_list_longer_than_wanted_is_cut_and_says_so(tmp_path: Path) -> None:
    one = b"queue_name\0active\0time\x0090\0size\x006\0\0"
    endless = lambda connection: [connection.sendall(one * 1000) for _ in range(100_000)]  # noqa: E731
    with serving(tmp_path, endless):
        listing = queue_listing.take(str(tmp_path), 100.0, 10, max_messages=500)

    assert not listing.complete
    assert listing.states["active"].ages.cumulative()[-1] == ("+Inf", 500)


def test_a_list_that_breaks_off_counts_as_far_as_it_came(tmp_path: Path) -> None:
    with serving(tmp_path, lambda connection: connection.sendall(LIST[:-1])):
        listing = queue_listing.take(str(tmp_path), 1795306921.0, 5)

    assert not listing.complete
    assert listing.states["deferred"].oldest == 1795306911


def test_garbage_instead_of_a_list_is_a_failure(tmp_path: Path) -> None:
    with (
        serving(tmp_path, lambda connection: connection.sendall(b"\0HTTP/1.1 400 Bad Request\r\n\0")),
        pytest.raises(SourceError, match="after the end of its list"),
    ):
        queue_listing.take(str(tmp_path), 0.0, 5)


def test_memory_does_not_grow_with_the_list(tmp_path: Path) -> None:
    import tracemalloc

    one = LIST.removeprefix(b"protocol\0mail_queue_list_protocol\0\0")[:-1]
    with serving(tmp_path, lambda connection: [connection.sendall(one * 100) for _ in range(200)]):
        tracemalloc.start()
        listing = queue_listing.take(str(tmp_path), 1795306921.0, 30)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert listing.states["hold"].sizes.cumulative()[-1] == ("+Inf", 20_000)
    assert peak < 1_500_000


def test_a_queue_file_says_when_it_arrived_and_how_large_it_is(tmp_path: Path) -> None:
    assert queue_file.parse(DEFERRED_FILE) == (1795306911, 272)
    (tmp_path / "98BAE211044").write_bytes(MAILDROP_FILE)
    assert queue_file.read(str(tmp_path / "98BAE211044"), "maildrop") == Message(
        "maildrop", 1795306916, len(MAILDROP_FILE)
    )


def test_a_queue_file_that_is_gone_is_nothing(tmp_path: Path) -> None:
    assert queue_file.read(str(tmp_path / "gone"), "active") is None


@pytest.mark.parametrize(
    "data",
    [b"", b"T", b"T\x11", b"T\x03abc", b"\xff" * 1024, b"T\xff\xff\xff\xff\x7f12", b"hello", b"T\x60" + b"9" * 96],
)
def test_a_file_that_says_nothing_has_its_own_time_and_length(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "A1"
    path.write_bytes(data)
    os.utime(path, (1000, 1000))

    assert queue_file.read(str(path), "incoming") == Message("incoming", 1000, len(data))


def test_a_histogram_counts_a_value_on_the_limit_below_it() -> None:
    histogram = Histogram({"10": 10.0, "100": 100.0})
    for value in (0, 10, 11, 5000):
        histogram.add(value)

    assert histogram.cumulative() == [("10", 2), ("100", 3), ("+Inf", 4)]
    assert histogram.sum == 5021
