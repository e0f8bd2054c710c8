"""``make test``: install what the tests need and run all of them; the exit status is 0 only if everything passed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.tools import ROOT

PACKAGES = ROOT / "tests" / "debian-packages.txt"
POLICY = Path("/usr/sbin/policy-rc.d")
BIN = Path(sys.executable).parent


def needed() -> list[str]:
    """Return the Debian packages that the tests need and that are not installed."""
    lines = (line.partition("#")[0].strip() for line in PACKAGES.read_text(encoding="utf-8").splitlines())
    names = sorted({line for line in lines if line})
    query = ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", *names]
    known = subprocess.run(query, capture_output=True, text=True, check=False).stdout.splitlines()
    installed = {line.split()[0] for line in known if line.endswith(" installed")}
    return [name for name in names if name not in installed]


@contextmanager
def no_services() -> Iterator[None]:
    """Keep package installations from starting services (invoke-rc.d asks policy-rc.d)."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def install(names: list[str]) -> None:
    """Install Debian packages without starting their services; ends the run when that fails."""
    if os.geteuid() != 0:
        sys.exit(f"the tests need these Debian packages; install them or run make test as root: {' '.join(names)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with no_services(), tempfile.TemporaryFile("w+") as log:
        for command in (["update"], ["install", "-y", "--no-install-recommends", *names]):
            done = subprocess.run(
                ["apt-get", "-q", *command], env=environment, stdout=log, stderr=subprocess.STDOUT, check=False
            )
        if done.returncode:
            log.seek(0)
            sys.exit(f"apt-get install failed:\n{log.read()[-4000:]}")


def step(title: str, command: list[str | Path]) -> bool:
    """Run one part and say how long it took; return whether it passed."""
    print(f"== {title}", flush=True)
    started = time.monotonic()
    passed = subprocess.run([str(part) for part in command], cwd=ROOT, check=False).returncode == 0
    print(f"-- {title}: {'passed' if passed else 'FAILED'} in {time.monotonic() - started:.0f} s\n", flush=True)
    return passed


def main() -> int:
    """Run all parts, also after one has failed, so that one run tells everything."""
    names = needed()
    if names:
        print(f"== installing Debian packages: {' '.join(names)}", flush=True)
        install(names)
    shutil.rmtree(ROOT / ".pytest_cache", ignore_errors=True)
    passed = [
        step("ruff check", [BIN / "ruff", "check", "."]),
        step("ruff format", [BIN / "ruff", "format", "--check", "."]),
        step("mypy --strict", [BIN / "mypy"]),
        # One run for all tests, so that its last line counts them all.
        step("tests", [sys.executable, "-m", "pytest", "--durations=15", *sys.argv[1:]]),
    ]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
