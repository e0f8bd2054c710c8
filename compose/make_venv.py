#!/usr/bin/env python3
"""Make a virtual environment with pip in it, also where Debian's python3 comes without the venv package.

Debian keeps pip and ensurepip out of python3. Where they are missing, pip's wheel is taken from the package
python3-pip-whl, which is unpacked and not installed, so that no root is needed. That pip knows no other certificates
than the system's; where there are none either, it is given those of the package ca-certificates.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import debian_packages

OLDEST_PYTHON = (3, 10)
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# What an environment has where the system has none; what runs from it may use them, too.
OWN_CERTIFICATES = "ca-certificates.crt"


def main() -> int:
    """Make the environment named first, with the cache folder named second."""
    environment, cache = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    if sys.version_info < OLDEST_PYTHON:
        wanted, found = (".".join(map(str, version[:2])) for version in (OLDEST_PYTHON, sys.version_info))
        print(
            f"Python {wanted} or newer is needed, {sys.executable} is {found}: make PYTHON=python3.12 names another",
            file=sys.stderr,
        )
        return 1
    print(f"making the virtual environment {environment}", flush=True)
    if importlib.util.find_spec("ensurepip"):
        venv.create(environment, with_pip=True, clear=True, symlinks=True)
        return 0
    try:
        return _make_with_debians_pip(environment, cache / "debian")
    except debian_packages.FetchError as error:
        print(f"pip cannot be had: {error}", file=sys.stderr)
        return 1


def _make_with_debians_pip(environment: Path, cache: Path) -> int:
    packages = debian_packages.fetch(["python3-pip-whl"], cache)
    [wheel] = (packages / "usr/share/python-wheels").glob("pip-*.whl")
    venv.create(environment, with_pip=False, clear=True, symlinks=True)
    if not SYSTEM_CERTIFICATES.exists():
        certificates = environment / OWN_CERTIFICATES
        packages = debian_packages.fetch(["ca-certificates"], cache)
        found = sorted((packages / "usr/share/ca-certificates/mozilla").glob("*.crt"))
        certificates.write_text("\n".join(file.read_text(encoding="utf-8") for file in found), encoding="utf-8")
        wheel = _pip_with_certificates(wheel, certificates)
    command = [environment / "bin/python", wheel / "pip", "install", "--quiet", "--no-index", str(wheel)]
    return subprocess.run(list(map(str, command)), check=False).returncode


def _pip_with_certificates(wheel: Path, certificates: Path) -> Path:
    """Return a copy of pip's wheel, in the environment, whose certifi names ``certificates`` for the system's."""
    # pip has a setting for it, --cert, but Debian's newer one reads the system's certificates before any setting.
    copy = certificates.with_name(wheel.name)
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(copy, "w") as target:
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename == "pip/_vendor/certifi/core.py":
                content = content.replace(str(SYSTEM_CERTIFICATES).encode(), str(certificates).encode())
            target.writestr(entry, content)
    return copy


if __name__ == "__main__":
    sys.exit(main())
