"""From a fault to the message on the phone, with the shipped settings.

Several watchers look at one host at once, started at random moments, so that one fault is measured several times.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.figures import Series, table
from tests.support.mailhost import MailHost
from tests.support.processes import wait_for
from tests.support.watchers import Watchers

WATCHERS = 6
MEDIAN, WORST = 60.0, 90.0


def measure(host: MailHost, folder: Path) -> bool:
    """Print the table; return whether the promise holds."""
    faults: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "60 messages in the queue": (lambda: host.postfix.submit_deferred(60), host.postfix.delete),
        "a port that is closed": (host.dovecot.stop, host.dovecot.start),
        "a port that accepts and says nothing": (host.dovecot.freeze, host.dovecot.thaw),
        "a stopped container": (
            lambda: host.container("postfix-mailcow").stop(timeout=1),
            lambda: host.container("postfix-mailcow").start(),
        ),
    }
    rows = []
    everything = Series()
    for number, (name, (inject, recover)) in enumerate(faults.items()):
        print(f"measuring: {name}", flush=True)
        times = _measure(host, folder / str(number), inject, recover)
        everything.values += times.values
        rows.append([name, f"{times.median:.0f} s", f"{times.worst:.0f} s", len(times.values)])
    rows.append(["all", f"{everything.median:.0f} s", f"{everything.worst:.0f} s", len(everything.values)])
    table("From a fault to the Telegram message, shipped settings", ["fault", "median", "worst", "measured"], rows)
    good = min(everything.values) > 0 and everything.median <= MEDIAN and everything.worst <= WORST
    print(f"promise: {MEDIAN:.0f} s at the median, {WORST:.0f} s at worst: {'holds' if good else 'BROKEN'}")
    return good


def _measure(host: MailHost, folder: Path, inject: Callable[[], object], recover: Callable[[], object]) -> Series:
    with contextlib.ExitStack() as stack:
        watchers = []
        for number in range(WATCHERS):
            watchers.append(stack.enter_context(Watchers(folder / str(number), host.settings())))
            time.sleep(random.uniform(0, 4))
        wait_for(
            "all watchers have measured", lambda: all(w.query("mailserver_collector_success") for w in watchers), 60
        )
        time.sleep(15)
        already = [len(w.telegram.messages) for w in watchers]
        started = time.monotonic()
        inject()
        try:
            wait_for(
                "everyone is told",
                lambda: all(len(w.telegram.messages) > n for w, n in zip(watchers, already, strict=True)),
                150,
            )
        finally:
            recover()
        return Series([w.telegram.messages[n].time - started for w, n in zip(watchers, already, strict=True)])
