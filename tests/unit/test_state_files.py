"""The files of the state directory."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from mailserver_exporter import state_files


def test_a_file_and_its_directory_are_for_nobody_else(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with state_files.locked(tmp_path / "state/some.lock"):
            state_files.replace(tmp_path / "state/some.json", b"{}")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes == {"state": 0o700, "some.lock": 0o600, "some.json": 0o600}


def test_what_cannot_be_written_whole_leaves_the_old_and_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "some.json"
    state_files.replace(file, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            state_files.replace(file, b"x" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert file.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["some.json"]
