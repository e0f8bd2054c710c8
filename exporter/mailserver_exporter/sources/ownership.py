"""Whom the files below a directory belong to, found out a bounded step at a time."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MAX_DEPTH = 32  # a Maildir++ store needs about eight, and two file descriptors are open for each level
# A directory that a link has taken the place of since we looked is not entered.
_OPEN_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def entries(directory: str) -> Iterator[os.stat_result | None]:
    """Yield the status of everything below a directory, and None for each part that could not be looked into.

    Symbolic links are not followed, other file systems not entered. Left out is what vanishes meanwhile, and the
    ``lost+found`` of a store that is a file system of its own. Open directories are held between two entries, so an
    iterator that was begun keeps its file system busy. Raises OSError when the directory itself cannot be opened;
    no other error, because names below a mail store are addresses and do not belong into messages.
    """
    stack = [_Level(os.open(directory, _OPEN_FLAGS & ~os.O_NOFOLLOW))]
    device = os.fstat(stack[0].descriptor).st_dev
    try:
        while stack:
            level = stack[-1]
            try:
                entry = next(level.listing, None)
            except OSError:
                # A listing that fails once (a damaged disk) may fail for ever: it is given up.
                entry = None
                yield None
            if entry is None:
                stack.pop().close()
                continue
            status = None
            try:
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    if status.st_dev != device or (len(stack) == 1 and entry.name == "lost+found"):
                        continue
                    stack.append(_Level.below(stack, entry.name))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:
                yield None
            if status is not None:
                yield status
    finally:
        for level in stack:
            level.close()


class _Level:
    """A directory that is being listed."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        try:
            self.listing = os.scandir(descriptor)
        except OSError:
            os.close(descriptor)
            raise

    @classmethod
    def below(cls, levels: Sequence[_Level], name: str) -> _Level:
        """Open a directory of the innermost level; raises OSError, also when that is too deep."""
        if len(levels) >= MAX_DEPTH:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        return cls(os.open(name, _OPEN_FLAGS, dir_fd=levels[-1].descriptor))

    def close(self) -> None:
        self.listing.close()
        os.close(self.descriptor)


@dataclass(frozen=True)
class Tally:
    """How many entries there are, how many have the wrong owner or group, and how many parts were left out."""

    entries: int = 0
    wrong: int = 0
    left_out: int = 0


class OwnerWalk:
    """Goes through a tree over and over, a step at a time, and counts what does not belong to ``uid`` and ``gid``.

    A pass that fits into one step is made at every step. One that takes longer is followed by ``rest`` seconds
    without any, unless it found something: then the repair should be noticed as soon as it can be.
    """

    def __init__(self, directory: str, uid: int, gid: int, *, rest: float = 300.0) -> None:
        self.directory = directory
        self.owner = (uid, gid)
        self._rest = rest
        self._resting_until = 0.0
        self._entries: Iterator[os.stat_result | None] | None = None
        self._under_way = Tally()
        self._last: Tally | None = None

    @property
    def found(self) -> Tally:
        """What the last whole pass found, or the one under way if there is no other; wrong ones as soon as found."""
        last = self._last or self._under_way
        return Tally(last.entries, max(last.wrong, self._under_way.wrong), last.left_out)

    @property
    def complete(self) -> bool:
        """Whether a whole pass has been made, and it left nothing out."""
        return self._last is not None and not self._last.left_out

    def step(self, max_entries: int, max_seconds: float) -> None:
        """Look at some more entries. Raises OSError when the directory itself cannot be opened."""
        begun = self._entries is not None
        now = time.monotonic()
        if not begun and now < self._resting_until:
            return
        if self._entries is None:
            self._entries, self._under_way = entries(self.directory), Tally()
        count, wrong, left_out = self._under_way.entries, self._under_way.wrong, self._under_way.left_out
        try:
            for status in self._entries:
                if status is None:
                    left_out += 1
                else:
                    count += 1
                    wrong += (status.st_uid, status.st_gid) != self.owner
                max_entries -= 1
                if max_entries <= 0 or time.monotonic() - now > max_seconds:
                    return
        except OSError:
            self._entries = None
            raise
        finally:
            self._under_way = Tally(count, wrong, left_out)
        self._last, self._entries, self._under_way = self._under_way, None, Tally()
        if begun and not wrong:
            self._resting_until = time.monotonic() + self._rest
