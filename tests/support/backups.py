"""Make backups as they lie on a disk."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import time
from pathlib import Path

from mailserver_exporter.collectors.backups import BackupsCollector
from tests.support.contexts import context
from tests.support.metrics import Exposition
from tests.support.processes import wait_for

DAY = 86400.0


def tar(members: int = 3, size: int = 20_000) -> bytes:
    """Return a tar file with content that does not compress."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for number in range(members):
            member = tarfile.TarInfo(f"folder/{number}")
            member.size = size
            archive.addfile(member, io.BytesIO(os.urandom(size)))
    return output.getvalue()


def packed(program: str, data: bytes) -> bytes:
    """Return data as gzip, bzip2, xz or zstd writes it."""
    return subprocess.run([program, "-c"], input=data, capture_output=True, check=True).stdout


def backup(path: Path, parts: dict[str, bytes], age: float = 0.0) -> Path:
    """Write a folder with these files, all of them ``age`` seconds old by their mtime."""
    path.mkdir(parents=True)
    for name, content in parts.items():
        (path / name).write_bytes(content)
    aged(path, age)
    return path


def aged(path: Path, age: float) -> None:
    """Give a file, or a folder and what is in it, an mtime in the past."""
    moment = time.time() - age
    for each in (*path.rglob("*"), path):
        os.utime(each, (moment, moment), follow_symlinks=False)


def dated(days: float, form: str = "%Y-%m-%d") -> str:
    """Return the name of a backup that was made some days ago."""
    return time.strftime(form, time.localtime(time.time() - days * DAY))


class Watched:
    """A collector of backups, for which a backup is whole that has not changed for a tenth of a second."""

    def __init__(self, folder: Path, settings: str = "", rootfs: Path | str = "/", limits: str = "") -> None:
        settings = f"quiet: 0.1s, {settings}"
        yaml = f"state_directory: {folder}/state\nlimits: {{{limits}}}\nbackups: {{{settings}}}\n"
        self.context = context(folder / "state", yaml, rootfs)
        self.collector = BackupsCollector(self.context)

    def look(self) -> Exposition:
        """Return what the collector tells now."""
        return Exposition.of(self.collector.collect())

    def settled(self, name: str, count: int = 1) -> Exposition:
        """Return what it tells once it counts so many whole backups."""
        found: list[Exposition] = []

        def counted() -> bool:
            found.append(self.look())
            return [s.value for s in found[-1].all("mailserver_backup_kept", name=name)] == [count]

        wait_for(f"{count} backups {name} are whole", counted, 20)
        return found[-1]

    def read(self, name: str) -> str:
        """Return what reading the newest backup comes to."""
        verdict: list[str] = []

        def known() -> bool:
            shown = self.look().all("mailserver_backup_check_result", name=name)
            verdict[:] = [sample.labels["result"] for sample in shown if sample.value == 1]
            return verdict not in ([], ["pending"])

        wait_for(f"the archives of {name} are read", known, 60)
        return verdict[0]

    def finding(self, name: str) -> str:
        """Return what ``check`` says of a backup."""
        [found] = [f for f in self.collector.findings() if f.subject == f"backup {name}"]
        return f"{found.state}: {found.detail}"
