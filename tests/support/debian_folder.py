"""A folder with a small Debian of its own, its apt and dpkg, and archives on its own disk that a test fills."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType

from tests.support.bare_debian import archive

STABLE = {"Origin": "Debian", "Label": "Debian", "Suite": "stable", "Codename": "bookworm"}
SECURITY = {
    "Origin": "Debian",
    "Label": "Debian-Security",
    "Suite": "stable-security",
    "Codename": "bookworm-security",
}
BACKPORTS = {
    **STABLE,
    "Label": "Debian Backports",
    "Suite": "stable-backports",
    "Codename": "bookworm-backports",
    "NotAutomatic": "yes",
    "ButAutomaticUpgrades": "yes",
}
EXPERIMENTAL = {**STABLE, "Suite": "experimental", "Codename": "rc-buggy", "NotAutomatic": "yes"}


class DebianFolder:
    """The folder is ``root``; nothing in it is of this machine, and no archive is but those of ``publish``."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="mse-debian-"))
        self._packages: dict[str, list[tuple[str, str]]] = {}

    def __enter__(self) -> DebianFolder:
        try:
            wanted = ["--exclude=./usr/lib/python3*", "--exclude=./var/lib/apt/lists/*"]
            subprocess.run(["tar", "-x", "-f", archive(), "-C", self.root, *wanted], check=True)
            shutil.rmtree(self.root / "etc/apt/sources.list.d", ignore_errors=True)
            (self.root / "etc/apt/sources.list").write_text("")
        except BaseException:
            shutil.rmtree(self.root)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.root)

    def run(self, *command: str) -> str:
        """Run a command of the folder as its root; raises AssertionError with what it said when it fails."""
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(
            ["chroot", self.root, *command], env=environment, capture_output=True, text=True, timeout=100, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def add(self, suite: str, name: str, version: str, architecture: str = "amd64", more: str = "") -> None:
        """Add a package to an archive; it is there for apt after ``publish``."""
        folder = self.root / "repository" / suite
        build = folder / "build"
        (build / "DEBIAN").mkdir(parents=True)
        control = (
            f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: tests\nDescription: test\n"
        )
        (build / "DEBIAN/control").write_text(control)
        file = folder / f"{name}_{version.replace(':', '%3a')}_{architecture}.deb"
        subprocess.run(["dpkg-deb", "--build", "-Znone", build, file], check=True, capture_output=True)
        shutil.rmtree(build)
        data = file.read_bytes()
        entry = f"{control}Filename: {file.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n{more}"
        self._packages.setdefault(suite, []).append((name, entry))

    def publish(self, suite: str, fields: Mapping[str, str]) -> None:
        """Write an archive's list and Release file, and name it in sources.list."""
        folder = self.root / "repository" / suite
        folder.mkdir(parents=True, exist_ok=True)
        packages = "\n".join(entry for _, entry in self._packages.get(suite, [])).encode()
        (folder / "Packages").write_bytes(packages)
        date = datetime.now(timezone.utc).strftime("%a, %d %b %Y %H:%M:%S UTC")
        head = "".join(f"{key}: {value}\n" for key, value in {**fields, "Date": date}.items())
        sums = f"SHA256:\n {hashlib.sha256(packages).hexdigest()} {len(packages)} Packages\n"
        (folder / "Release").write_text(head + sums)
        line = f"deb [trusted=yes] copy:/repository/{suite} ./\n"
        sources = self.root / "etc/apt/sources.list"
        if line not in sources.read_text():
            sources.write_text(sources.read_text() + line)

    def upgradable(self) -> set[tuple[str, str, str]]:
        """Return name, version and architecture of what apt would upgrade."""
        lines = self.run("apt", "list", "--upgradable").splitlines()
        found = [line.split() for line in lines if "[upgradable from" in line]
        return {(name.partition("/")[0], version, architecture) for name, version, architecture, *_ in found}


def compare_versions(first: str, relation: str, second: str) -> bool:
    """Return what dpkg itself says, such as whether 1.0 lt 1.1."""
    return os.spawnlp(os.P_WAIT, "dpkg", "dpkg", "--compare-versions", first, relation, second) == 0
