"""Calls that may never come back; with a real file system that hangs in tests/integration."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from mailserver_exporter.hanging_calls import HangingCalls
from tests.support.processes import wait_for


class Gate:
    """A call that hangs until the gate is opened."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        self.event.wait(30)
        return "late"


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.event.set()


def _threads() -> int:
    return sum(thread.name == "call" for thread in threading.enumerate())


def test_returns_what_each_call_returns_or_raises() -> None:
    def fail() -> str:
        raise OSError(5, "Input/output error")

    answers = HangingCalls().run({"a": lambda: "A", "b": fail, "c": lambda: "C"}, 5)

    assert (answers["a"], answers["c"]) == ("A", "C")
    assert isinstance(answers["b"], OSError)


def test_nothing_to_do_is_done_at_once() -> None:
    assert HangingCalls().run({}, 5) == {}


def test_a_call_that_hangs_keeps_none_of_the_others_from_being_made(gate: Gate) -> None:
    started = time.monotonic()

    answers = HangingCalls().run({"hangs": gate, "a": lambda: "A", "b": lambda: "B"}, 0.5)

    assert answers == {"a": "A", "b": "B"}
    assert 0.5 <= time.monotonic() - started < 1


def test_a_call_that_hangs_is_waited_for_once_and_not_made_again(gate: Gate) -> None:
    calls = HangingCalls()
    calls.run({"hangs": gate}, 0.2)
    started = time.monotonic()

    for _ in range(20):
        assert calls.run({"hangs": gate, "a": lambda: "A"}, 5) == {"a": "A"}

    assert time.monotonic() - started < 1
    assert gate.calls == 1


def test_a_call_that_came_back_is_made_again(gate: Gate) -> None:
    calls = HangingCalls()
    calls.run({"hangs": gate}, 0.2)
    gate.event.set()

    wait_for("the call works again", lambda: calls.run({"hangs": gate}, 1) == {"hangs": "late"})


def test_a_slow_call_is_waited_for(gate: Gate) -> None:
    threading.Timer(0.4, gate.event.set).start()

    assert HangingCalls().run({"slow": gate, "a": lambda: "A"}, 5) == {"slow": "late", "a": "A"}


def test_however_many_calls_hang_the_first_of_the_others_are_still_made(gate: Gate) -> None:
    calls = HangingCalls()
    before = _threads()
    hanging = {f"hangs {number}": gate for number in range(HangingCalls.MAX_THREADS + 2)}
    calls.run(hanging, 1.8)

    assert calls.run({"a": lambda: "A", **hanging}, 0.5) == {"a": "A"}
    assert _threads() - before <= HangingCalls.MAX_THREADS + 4


def test_threads_end_when_there_is_nothing_to_do(gate: Gate) -> None:
    before = _threads()
    calls = HangingCalls()
    calls.run({"hangs": gate, "a": lambda: "A"}, 0.3)
    gate.event.set()

    wait_for("the threads have ended", lambda: _threads() <= before)
