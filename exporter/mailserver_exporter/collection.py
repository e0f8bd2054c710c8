"""Run collectors: at the scrape or in the background, with deadlines, so that none can hold up a scrape or another.

This module and hanging_calls.py are the only ones that know threads. At a scrape one worker thread runs the due
collectors one after another. When one of them passes its deadline, the worker is left to it and a new worker takes the
rest; the collector counts as failed until the old worker comes back. Collectors with ``Schedule.every`` have a thread
of their own, and a scrape takes their newest result.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors.base import Collector, Detection
from mailserver_exporter.expectations import Expectations
from mailserver_exporter.exposition import encode, without
from mailserver_exporter.sources import SourceError

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


@dataclass(frozen=True)
class Outcome:
    """How one run of a collector ended, and when on the monotonic clock. ``error`` is empty when it succeeded.

    The families are kept as text: smaller than the objects, written once where a scrape only repeats them, and what
    cannot be written fails the collector that made it and not the scrape.
    """

    exposition: bytes = b""
    names: frozenset[str] = frozenset()
    error: str = ""
    remedy: str = ""
    seconds: float = 0.0
    finished: float = 0.0


@dataclass
class State:
    """What is known of one collector, for the metrics, the status page and ``check``."""

    collector: Collector
    detection: Detection = field(default_factory=lambda: Detection(False, "not looked for yet"))
    expected: bool = False
    watched: bool = False
    outcome: Outcome | None = None
    last_success: float = 0.0
    # Set while a run is under way; a run that passed its deadline stays here until it comes back.
    running_since: float | None = None
    overdue: bool = False
    # Families of others that were left out of the newest scrape, because ours have their names.
    left_out: frozenset[str] = frozenset()


class Collection:
    """All collectors of one configuration."""

    def __init__(self, collectors: Sequence[Collector], expectations: Expectations) -> None:
        self.states = [State(collector) for collector in collectors]
        self._expectations = expectations
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._worker: _Worker | None = None
        self._background: set[str] = set()

    def scrape(self, budget: float = 9.0, taken: Iterable[str] = ()) -> bytes:
        """Run what is due within ``budget`` seconds; return all families in the text format 0.0.4, self metrics last.

        A family that is passed through is left out where one of ours, or of those in ``taken``, has its name.

        Serialised: two scrapes at the same time run one after the other.
        """
        with self._lock:
            self._detect()
            self._run_due(time.monotonic() + budget)
            watched = [state for state in self.states if state.watched]
            outcomes = [(state, self._current(state)) for state in watched]
            if self._closed.is_set():
                # A reload came between this scrape's start and its turn.
                self._stop_worker()
        names = set(taken)
        about_us = encode(self._self_metrics(outcomes), names)
        names.update(*(outcome.names for state, outcome in outcomes if not state.collector.passes_through))
        return b"".join(_without_clashes(state, outcome, names) for state, outcome in outcomes) + about_us

    def start(self) -> None:
        """Begin with what has to run also when nobody scrapes."""
        with self._lock:
            self._detect()
            for state in self.states:
                if state.watched and state.collector.unasked:
                    self._see_to_background(state)

    def close(self) -> None:
        """Wait for a scrape that is under way, then stop the threads; hanging runs end by themselves."""
        self._closed.set()
        with self._lock:
            self._stop_worker()
        for state in self.states:
            if state.running_since is None:
                state.collector.close()

    def _stop_worker(self) -> None:
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def _detect(self) -> None:
        for state in self.states:
            collector = state.collector
            enabled = collector.section.enabled
            if enabled is False:
                state.detection, state.watched = Detection(False, "switched off in the configuration"), False
                continue
            state.detection = _look(state)
            found = {collector.name} if state.detection.found else set()
            state.expected = collector.name in self._expectations.expect("collector", found)
            state.watched = bool(enabled) or state.expected

    def _run_due(self, end: float) -> None:
        """Run the collectors of this scrape, and see that those of the background have a thread."""
        pending: list[State] = []
        for state in self.states:
            if not state.watched:
                continue
            if state.collector.schedule.every is not None:
                self._see_to_background(state)
            elif state.running_since is None:
                pending.append(state)
        while pending:
            if self._worker is None:
                self._worker = _Worker(self._run)
            worker = self._worker
            worker.give(pending)
            stuck = worker.wait(end)
            if stuck is None:
                return
            stuck.overdue = True
            _retell(stuck, self._current(stuck))
            self._worker = None
            pending = worker.take_back()
            if time.monotonic() >= end:
                unrun = Outcome(error="not run: the scrape's time was used up by other collectors")
                for state in pending:
                    _retell(state, unrun)
                    state.outcome = unrun
                return

    def _see_to_background(self, state: State) -> None:
        name = state.collector.name
        if name not in self._background:
            self._background.add(name)
            first = threading.Event()
            threading.Thread(
                target=self._run_in_background, args=(state, first), name=f"collect-{name}", daemon=True
            ).start()
            # The first scrape after a start waits a moment, so that it is complete where nothing is wrong.
            first.wait(min(1.0, state.collector.schedule.deadline))
        elif state.running_since is not None:
            ran = time.monotonic() - state.running_since
            if ran > state.collector.schedule.deadline and not state.overdue:
                state.overdue = True
                _retell(state, self._current(state))

    def _run_in_background(self, state: State, first: threading.Event) -> None:
        every = state.collector.schedule.every or 0.0
        while not self._closed.is_set():
            started = time.monotonic()
            if state.watched:
                self._run(state)
            first.set()
            self._closed.wait(max(every - (time.monotonic() - started), every / 10))
        state.collector.close()

    def _run(self, state: State) -> None:
        """Run one collector in the calling thread and note the outcome. Never raises."""
        started = time.monotonic()
        state.running_since = started
        try:
            names: set[str] = set()
            text = encode(state.collector.collect(), names)
            outcome = Outcome(text, frozenset(names))
        except Exception as error:  # noqa: BLE001 - a collector's failure, whatever it is, fails that collector only
            outcome = _failure(error)
        finished = time.monotonic()
        outcome = replace(outcome, seconds=finished - started, finished=finished)
        if not outcome.error:
            state.last_success = time.time()
        _retell(state, outcome)
        state.outcome = outcome
        state.overdue = False
        state.running_since = None

    def _current(self, state: State) -> Outcome:
        """Return the outcome that a scrape shows now: overdue and outdated results are failures."""
        now = time.monotonic()
        schedule = state.collector.schedule
        since = state.running_since
        if since is not None and (state.overdue or schedule.every is None):
            return Outcome(error=f"still running after {schedule.deadline:g} s", seconds=now - since)
        outcome = state.outcome
        if outcome is None:
            return Outcome(error="the first run has not ended yet")
        if schedule.every is not None and now - outcome.finished > schedule.every + schedule.deadline + 5:
            return Outcome(error="the newest result is too old", seconds=outcome.seconds)
        return outcome

    def status(self) -> list[tuple[State, Outcome]]:
        """Return every collector with what a scrape would show of it, without running anything."""
        return [(state, self._current(state) if state.watched else Outcome()) for state in self.states]

    def waiting(self) -> list[str]:
        """Return the names of the collectors whose first run has not ended, and is not overdue."""
        now = time.monotonic()
        return [
            state.collector.name
            for state in self.states
            if state.watched
            and state.outcome is None
            and not state.overdue
            and (state.running_since is None or now - state.running_since <= state.collector.schedule.deadline)
        ]

    def _self_metrics(self, outcomes: Iterable[tuple[State, Outcome]]) -> Iterator[Metric]:
        success = GaugeMetricFamily(
            "mailserver_collector_success",
            "Whether the collector's newest run succeeded; its series are absent when it did not.",
            labels=["collector"],
        )
        duration = GaugeMetricFamily(
            "mailserver_collector_duration_seconds", "How long the collector's newest run took.", labels=["collector"]
        )
        last = GaugeMetricFamily(
            "mailserver_collector_last_success_timestamp_seconds",
            "When the collector last succeeded, 0 if it has not since the exporter started.",
            labels=["collector"],
        )
        for state, outcome in outcomes:
            labels = [state.collector.name]
            success.add_metric(labels, 0.0 if outcome.error else 1.0)
            duration.add_metric(labels, outcome.seconds)
            last.add_metric(labels, state.last_success)
        yield from (success, duration, last)


class _Worker:
    """A thread that runs a list of collectors, and can be left behind with one that hangs."""

    def __init__(self, run: Callable[[State], None]) -> None:
        self._run = run
        self._lists: queue.SimpleQueue[list[State]] = queue.SimpleQueue()
        self._list: list[State] = []
        self._current: State | None = None
        self._changed = threading.Condition()
        self._abandoned = False
        threading.Thread(target=self._work, name="collect", daemon=True).start()

    def give(self, states: list[State]) -> None:
        self._list = list(states)
        self._lists.put(self._list)

    def wait(self, end: float) -> State | None:
        """Wait until the list is done; return the collector that passed its deadline, if one did."""
        with self._changed:
            while self._list or self._current:
                state = self._current
                now = time.monotonic()
                if state is None or state.running_since is None:
                    self._changed.wait(0.05)
                    continue
                due = min(state.running_since + state.collector.schedule.deadline, end)
                if now >= due:
                    self._abandoned = True
                    return state
                self._changed.wait(due - now)
        return None

    def take_back(self) -> list[State]:
        """Return what has not been started."""
        with self._changed:
            rest, self._list = self._list, []
            return rest

    def stop(self) -> None:
        """End the thread once it has nothing to do."""
        self._abandoned = True
        self._lists.put([])

    def _work(self) -> None:
        while not self._abandoned:
            states = self._lists.get()
            while True:
                with self._changed:
                    if self._abandoned or not states:
                        break
                    state = states.pop(0)
                    state.running_since = time.monotonic()
                    self._current = state
                    self._changed.notify()
                self._run(state)
                with self._changed:
                    self._current = None
                    self._changed.notify()


def _look(state: State) -> Detection:
    """Detect, and take an exception, which there should be none of, for not found: one collector's fault is its own."""
    try:
        return state.collector.detect()
    except Exception as error:  # noqa: BLE001 - as in Collection._run
        detection = Detection(False, f"looking for it failed: {_failure(error).error}")
        if detection != state.detection:
            log.warning("collector %s: %s", state.collector.name, detection.detail)
        return detection


def _failure(error: Exception) -> Outcome:
    """Put an exception into one line for the admin."""
    if isinstance(error, SourceError):
        return Outcome(error=_one_line(str(error)), remedy=error.remedy)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return Outcome(error=_one_line(f"{where}{error.strerror}"))
    # Not foreseen: the log gets the traceback, the admin the type.
    log.debug("unforeseen failure", exc_info=error)
    return Outcome(error=_one_line(f"{type(error).__name__}: {error}"))


def _without_clashes(state: State, outcome: Outcome, taken: set[str]) -> bytes:
    """Return what an outcome adds to the exposition, in which every family must be there once."""
    if not state.collector.passes_through:
        return outcome.exposition
    clashes = outcome.names & taken
    for name in sorted(clashes - state.left_out):
        log.warning("collector %s: %s is left out, the exporter has it itself", state.collector.name, name)
    state.left_out = clashes
    # What is passed on keeps its name for those after it, which may be somebody else's, too.
    taken |= outcome.names
    return without(outcome.exposition, clashes) if clashes else outcome.exposition


def _one_line(text: str, limit: int = 300) -> str:
    text = "".join(character if character.isprintable() else " " for character in text[: limit * 2])
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _retell(state: State, new: Outcome) -> None:
    """Log a change from good to bad, from one reason to another, or back; not every repeat."""
    old = state.outcome
    name = state.collector.name
    if new.error and (old is None or old.error != new.error):
        log.warning("collector %s failed: %s", name, new.error)
    elif not new.error and old is not None and (old.error or state.overdue):
        log.info("collector %s works again", name)
