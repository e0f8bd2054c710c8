"""A writer, an exporter that is killed again and again, and a reader that adds up as Prometheus does.

For every kind of source: at the end the reader must have seen exactly as many lines as were written.
"""

from __future__ import annotations

import itertools
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import requests

from tests.support.exporter import NO_COLLECTORS, Exporter
from tests.support.metrics import Exposition
from tests.support.processes import wait_for

HURRIED = Path(__file__).with_name("hurried_logs.py")
ONLY_LOGS = NO_COLLECTORS.replace("logs: {enabled: false}\n", "")


def line(number: int) -> bytes:
    """Return what Postfix writes when a message leaves the queue; each one is counted."""
    return b"postfix/qmgr[7]: %010X: removed" % number


def exporter(folder: Path, settings: str, *arguments: str, saving: str = "") -> Exporter:
    """Return an exporter that reads logs alone, more often than as shipped; ``saving`` is told to hurried_logs.py."""
    made = Exporter(folder, ONLY_LOGS + settings, arguments=arguments, environment={"SAVING": saving})
    made.command[1:3] = [str(HURRIED)]
    return made


class Reader:
    """Scrapes without a pause and adds up a counter as PromQL's increase() does: what falls has begun anew."""

    def __init__(self, url: str, name: str = "postfix_qmgr_messages_removed_total") -> None:
        self.name = name
        self.increase = 0.0
        self.scrapes = 0
        self.slowest = 0.0
        self._url = url
        self._last: float | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def _read(self) -> None:
        while not self._end.wait(0.02):
            started = time.monotonic()
            try:
                answer = requests.get(f"{self._url}/metrics", timeout=20)
            except requests.RequestException:
                continue  # it is dead just now
            self.slowest = max(self.slowest, time.monotonic() - started)
            values = [sample.value for sample in Exposition(answer.text).all(self.name)]
            if answer.ok and values:
                self._see(sum(values))

    def _see(self, value: float) -> None:
        self.scrapes += 1
        if self._last is not None:
            self.increase += value if value < self._last else value - self._last
        self._last = value


class Writer:
    """Writes in a thread: ``write`` takes some lines, ``rotate`` is called between two of them, ten times over."""

    ROTATIONS = 10
    BURST = 200
    BURSTS = 40

    def __init__(self, write: Callable[[list[bytes]], None], rotate: Callable[[], None]) -> None:
        self.written = 0
        self.failure: BaseException | None = None
        self._write = write
        self._rotate = rotate
        self._numbers = itertools.count()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            for turn in range(self.ROTATIONS + 1):
                for _ in range(self.BURSTS):
                    self._write([line(next(self._numbers)) for _ in range(self.BURST)])
                    self.written += self.BURST
                    time.sleep(0.012)
                if turn < self.ROTATIONS:
                    self._rotate()
        except BaseException as error:
            self.failure = error
            raise


def assert_nothing_is_lost_or_doubled(exporter: Exporter, writer: Writer, seed: int = 0, patience: float = 60) -> int:
    """Kill the exporter at random points while ``writer`` writes; return how often.

    Raises AssertionError, where lines are missing after ``patience`` seconds.
    """
    chance = random.Random(seed)
    kills = 0
    with exporter, Reader(exporter.url) as reader:
        wait_for("the log is followed", lambda: reader.scrapes, 30)
        writer.start()
        while not writer.done or kills < 8:
            time.sleep(chance.uniform(0, 1.2))
            exporter.stop(signal.SIGKILL)
            kills += 1
            exporter.start()
        assert writer.failure is None
        wait_for(
            "every line is counted",
            lambda: reader.increase >= writer.written or not exporter.running(),
            patience,
        )
        # What is counted twice comes now.
        scrapes, runs = reader.scrapes, 10
        wait_for("it goes on reading", lambda: reader.scrapes > scrapes + runs)
        assert reader.increase == writer.written, f"after {kills} kills"
    return kills
