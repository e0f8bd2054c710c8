"""Calls that may never come back, made so that none holds up another."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class HangingCalls:
    """Makes calls that may never come back, such as statvfs(2) on a dead NFS mount, and does not wait for those.

    A call that hangs keeps a thread until it comes back, and until then its key is not called again. So it is waited
    for once, costs later rounds nothing, and works again by itself.
    """

    MAX_THREADS = 16
    # One thread makes all calls of a round as long as they take no longer than this; then it gets help.
    _SLOW_SECONDS = 0.1

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._away: set[Hashable] = set()
        self._threads = 0

    def run(self, calls: Mapping[K, Callable[[], T]], seconds: float) -> dict[K, T | Exception]:
        """Make each call and return what came back within ``seconds``: a value, or the exception that was raised.

        Keys whose call has not come back, now or from an earlier round, are absent.
        """
        end = time.monotonic() + seconds
        answers: dict[K, T | Exception] = {}

        def work() -> None:
            while True:
                with self._changed:
                    if not todo:
                        self._threads -= 1
                        return
                    key = todo.popleft()
                    self._away.add(key)
                answer = _attempt(calls[key])
                with self._changed:
                    self._away.discard(key)
                    answers[key] = answer
                    if len(answers) == expected:
                        self._changed.notify_all()

        with self._changed:
            todo = deque(key for key in calls if key not in self._away)
            expected = len(todo)
            first = True
            while len(answers) < expected and (left := end - time.monotonic()) > 0:
                # However many threads hang, what can be reached is still reached by the first one.
                if todo and (first or self._threads < self.MAX_THREADS):
                    self._threads += 1
                    threading.Thread(target=work, name="call", daemon=True).start()
                first = False
                self._changed.wait(min(self._SLOW_SECONDS, left))
            todo.clear()
            return dict(answers)


def _attempt(call: Callable[[], T]) -> T | Exception:
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - handed to the caller of run()
        return error
