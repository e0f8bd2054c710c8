"""Logs from which no line may be lost and none counted twice, however often the exporter is killed."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.support import log_race
from tests.support.journald import Journald
from tests.support.processes import wait_for
from tests.support.tools import ROOT

HEADER = b"2026-11-22T03:13:51.123456+00:00 mail "


def append(path: Path, lines: list[bytes]) -> None:
    with path.open("ab") as file:
        file.write(b"".join(HEADER + line + b"\n" for line in lines))


def rename(path: Path) -> None:
    for number in range(20, 0, -1):
        for ending in ("", ".gz"):
            old = Path(f"{path}.{number}{ending}")
            if old.exists():
                old.rename(f"{path}.{number + 1}{ending}")
    path.rename(f"{path}.1")
    path.touch()


def rename_and_compress(path: Path) -> None:
    rename(path)
    old = Path(f"{path}.1")
    times = old.stat()
    packed = Path(f"{path}.1.gz")
    packed.write_bytes(gzip.compress(old.read_bytes(), 1))
    os.utime(packed, ns=(times.st_atime_ns, times.st_mtime_ns))
    old.unlink()


def copy_and_truncate(path: Path) -> None:
    for number in range(20, 0, -1):
        old = Path(f"{path}.{number}")
        if old.exists():
            old.rename(f"{path}.{number + 1}")
    shutil.copyfile(path, f"{path}.1")
    os.truncate(path, 0)


class Recreate:
    """Delete the log and make a new one, once all of it has been read: what nobody read before is gone for anybody."""

    def __init__(self, state: Path) -> None:
        self._state = state

    def __call__(self, path: Path) -> None:
        name = str(path)
        size, inode = path.stat().st_size, path.stat().st_ino

        def all_is_read() -> bool:
            place = json.loads((self._state / "logs.json").read_bytes())["positions"][name]
            return place["offset"] == size and place["inode"] == inode

        wait_for("all is read and saved", all_is_read, 60)
        path.unlink()
        path.touch()


@pytest.mark.parametrize("rotate", [rename, rename_and_compress, copy_and_truncate])
def test_a_file_is_counted_once_through_ten_rotations_and_many_kills(
    tmp_path: Path, rotate: Callable[[Path], None]
) -> None:
    path = tmp_path / "mail.log"
    path.touch()
    writer = log_race.Writer(lambda lines: append(path, lines), lambda: rotate(path))
    exporter = log_race.exporter(tmp_path / "exporter", f"logs: {{sources: {{postfix: {path}, sshd: none}}}}\n")
    kills = log_race.assert_nothing_is_lost_or_doubled(exporter, writer)
    assert kills >= 8


def test_a_file_that_is_deleted_and_made_anew_is_counted_once_through_many_kills(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    path.touch()
    exporter = log_race.exporter(tmp_path / "exporter", f"logs: {{sources: {{postfix: {path}, sshd: none}}}}\n")
    recreate = Recreate(exporter.state)
    writer = log_race.Writer(lambda lines: append(path, lines), lambda: recreate(path))
    assert log_race.assert_nothing_is_lost_or_doubled(exporter, writer) >= 8


@pytest.mark.parametrize("saving", ["late", "never"])
def test_it_would_be_seen_if_counts_were_shown_before_they_are_saved(tmp_path: Path, saving: str) -> None:
    path = tmp_path / "mail.log"
    path.touch()
    writer = log_race.Writer(lambda lines: append(path, lines), lambda: rename(path))
    settings = f"logs: {{sources: {{postfix: {path}, sshd: none}}}}\n"
    exporter = log_race.exporter(tmp_path / "exporter", settings, saving=saving)
    with pytest.raises(AssertionError, match=r"after \d+ kills|every line is counted"):
        log_race.assert_nothing_is_lost_or_doubled(exporter, writer, patience=5)


def test_a_log_that_cannot_be_read_is_told_on_the_status_page_and_by_check(tmp_path: Path) -> None:
    path, gone = tmp_path / "mail.log", tmp_path / "gone.log"
    path.touch()
    exporter = log_race.exporter(tmp_path / "exporter", f"logs: {{sources: {{postfix: {path}, sshd: {gone}}}}}\n")
    up = "mailserver_log_source_up"
    with exporter:
        wait_for("the logs are looked at", lambda: exporter.scrape().all(up))
        found = exporter.scrape()
        assert (found.value(up, source=str(path)), found.value(up, source=str(gone))) == (1, 0)
        assert found.value("mailserver_collector_success", collector="logs") == 1
        page = requests.get(exporter.url, timeout=10).text
        command = [sys.executable, "-m", "mailserver_exporter", "check", f"--config.file={exporter.config}"]
        told = subprocess.run(
            command, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT / "exporter")}
        ).stdout
    row = f"<td>log {gone}</td><td><span class=bad>bad</span></td><td>{gone}: No such file or directory"
    assert row in page
    for text in (page, told):
        assert "name where the log is now in logs.sources" in text
    assert f"{gone}: No such file or directory" in told.partition("Needs your attention")[2]


def test_lines_are_counted_once_through_reloads(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    path.touch()
    exporter = log_race.exporter(tmp_path / "exporter", f"logs: {{sources: {{postfix: {path}, sshd: none}}}}\n")
    writer = log_race.Writer(lambda lines: append(path, lines), lambda: rename(path))
    reloads = 0
    with exporter, log_race.Reader(exporter.url) as reader:
        wait_for("the log is followed", lambda: reader.scrapes, 30)
        writer.start()
        while not writer.done:
            assert requests.post(f"{exporter.url}/-/reload", timeout=20).status_code == 200
            reloads += 1
            time.sleep(0.3)
        wait_for("every line is counted", lambda: reader.increase >= writer.written, 30)
        scrapes = reader.scrapes
        wait_for("it goes on reading", lambda: reader.scrapes > scrapes + 10)
    assert reader.increase == writer.written
    assert reloads >= 5


def test_the_journal_is_counted_once_through_ten_rotations_and_many_kills(tmp_path: Path) -> None:
    with Journald() as journald:
        writer = log_race.Writer(journald.log, journald.rotate)
        settings = "logs: {sources: {postfix: journal, sshd: none}}\n"
        rootfs = f"--path.rootfs={journald.root}"
        exporter = log_race.exporter(tmp_path / "exporter", settings, rootfs)
        kills = log_race.assert_nothing_is_lost_or_doubled(exporter, writer)
        assert kills >= 8
        assert len(journald.files()) > 10
