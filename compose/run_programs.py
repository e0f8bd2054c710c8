"""Find Prometheus and Alertmanager on the PATH, or fetch Debian's packages of them, unpacked and not installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import debian_packages


class ProgramError(Exception):
    """A program that is needed is not to be had; the message says what was tried."""


@dataclass(frozen=True)
class Program:
    """An executable and the version it states."""

    path: str
    version: tuple[int, int, int]

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.version))} ({self.path})"


@dataclass(frozen=True)
class Wanted:
    """What is looked for: the names it goes by on the PATH, Debian's package, the oldest version we can use."""

    title: str
    names: tuple[str, ...]
    package: str
    oldest: tuple[int, int, int]


PROMETHEUS = Wanted("Prometheus", ("prometheus",), "prometheus", (2, 42, 0))
ALERTMANAGER = Wanted(
    "Alertmanager", ("prometheus-alertmanager", "alertmanager"), "prometheus-alertmanager", (0, 25, 0)
)


def find(wanted: Wanted, cache: Path) -> Program:
    """Return the program; one on the PATH that is too old is passed over. Raises ProgramError."""
    tried = []
    for name in wanted.names:
        path = shutil.which(name)
        if path:
            program = Program(path, version(path))
            if program.version >= wanted.oldest:
                return program
            tried.append(str(program))
    try:
        path = str(debian_packages.fetch([wanted.package], cache) / "usr/bin" / wanted.names[0])
        program = Program(path, version(path))
        if program.version >= wanted.oldest:
            return program
        tried.append(str(program))
        problem = "is too old: " + ", ".join(tried)
    except debian_packages.FetchError as error:
        problem = f"is not on the PATH and cannot be fetched: {error}"
    oldest = ".".join(map(str, wanted.oldest[:2]))
    raise ProgramError(f"{wanted.title} {problem}; put {oldest} or newer on the PATH as {' or '.join(wanted.names)}")


def version(path: str) -> tuple[int, int, int]:
    """Return what ``--version`` states, zeros where it states nothing of the kind."""
    try:
        # Prometheus' own libraries have changed between the two outputs over the years.
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0, 0)
    found = re.search(r"\bversion (\d+)\.(\d+)\.(\d+)", done.stdout + done.stderr)
    return (int(found[1]), int(found[2]), int(found[3])) if found else (0, 0, 0)
