#!/usr/bin/env python3
"""Make a virtual environment with pip in it, also where Debian's python3 comes without the venv package.

Debian keeps pip and ensurepip out of python3. Where they are missing, pip's wheel is taken from the package
python3-pip-whl, which is unpacked and not installed, so that no root is needed.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import venv
from pathlib import Path

import debian_packages


def main() -> int:
    """Make the environment named first, with the cache folder named second."""
    environment, cache = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    print(f"making the virtual environment {environment}", flush=True)
    if importlib.util.find_spec("ensurepip"):
        venv.create(environment, with_pip=True, clear=True, symlinks=True)
        return 0
    try:
        root = debian_packages.fetch(["python3-pip-whl"], cache / "debian")
    except debian_packages.FetchError as error:
        print(f"pip cannot be had: {error}", file=sys.stderr)
        return 1
    venv.create(environment, with_pip=False, clear=True, symlinks=True)
    [wheel] = (root / "usr/share/python-wheels").glob("pip-*.whl")
    command = [environment / "bin/python", wheel / "pip", "install", "--quiet", "--no-index", str(wheel)]
    return subprocess.run(list(map(str, command)), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
