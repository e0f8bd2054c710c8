#!/usr/bin/env python3
"""Make a virtual environment with pip in it, also where Debian's python3 comes without the venv package.

Debian keeps pip and ensurepip out of python3. Where they are missing, pip's wheel is taken from the package
python3-pip-whl, which is unpacked and not installed, so that no root is needed. That pip trusts the system's
certificates; where there are none either, those of the package ca-certificates are unpacked beside it.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import venv
from pathlib import Path

import debian_packages

OLDEST_PYTHON = (3, 10)
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def main() -> int:
    """Make the environment named first, with the cache folder named second."""
    environment, cache = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    if sys.version_info < OLDEST_PYTHON:
        wanted, found = (".".join(map(str, version[:2])) for version in (OLDEST_PYTHON, sys.version_info))
        print(f"Python {wanted} or newer is needed, {sys.executable} is {found}: make PYTHON=python3.12 names another")
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
    root = debian_packages.fetch(["python3-pip-whl"], cache)
    venv.create(environment, with_pip=False, clear=True, symlinks=True)
    certificates = fetched_certificates(cache)
    if certificates:
        # The file that pip reads in a virtual environment (pip's documentation, "Configuration files", site).
        (environment / "pip.conf").write_text(f"[global]\ncert = {certificates}\n", encoding="utf-8")
    [wheel] = (root / "usr/share/python-wheels").glob("pip-*.whl")
    command = [environment / "bin/python", wheel / "pip", "install", "--quiet", "--no-index", str(wheel)]
    return subprocess.run(list(map(str, command)), check=False).returncode


def fetched_certificates(cache: Path) -> Path | None:
    """Return a file with the certificates of Debian's ca-certificates, or None where the system has its own.

    Raises debian_packages.FetchError.
    """
    if SYSTEM_CERTIFICATES.exists():
        return None
    root = debian_packages.fetch(["ca-certificates"], cache)
    bundle = root / "ca-certificates.crt"
    if not bundle.exists():
        found = sorted((root / "usr/share/ca-certificates/mozilla").glob("*.crt"))
        new = bundle.with_suffix(f".{os.getpid()}")
        new.write_text("\n".join(file.read_text(encoding="utf-8") for file in found), encoding="utf-8")
        new.replace(bundle)
    return bundle


if __name__ == "__main__":
    sys.exit(main())
