"""Which Prometheus and which Alertmanager `make run` takes."""

from __future__ import annotations

from pathlib import Path

import pytest

import debian_packages
import run_programs
from run_programs import ALERTMANAGER, PROMETHEUS, ProgramError, find


def program(folder: Path, name: str, says: str) -> Path:
    """Make a program that states a version, as `prometheus --version` of 2.42 does."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\necho '{says}'\n")
    file.chmod(0o755)
    return file


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with one empty folder, and an archive that has nothing."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(debian_packages, "fetch", _nothing_to_fetch)
    return folder


def _nothing_to_fetch(names: list[str], cache: Path) -> Path:
    raise debian_packages.FetchError(f"apt-get failed: no {names[0]} in {cache}")


def test_the_one_on_the_path_is_taken(path: Path, tmp_path: Path) -> None:
    file = program(path, "prometheus", "prometheus, version 3.5.3+ds1 (branch: debian/sid, revision: 3.5.3+ds1-6)")
    found = find(PROMETHEUS, tmp_path)
    assert (found.path, found.version) == (str(file), (3, 5, 3))


def test_alertmanager_goes_by_two_names(path: Path, tmp_path: Path) -> None:
    program(path, "alertmanager", "alertmanager, version 0.28.1 (branch: HEAD, revision: b2099eaa)")
    assert find(ALERTMANAGER, tmp_path).version == (0, 28, 1)


def test_one_that_is_too_old_is_passed_over_for_debians_package(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(path, "prometheus", "prometheus, version 2.31.2 (branch: debian/sid)")
    fetched = program(tmp_path / "root/usr/bin", "prometheus", "prometheus, version 2.42.0+ds (branch: debian/sid)")
    monkeypatch.setattr(debian_packages, "fetch", lambda names, cache: tmp_path / "root")
    assert find(PROMETHEUS, tmp_path).path == str(fetched)


def test_where_there_is_none_it_is_said_what_was_tried_and_what_is_needed(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"Alertmanager is not on the PATH.*apt-get failed.*put 0.25 or newer"):
        find(ALERTMANAGER, tmp_path)


def test_what_states_no_version_or_does_not_run_has_none(tmp_path: Path) -> None:
    assert run_programs.version(str(program(tmp_path, "silent", "hello"))) == (0, 0, 0)
    assert run_programs.version(str(tmp_path / "absent")) == (0, 0, 0)
