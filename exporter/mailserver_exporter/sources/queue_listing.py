"""How old and how large the messages of a Postfix queue are: from showq, or from the queue files without it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from mailserver_exporter.sources import postfix_queue, queue_file, showq
from mailserver_exporter.sources.histogram import Histogram

# The buckets of postfix_exporter (Hsn723, showq/showq.go), written as Go writes them.
AGE_BUCKETS = {
    "10": 1e1,
    "100": 1e2,
    "1000": 1e3,
    "10000": 1e4,
    "100000": 1e5,
    "1e+06": 1e6,
    "1e+07": 1e7,
    "1e+08": 1e8,
}
SIZE_BUCKETS = {"1000": 1e3, "10000": 1e4, "100000": 1e5, "1e+06": 1e6, "1e+07": 1e7, "1e+08": 1e8, "1e+09": 1e9}

# Where the listing of a longer queue ends.
MAX_MESSAGES = 200_000
# How many queue files of each state are read where showq does not answer.
_MAX_FILES = 1000


@dataclass
class Figures:
    """The messages of one state; ``oldest`` is an arrival in seconds since the epoch."""

    oldest: int | None = None
    ages: Histogram = field(default_factory=lambda: Histogram(AGE_BUCKETS))
    sizes: Histogram = field(default_factory=lambda: Histogram(SIZE_BUCKETS))


@dataclass(frozen=True)
class Listing:
    """What one listing found, by state.

    ``complete`` is false where it was cut short, ``by_showq`` where queue files were read instead.
    """

    states: Mapping[str, Figures]
    complete: bool
    by_showq: bool


def take(queue: str, now: float, seconds: float, max_messages: int = MAX_MESSAGES) -> Listing:
    """List the queue in a directory, within about ``seconds`` and with memory that does not grow with the queue.

    Where showq does not answer (Postfix is stopped, or we may not talk to it), some queue files are read instead.
    Raises SourceError when the files cannot be read either or showq's answer is none.
    """
    states = {state: Figures() for state in showq.QUEUES}
    listed = 0
    try:
        # One more than wanted tells a list that is just as long from a longer one.
        for message in islice(showq.read(queue, seconds), max_messages + 1):
            listed += 1
            if listed <= max_messages:
                _add(states, message, now)
    except OSError:
        if listed:
            return Listing(states, complete=False, by_showq=True)
        return _from_files(queue, now)
    return Listing(states, complete=listed <= max_messages, by_showq=True)


def _from_files(queue: str, now: float) -> Listing:
    states = {state: Figures() for state in showq.QUEUES}
    complete = True
    for state in showq.QUEUES:
        paths = postfix_queue.messages(queue, state, _MAX_FILES + 1)
        complete = complete and len(paths) <= _MAX_FILES
        for message in _readable(paths[:_MAX_FILES], state):
            _add(states, message, now)
    return Listing(states, complete, by_showq=False)


def _readable(paths: Iterable[str], state: str) -> Iterator[showq.Message]:
    for path in paths:
        message = queue_file.read(path, state)
        if message is not None:
            yield message


def _add(states: Mapping[str, Figures], message: showq.Message, now: float) -> None:
    figures = states.get(message.queue)
    if figures is None:
        return
    if figures.oldest is None or message.arrived < figures.oldest:
        figures.oldest = message.arrived
    figures.ages.add(max(0.0, now - message.arrived))
    figures.sizes.add(message.size)
