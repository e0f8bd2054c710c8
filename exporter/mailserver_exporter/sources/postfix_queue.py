"""Count the messages of a Postfix queue from its spool directories, at a cost that does not grow with the queue.

A message is one regular file named after its queue id, in the directory of its state or in hashed directories below
(postconf(5), hash_queue_names and hash_queue_depth). A directory's modification time changes whenever an entry comes,
goes or is renamed, so only directories that changed are listed again, and of those only some thousand entries a run:
a large directory that keeps changing is listed over several runs, during which its last known number stands.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice

from mailserver_exporter.sources import SourceError

# Everything that can be in a queue, in the order of a message's way; QSHAPE_README.
STATES = ("maildrop", "incoming", "active", "deferred", "hold", "corrupt")

# `hold` is made when Postfix first starts; Debian's package comes without it.
_REQUIRED = ("maildrop", "incoming", "active", "deferred")

# What a run may read of directories that changed. An entry takes 0.4 us, nearly all of it in the kernel.
ENTRIES_PER_RUN = 5000

# Postfix' own limit of hash_queue_depth.
_MAX_DEPTH = 16

# A listing made this soon after a change may have missed a second change with the same time stamp: the coarsest
# clocks of file systems count in steps of two seconds.
_SETTLED_NS = 2_000_000_000

REMEDY = "run as root, as the user postfix, or with the capability CAP_DAC_READ_SEARCH"


class QueueCounter:
    """Counts the messages of one queue directory, remembering what has not changed."""

    def __init__(self, entries_per_run: int = ENTRIES_PER_RUN, clock: Callable[[], int] = time.time_ns) -> None:
        self._share = entries_per_run
        self._clock = clock
        self._known: dict[str, _Directory] = {}
        self._seen: dict[str, _Directory] = {}
        self._left = 0
        self._runs = 0

    def count(self, queue: str) -> dict[str, int]:
        """Return the number of messages by state, every state present.

        Exact as long as the directories that changed hold fewer than ``entries_per_run`` entries. The number of a
        larger directory that changes all the time lags by as many runs as its listing takes: 20 for 100,000 messages.
        Raises SourceError where there is no queue or it cannot be read, OSError where reading fails otherwise.
        """
        self._runs += 1
        self._seen = {}
        self._left = self._share
        with _explained(queue):
            trees = {state: list(self._visit(f"{queue}/{state}")) for state in STATES}
            for state in _REQUIRED:
                if not trees[state]:
                    raise FileNotFoundError(2, "No such directory", f"{queue}/{state}")
            self._list_large()
        for path in self._known.keys() - self._seen.keys():
            self._known.pop(path).close()
        return {state: sum(directory.count for directory in tree) for state, tree in trees.items()}

    def close(self) -> None:
        """Close the listings that are under way."""
        for directory in self._known.values():
            directory.close()
        self._known.clear()

    def _visit(self, path: str, depth: int = 0) -> Iterator[_Directory]:
        """Yield the directory and those below it, nothing where it is gone; list what is new, or small and changed."""
        directory = self._known.get(path)
        try:
            status = os.stat(path)
            if directory is None or directory.inode != (status.st_dev, status.st_ino):
                self._known[path] = directory = _Directory(path, (status.st_dev, status.st_ino))
                directory.list(None, status.st_mtime_ns, self._clock(), self._runs)
            directory.modified = status.st_mtime_ns
            if directory.changed and directory.count <= self._share // 10 and self._left > 0:
                self._left -= directory.list(self._left, status.st_mtime_ns, self._clock(), self._runs)
        except FileNotFoundError:
            return
        self._seen[path] = directory
        yield directory
        if depth < _MAX_DEPTH:
            for name in directory.subdirectories:
                yield from self._visit(f"{path}/{name}", depth + 1)

    def _list_large(self) -> None:
        """Go on with the listing of what is large and changed, the one that is under way and the oldest first."""
        changed = [
            directory for directory in self._seen.values() if directory.changed and directory.listed < self._runs
        ]
        for directory in sorted(changed, key=lambda each: (not each.under_way, each.listed)):
            if self._left <= 0:
                return
            try:
                self._left -= directory.list(self._left, directory.modified, self._clock(), self._runs)
            except FileNotFoundError:
                continue  # gone since a moment ago; the next run does not find it


class _Directory:
    """One directory: the number of messages in it and the names of those below it, as of its last listing."""

    def __init__(self, path: str, inode: tuple[int, int]) -> None:
        self.path = path
        self.inode = inode
        self.count = 0
        self.subdirectories: list[str] = []
        self.listed = 0  # the run that last read of it
        self.modified = 0
        self._valid_for = -1
        self._entries: Iterator[os.DirEntry[str]] | None = None
        self._stamp = -1
        self._messages = 0
        self._below: list[str] = []

    @property
    def under_way(self) -> bool:
        """Say whether a listing has begun and not ended."""
        return self._entries is not None

    @property
    def changed(self) -> bool:
        """Say whether it has to be listed again, or its listing has not ended."""
        return self.under_way or self.modified != self._valid_for

    def list(self, limit: int | None, modified: int, now: int, run: int) -> int:
        """Read up to ``limit`` entries; return how many there were. The new number holds once all have been read."""
        if self._entries is None:
            self._entries = os.scandir(self.path)
            self._stamp = modified if now - modified > _SETTLED_NS else -1
            self._messages = 0
            self._below = []
        self.listed = run
        read = 0
        for entry in islice(self._entries, limit):
            read += 1
            # What is still being written has a dot in its name (Postfix, mail_queue_enter).
            if entry.name.isalnum() and entry.is_file(follow_symlinks=False):
                self._messages += 1
            elif entry.is_dir(follow_symlinks=False):
                self._below.append(entry.name)
        if read == limit:
            # A directory that grows shows it before its listing ends.
            self.count = max(self.count, self._messages)
        else:
            self.count = self._messages
            self.subdirectories = self._below
            self._valid_for = self._stamp
            self.close()
        return read

    def close(self) -> None:
        """Give up the listing that is under way."""
        if self._entries is not None:
            self._entries.close()  # type: ignore[attr-defined]
            self._entries = None


def messages(queue: str, state: str, limit: int) -> list[str]:
    """Return the paths of up to ``limit`` messages of a state, in no order. Raises as ``QueueCounter.count`` does."""
    with _explained(queue):
        return list(islice(_messages(f"{queue}/{state}", _MAX_DEPTH), limit))


def _messages(path: str, depth: int) -> Iterator[str]:
    below = []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.name.isalnum() and entry.is_file(follow_symlinks=False):
                    yield entry.path
                elif entry.is_dir(follow_symlinks=False):
                    below.append(entry.path)
    except FileNotFoundError:
        return
    for directory in below if depth else ():
        yield from _messages(directory, depth - 1)


@contextmanager
def _explained(queue: str) -> Iterator[None]:
    """Say what the admin can do when a queue is not there or cannot be read."""
    try:
        os.stat(queue)
        yield
    except FileNotFoundError as error:
        raise SourceError(
            f"the mail queue is not there: {error.filename}: No such directory",
            remedy="start Postfix once, mount its queue directory, or name it in queue.directory",
        ) from error
    except PermissionError as error:
        raise SourceError(f"cannot list {error.filename}: Permission denied", remedy=REMEDY) from error
