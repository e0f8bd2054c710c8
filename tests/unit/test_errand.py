"""Errands: what comes back from a process of its own, and what happens when it does not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver_exporter import errand, errands
from mailserver_exporter.errands.__main__ import data_bytes
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
    if request == "be killed":
        os.kill(os.getpid(), 9)
    if request == "first to die":
        return open("/proc/self/oom_score_adj").read()
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


def test_what_a_container_leaves_beside_the_exporter_is_all_it_gets(tmp_path: Path) -> None:
    def limit(text: str) -> int:
        file = tmp_path / "memory.max"
        file.write_text(text)
        return data_bytes([str(tmp_path / "missing"), str(file)])

    mib = 1 << 20
    assert limit(f"{128 * mib}\n") == 80 * mib
    assert limit(f"{64 * mib}\n") == 32 * mib
    # No limit in version 2 and in version 1 of control groups.
    assert limit("max\n") == limit("9223372036854771712\n") == data_bytes([]) == 512 * mib


def test_it_dies_first_where_memory_runs_out(name: str) -> None:
    assert errand.send(name, "first to die", 20) == "1000\n"


def test_a_kill_is_told(name: str) -> None:
    with pytest.raises(SourceError, match="the process was killed, probably for want of memory"):
        errand.send(name, "be killed", 20)
