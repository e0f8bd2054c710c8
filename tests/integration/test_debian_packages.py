"""Debian's packages, fetched from the real archive and unpacked: the programs run, and nothing is installed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import debian_packages
from tests.support import tools


@pytest.mark.parametrize("release", tools.RELEASES)
def test_alertmanager_finds_its_templates_where_it_was_unpacked(release: str, tmp_path: Path) -> None:
    """It reads default.tmpl before it listens, and Debian's looks for it in /usr/share."""
    config = tmp_path / "alertmanager.yml"
    config.write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    command = [
        tools.program("prometheus-alertmanager", release),
        f"--config.file={config}",
        f"--storage.path={tmp_path / 'data'}",
        "--web.listen-address=127.0.0.1:70000",
        "--cluster.listen-address=",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert "invalid port" in done.stderr, done.stderr


def test_a_package_that_does_not_exist_is_named_with_what_apt_says(tmp_path: Path) -> None:
    with pytest.raises(debian_packages.FetchError, match="Unable to locate package no-such-package"):
        debian_packages.fetch(["no-such-package"], tmp_path)


def test_what_is_there_is_not_fetched_again_and_the_system_is_left_alone(tmp_path: Path) -> None:
    before = sorted(Path("/var/lib/dpkg/info").iterdir())
    root = debian_packages.fetch(["hostname"], tmp_path)
    program = root / "bin/hostname"
    assert subprocess.run([program, "--version"], check=False, capture_output=True).returncode == 0
    inode = program.stat().st_ino
    assert debian_packages.fetch(["hostname"], tmp_path) == root
    assert program.stat().st_ino == inode
    assert sorted(Path("/var/lib/dpkg/info").iterdir()) == before
    assert not list(tmp_path.rglob("*.deb"))
