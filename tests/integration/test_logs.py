"""Logs from which no line may be lost and none counted twice, however often the exporter is killed."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import log_race
from tests.support.journald import Journald
from tests.support.processes import wait_for

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


def test_the_journal_is_counted_once_through_ten_rotations_and_many_kills(tmp_path: Path) -> None:
    with Journald() as journald:
        writer = log_race.Writer(journald.log, journald.rotate)
        settings = "logs: {sources: {postfix: journal, sshd: none}}\n"
        rootfs = f"--path.rootfs={journald.root}"
        exporter = log_race.exporter(tmp_path / "exporter", settings, rootfs)
        kills = log_race.assert_nothing_is_lost_or_doubled(exporter, writer)
        assert kills >= 8
        assert len(journald.files()) > 10
