"""``backup-mark``: what scripts report is written whole or not at all, and told."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from pathlib import Path

import pytest

from mailserver_exporter import backup_mark, cli
from mailserver_exporter.sources import SourceError, backup_marks
from tests.support.backups import Watched
from tests.support.mounts import mounted


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.yml"
    file.write_text(f"state_directory: {tmp_path}/state\n")
    return file


def mark(config: Path, *arguments: str) -> int:
    return cli.main([f"--config.file={config}", "backup-mark", *arguments])


def test_a_success_a_failure_a_copy_and_a_rehearsal_are_told(tmp_path: Path, config: Path) -> None:
    before = time.time()
    assert mark(config, "restic", "--size", "1000") == 0
    assert mark(config, "restic", "--size=3000") == 0
    assert mark(config, "restic", "--size=5000") == 0
    found = Watched(tmp_path).look()
    told = {
        s.name.removeprefix("mailserver_backup_"): s.value
        for s in found.samples
        if s.name.startswith("mailserver_backup_")
    }
    assert told.pop("last_timestamp_seconds") >= before
    assert told.pop("last_success_timestamp_seconds") >= before
    assert told == {
        "last_size_bytes": 5000,
        "median_size_bytes": 3000,
        "last_failure_timestamp_seconds": 0,
        "last_restore_rehearsal_timestamp_seconds": 0,
        "last_copy_timestamp_seconds": 0,
    }

    for event in ("--failed", "--copied", "--rehearsed"):
        assert mark(config, "restic", event) == 0
    found = Watched(tmp_path).look()
    for name in ("last_failure", "last_copy", "last_restore_rehearsal"):
        assert found.value(f"mailserver_backup_{name}_timestamp_seconds", name="restic") >= before
    assert found.value("mailserver_backup_last_size_bytes", name="restic") == 5000
    assert found.all("mailserver_threshold_backup_copy_age_seconds", name="restic")


def test_a_backup_that_never_succeeded_is_missing(tmp_path: Path, config: Path) -> None:
    assert mark(config, "borg", "--failed") == 0
    found = Watched(tmp_path).look()
    assert found.value("mailserver_backup_available", name="borg") == 0
    assert found.all("mailserver_backup_last_timestamp_seconds", name="borg") == []


def test_a_mark_is_let_go(tmp_path: Path, config: Path) -> None:
    mark(config, "borg")
    assert Watched(tmp_path).collector.detect().detail == "reported by backup-mark"
    assert mark(config, "borg", "--forget") == 0
    assert mark(config, "borg", "--forget") == 1
    assert Watched(tmp_path).look().all("mailserver_backup_last_timestamp_seconds") == []


@pytest.mark.parametrize("name", ["", ".", "../x", "a/b", "-x", "a b", "a" * 65, "ä", "a\n", "a\0"])
def test_a_name_that_is_no_label_and_no_file_is_refused(
    config: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        mark(config, name)
    assert capsys.readouterr().err
    assert not (config.parent / "state").exists()


@pytest.mark.parametrize("words", [["--size", "-1"], ["--size", "1e9"], ["--size", "x"], ["--failed", "--rehearsed"]])
def test_what_makes_no_sense_is_refused(config: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        mark(config, "restic", *words)


def test_a_size_of_a_failure_is_refused(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mark(config, "restic", "--failed", "--size", "1") == 2
    assert "--size" in capsys.readouterr().err


def test_a_full_disk_loses_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with mounted(tmp_path / "state", "-t", "tmpfs", "-o", "size=64k", "tests"):
        config = tmp_path / "config.yml"
        config.write_text(f"state_directory: {tmp_path}/state\n")
        assert mark(config, "restic", "--size=1000") == 0
        with pytest.raises(OSError, match="No space"):
            (tmp_path / "state/filler").write_bytes(bytes(1 << 20))
        assert mark(config, "restic", "--failed") == 2
        assert "No space left" in capsys.readouterr().err
        [file] = (tmp_path / "state/backup-marks").glob("restic*")
        assert backup_marks.parse(file.read_bytes()).sizes == (1000.0,)


def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    calls = [
        threading.Thread(target=backup_mark.note, args=(tmp_path, "restic", "succeeded", size)) for size in range(8)
    ]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    mark = backup_marks.parse(Path(backup_marks.path(str(tmp_path), "restic")).read_bytes())
    assert sorted(mark.sizes) == list(range(8))


def test_the_last_ten_sizes_are_kept(tmp_path: Path) -> None:
    for size in range(15):
        backup_mark.note(tmp_path, "restic", "succeeded", size)
    mark = backup_marks.parse(Path(backup_marks.path(str(tmp_path), "restic")).read_bytes())
    assert mark.sizes == tuple(range(5, 15))


def test_nobody_else_can_read_or_write_a_mark(tmp_path: Path) -> None:
    backup_mark.note(tmp_path / "state", "restic", "succeeded")
    folder = tmp_path / "state/backup-marks"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "restic.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"failed": "x"}',
        b'{"failed": -1}',
        b'{"failed": NaN}',
        b'{"sizes": [true]}',
        b"\xff",
    ],
)
def test_a_damaged_mark_is_told_kept_aside_and_begun_anew(tmp_path: Path, config: Path, data: bytes) -> None:
    with pytest.raises(SourceError, match="is not a mark"):
        backup_marks.parse(data)
    mark(config, "borg")
    folder = tmp_path / "state/backup-marks"
    (folder / "restic.json").write_bytes(data)
    watched = Watched(tmp_path)
    assert {s.labels["name"] for s in watched.look().all("mailserver_backup_last_timestamp_seconds")} == {"borg"}
    assert [f.state for f in watched.collector.findings() if "restic.json" in f.detail] == ["bad"]

    assert mark(config, "restic") == 0
    assert (folder / "restic.damaged").read_bytes() == data
    assert json.loads((folder / "restic.json").read_text())["succeeded"] > 0


def test_it_works_as_the_command_that_scripts_call(tmp_path: Path, config: Path) -> None:
    import sys

    from tests.support.tools import ROOT

    command = [sys.executable, "-m", "mailserver_exporter", f"--config.file={config}", "backup-mark", "restic"]
    done = subprocess.run(command, cwd=ROOT / "exporter", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
