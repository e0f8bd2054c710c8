"""Logs from which no line may be lost and none counted twice, however often the exporter is killed."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import log_race
from tests.support.journald import Journald

HEADER = b"2026-11-22T03:13:51.123456+00:00 mail "


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


@pytest.mark.parametrize("rotate", [rename, rename_and_compress, copy_and_truncate])
def test_a_file_is_counted_once_through_ten_rotations_and_many_kills(
    tmp_path: Path, rotate: Callable[[Path], None]
) -> None:
    path = tmp_path / "mail.log"
    path.touch()

    def write(lines: list[bytes]) -> None:
        with path.open("ab") as file:
            file.write(b"".join(HEADER + line + b"\n" for line in lines))

    writer = log_race.Writer(write, lambda: rotate(path))
    exporter = log_race.exporter(tmp_path / "exporter", f"logs: {{sources: {{postfix: {path}, sshd: none}}}}\n")
    kills = log_race.assert_nothing_is_lost_or_doubled(exporter, writer)
    assert kills >= 8


def test_the_journal_is_counted_once_through_ten_rotations_and_many_kills(tmp_path: Path) -> None:
    with Journald() as journald:
        writer = log_race.Writer(journald.log, journald.rotate)
        settings = "logs: {sources: {postfix: journal, sshd: none}}\n"
        rootfs = f"--path.rootfs={journald.root}"
        exporter = log_race.exporter(tmp_path / "exporter", settings, rootfs)
        kills = log_race.assert_nothing_is_lost_or_doubled(exporter, writer)
        assert kills >= 8
        assert len(journald.files()) > 10
