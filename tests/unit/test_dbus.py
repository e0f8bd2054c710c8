"""D-Bus: what is read from a server's bytes, and what happens when they are not what they should be."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver_exporter.sources import SourceError, dbus, systemd
from mailserver_exporter.sources.dbus import Call, Client, RefusedError

CALL = Call("org.example", "/", "org.example", "Method", ("one", "two"))


def message(kind: int, serial: int, signature: bytes = b"", body: bytes = b"", error: bytes = b"") -> bytes:
    fields = struct.pack("<BB2sI", 5, 1, b"u\0", serial)
    if signature:
        fields += struct.pack("<BB2sB", 8, 1, b"g\0", len(signature)) + signature + b"\0"
    if error:
        fields += b"\0" * (-len(fields) % 8) + struct.pack("<BB2sI", 4, 1, b"s\0", len(error)) + error + b"\0"
    head = struct.pack("<cBBBIII", b"l", kind, 0, 1, len(body), 7, len(fields))
    return head + fields + b"\0" * (-len(fields) % 8) + body


def text(value: bytes) -> bytes:
    return struct.pack("<I", len(value)) + value + b"\0"


@contextlib.contextmanager
def server(folder: Path, answer: bytes, greeting: bytes = b"OK 0123\r\n", *, hangs: bool = False) -> Iterator[str]:
    """Listen, greet, answer the first call with these bytes and close, or with ``hangs`` never say more."""
    path = str(folder / "bus")
    done = threading.Event()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        listener.settimeout(10)

        def serve() -> None:
            with listener.accept()[0] as peer, contextlib.suppress(OSError):
                peer.recv(4096)
                peer.sendall(greeting)
                if greeting.startswith(b"OK"):
                    received = b""
                    while not received.endswith(b"two\0"):
                        received += peer.recv(4096)
                    peer.sendall(answer)
                if hangs:
                    done.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield path
        finally:
            done.set()
            thread.join()


def ask(path: str, seconds: float = 5) -> object:
    with Client(path, seconds, bus=False) as client:
        return client.ask([CALL])[0]


@pytest.mark.parametrize(
    ("signature", "body", "values"),
    [
        (b"", b"", []),
        (b"su", text(b"a") + b"\0\0" + struct.pack("<I", 5), ["a", 5]),
        (b"v", b"\1t\0" + b"\0" * 5 + struct.pack("<Q", 1 << 60), [1 << 60]),
        (b"a(su)", struct.pack("<II", 12, 0) + text(b"x") + b"\0\0" + struct.pack("<I", 9), [[("x", 9)]]),
        (b"as", struct.pack("<I", 0), [[]]),
        (b"a{sv}", struct.pack("<II", 16, 0) + text(b"k") + b"\1b\0\0\0\0" + struct.pack("<I", 1), [[("k", True)]]),
        (b"yngd", b"\7\0" + struct.pack("<h", -2) + b"\2su\0" + b"\0" * 0 + struct.pack("<d", 0.5), [7, -2, "su", 0.5]),
        (b"su", text(b"a"), None),
    ],
)
def test_reads_what_the_signature_says(tmp_path: Path, signature: bytes, body: bytes, values: object) -> None:
    with server(tmp_path, message(2, 1, signature, body)) as path:
        if values is None:
            with pytest.raises(SourceError, match=r"is damaged|list of nothing"):
                ask(path)
        else:
            assert ask(path) == values


def test_a_refusal_tells_its_name_and_reason(tmp_path: Path) -> None:
    answer = message(3, 1, b"s", text(b"no such unit"), b"org.freedesktop.systemd1.NoSuchUnit")
    with server(tmp_path, answer) as path:
        refusal = ask(path)
    assert isinstance(refusal, RefusedError)
    assert refusal.name == "org.freedesktop.systemd1.NoSuchUnit"
    assert str(refusal) == "no such unit (org.freedesktop.systemd1.NoSuchUnit)"


def test_signals_and_answers_to_others_are_passed_over(tmp_path: Path) -> None:
    others = message(4, 1, b"s", text(b"signal")) + message(2, 99, b"s", text(b"other"))
    with server(tmp_path, others + message(2, 1, b"s", text(b"mine"))) as path:
        assert ask(path) == ["mine"]


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is not D-Bus"),
        (struct.pack("<cBBBIII", b"l", 2, 0, 1, 1 << 31, 1, 8), "larger than"),
        (message(2, 1, b"s", struct.pack("<I", 1 << 30)), "damaged"),
        (message(2, 1, b"a()", struct.pack("<I", 8) + b"\0" * 12), "list of nothing"),
        (message(2, 1, b"(((", b"\0" * 8), "damaged"),
        (message(2, 1, b"v", b"\1v\0" * 100), "too deep|damaged"),
        (message(2, 1, b"?", b"\0" * 8), "unknown type"),
        (message(2, 1, b"v", b"\0\0"), "damaged"),
    ],
)
def test_a_lying_bus_is_a_clear_failure(tmp_path: Path, answer: bytes, complaint: str) -> None:
    with server(tmp_path, answer) as path, pytest.raises(SourceError, match=complaint):
        ask(path)


def test_a_bus_that_lets_nobody_in_or_says_no_end_is_a_clear_failure(tmp_path: Path) -> None:
    with server(tmp_path, b"", b"REJECTED EXTERNAL\r\n") as path, pytest.raises(SourceError, match="not let us in"):
        ask(path)
    (tmp_path / "bus").unlink()
    with server(tmp_path, b"", b"x" * 40_000) as path, pytest.raises((SourceError, OSError)):
        ask(path)


def test_a_bus_that_hangs_is_given_up(tmp_path: Path) -> None:
    with server(tmp_path, message(2, 1, b"s", text(b"half"))[:20], hangs=True) as path, pytest.raises(TimeoutError):
        ask(path, 0.3)


def test_a_bus_that_ends_in_the_middle_is_told(tmp_path: Path) -> None:
    with server(tmp_path, message(2, 1, b"s", text(b"half"))[:20]) as path, pytest.raises(ConnectionError):
        ask(path)


@pytest.mark.parametrize("answer", [[], [5], [[("a",)]]])
def test_a_list_that_is_none_of_units_is_told(monkeypatch: pytest.MonkeyPatch, answer: list[object]) -> None:
    class Fake:
        def ask(self, calls: object) -> list[object]:
            return [answer]

    with pytest.raises(SourceError, match="not a list of units"):
        systemd.units(Fake())  # type: ignore[arg-type]


def test_signatures_are_cut_into_complete_types() -> None:
    assert dbus._kinds("sa{sv}(u(us)ai)aas") == ("s", "a{sv}", "(u(us)ai)", "aas")
