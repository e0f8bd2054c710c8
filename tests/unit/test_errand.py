"""Errands: what comes back from a process of its own, and what happens when it does not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver_exporter import errand, errands
from mailserver_exporter.sources import SourceError

ERRAND = """
import os, time
from mailserver_exporter.sources import SourceError

def run(request):
    if request == "refuse":
        raise SourceError("there is no moon", remedy="wait for the night")
    if request == "die":
        raise RuntimeError("unforeseen")
    if request == "sleep":
        time.sleep(60)
    if request == "eat":
        return len(bytearray(2 << 30))
    return {"you said": request, "nice": os.nice(0)}
"""


@pytest.fixture
def name() -> Iterator[str]:
    """Put an errand beside the real ones for the time of a test; the process is a real one."""
    path = Path(errands.__file__).parent / "for_a_test.py"
    path.write_text(ERRAND)
    yield "for_a_test"
    path.unlink()


def test_an_answer_comes_back(name: str) -> None:
    assert errand.send(name, ["ä", 1], 20) == {"you said": ["ä", 1], "nice": 10}


def test_a_refusal_comes_back_with_its_remedy(name: str) -> None:
    with pytest.raises(SourceError, match="there is no moon") as caught:
        errand.send(name, "refuse", 20)
    assert caught.value.remedy == "wait for the night"


def test_an_unforeseen_end_is_told_in_one_line(name: str) -> None:
    with pytest.raises(SourceError, match=r"ended with status 1: RuntimeError: unforeseen$"):
        errand.send(name, "die", 20)


def test_it_is_killed_at_its_deadline(name: str) -> None:
    started = time.monotonic()
    with pytest.raises(SourceError, match="not done after 1 s"):
        errand.send(name, "sleep", 1)
    assert time.monotonic() - started < 5


def test_it_gets_no_more_memory_than_a_small_host_can_spare(name: str) -> None:
    with pytest.raises(SourceError, match="MemoryError"):
        errand.send(name, "eat", 20)
