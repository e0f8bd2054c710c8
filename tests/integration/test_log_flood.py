"""A source that writes 50,000 lines a second: memory stays bounded, counts are right, scrapes are not held up."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support import log_race
from tests.support.exporter import Exporter
from tests.support.journald import Journald
from tests.support.processes import wait_for

LINES_PER_SECOND = 50_000
SECONDS = 15
# journald takes 30,000 a second, and throws away what is oldest beyond SystemMaxUse.
JOURNAL_LINES = 120_000
HEADER = b"2026-11-22T03:13:51.123456+00:00 mail "


def resident(exporter: Exporter) -> int:
    """Return the exporter's memory in KiB."""
    status = Path(f"/proc/{exporter.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def test_a_flood_is_counted_in_bounded_memory_and_holds_up_no_scrape(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    path.touch()
    # At the shipped speed, beside collectors that need the interpreter again after many a system call.
    settings = log_race.ONLY_LOGS
    for name in ("cpu", "memory", "load", "network", "processes"):
        settings = settings.replace(f"{name}: {{enabled: false}}\n", "")
    settings += f"logs: {{sources: {{postfix: {path}, sshd: none}}}}\n"
    exporter = Exporter(tmp_path / "exporter", settings)
    burst = b"".join(HEADER + log_race.line(number) + b"\n" for number in range(LINES_PER_SECOND // 50))
    with exporter:
        exporter.scrape()
        quiet = min(_seconds(exporter) for _ in range(10))
        before = resident(exporter)
        slow, written, peak = [], 0, before
        end = time.monotonic() + SECONDS
        with path.open("ab", buffering=0) as file:
            while time.monotonic() < end:
                started = time.monotonic()
                file.write(burst)
                written += LINES_PER_SECOND // 50
                if written % LINES_PER_SECOND == 0:
                    slow.append(_seconds(exporter))
                    peak = max(peak, resident(exporter))
                time.sleep(max(0.0, 0.02 - (time.monotonic() - started)))
        removed = "postfix_qmgr_messages_removed_total"
        wait_for("all lines are counted", lambda: exporter.scrape().value(removed) >= written, 90, pause=0.5)
        assert exporter.scrape().value(removed) == written
        peak = max(peak, resident(exporter))
    print(f"{written} lines; a scrape took {quiet:.3f} s before and {sorted(slow)[len(slow) // 2]:.3f} s in the flood")
    assert peak - before < 4096
    # Far from a deadline of a scrape even on a machine that does other things, too.
    assert sorted(slow)[len(slow) // 2] < quiet + 0.5


def test_a_flood_through_the_journal_is_counted_as_fast_as_journald_takes_it(tmp_path: Path) -> None:
    with Journald(file_size="64M") as journald:
        settings = log_race.ONLY_LOGS + "logs: {sources: {postfix: journal, sshd: none}}\n"
        exporter = Exporter(tmp_path / "exporter", settings, arguments=(f"--path.rootfs={journald.root}",))
        removed = "postfix_qmgr_messages_removed_total"
        with exporter:
            wait_for("the journal is followed", lambda: exporter.scrape().all(removed))
            before, peak, written = resident(exporter), 0, 0
            slow = []
            while written < JOURNAL_LINES:
                journald.log(log_race.line(number) for number in range(written, written + 2000))
                written += 2000
                slow.append(_seconds(exporter))
                peak = max(peak, resident(exporter))
            wait_for("all lines are counted", lambda: exporter.scrape().value(removed) >= written, 60, pause=0.5)
            assert exporter.scrape().value(removed) == written
            peak = max(peak, resident(exporter))
    assert peak - before < 8192
    assert sorted(slow)[len(slow) // 2] < 0.5


def _seconds(exporter: Exporter) -> float:
    started = time.monotonic()
    exporter.scrape()
    return time.monotonic() - started
