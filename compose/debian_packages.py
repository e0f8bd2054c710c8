#!/usr/bin/env python3
"""Fetch Debian packages and unpack them into a folder, without installing them and without being root.

An install would start system services; ``make run`` and the tests only need the programs. The mirror is the one that
this machine's own apt uses. apt keeps its state below the folder, so nothing of the system's is touched.

Standard library only: it also fetches pip, where Debian's python3 comes without.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from relocate import relocate

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# Needed to tell Debian's own archive from third parties' in the machine's sources.
RELEASES = ("sid", "forky", "trixie", "bookworm", "bullseye", "unstable", "testing", "stable", "oldstable")


class FetchError(Exception):
    """Packages could not be fetched; the message says what apt said."""


def own_release() -> str:
    """Return the code name of this machine's Debian; raises FetchError on another system."""
    for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("=")
        if name == "VERSION_CODENAME":
            return value.strip('"')
    raise FetchError("/etc/os-release names no Debian release (VERSION_CODENAME)")


def mirror() -> str:
    """Return the address of the Debian archive in this machine's apt sources; raises FetchError without one."""
    # Also where apt has never been updated, as in an image of a container.
    for line in _run(["apt-get", "--print-uris", "update"]).splitlines():
        found = re.match(r"'(\S+)/dists/([^/]+)/main/", line)
        if found and found[2] in RELEASES:
            return found[1]
    raise FetchError("no Debian archive (component main) in this machine's apt sources")


def fetch(names: list[str], cache: Path, release: str | None = None) -> Path:
    """Unpack packages of a Debian release below ``cache`` and return the folder that holds their files.

    What is there already is not fetched again. Raises FetchError.
    """
    release = release or own_release()
    root = cache / release
    # Raise the number when unpacking does more than before, so that caches of old are made anew.
    marks = root / ".unpacked.2"
    missing = [name for name in names if not (marks / name).exists()]
    if missing:
        state = cache / "apt" / release
        state.mkdir(parents=True, exist_ok=True)
        with (state / "lock").open("w") as lock:
            # Two runs at the same time, such as `make run` and `make test`, share the folder.
            fcntl.flock(lock, fcntl.LOCK_EX)
            _update(state, release)
            _unpack_all(missing, state, root, marks)
    return root


def _unpack_all(names: list[str], state: Path, root: Path, marks: Path) -> None:
    for name in names:
        print(f"fetching {name} ({root.name})", file=sys.stderr, flush=True)
        _unpack(name, state, root)
        relocate(root)
        marks.mkdir(parents=True, exist_ok=True)
        (marks / name).touch()


def _update(state: Path, release: str) -> None:
    if (state / "updated").exists():
        return
    for folder in ("lists/partial", "archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    (state / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror()} {release} main\n", encoding="utf-8")
    print(f"reading the package list of Debian {release}", file=sys.stderr, flush=True)
    _run(["apt-get", *_options(state), "-qq", "update"])
    (state / "updated").touch()


def _unpack(name: str, state: Path, root: Path) -> None:
    folder = state / "download" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        _run(["apt-get", *_options(state), "-qq", "download", name], folder)
    except FetchError:
        # The archive may have moved on since the list was read, as sid does daily: read it once more.
        _run(["apt-get", *_options(state), "-qq", "update"])
        _run(["apt-get", *_options(state), "-qq", "download", name], folder)
    [package] = folder.glob("*.deb")
    root.mkdir(parents=True, exist_ok=True)
    _run(["dpkg", "-x", str(package), str(root)])
    shutil.rmtree(folder)


def _options(state: Path) -> list[str]:
    settings = {
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State": state,
        "Dir::State::Lists": state / "lists",
        "Dir::State::status": "/var/lib/dpkg/status",
        "Dir::Cache": state,
        "Dir::Cache::archives": state / "archives",
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]


def _run(command: list[str], folder: Path | None = None) -> str:
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600
        )
    except FileNotFoundError as error:
        raise FetchError(f"{command[0]} is not here: this needs a Debian machine") from error
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"{command[0]} did not end within ten minutes") from error
    if done.returncode:
        raise FetchError(f"{' '.join(command[:1])} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def main() -> int:
    """Fetch what the command line names and print where it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("names", nargs="+", metavar="PACKAGE")
    parser.add_argument("--cache", type=Path, required=True, help="the folder to unpack into")
    parser.add_argument("--release", help="a Debian release such as trixie or sid (default: this machine's own)")
    options = parser.parse_args()
    try:
        print(fetch(options.names, options.cache.resolve(), options.release))
    except FetchError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
