"""Mount things for a test and take them away again. Needs root."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import Program
from tests.support.tools import ROOT


@contextmanager
def mounted(mountpoint: Path, *arguments: str | Path) -> Iterator[Path]:
    """Run ``mount ARGUMENTS MOUNTPOINT``, and unmount at the end."""
    mountpoint.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", *arguments, mountpoint], check=True)
    try:
        yield mountpoint
    finally:
        subprocess.run(["umount", "--lazy", mountpoint], check=True)


@contextmanager
def fuse_mounted(mountpoint: Path, folder: Path) -> Iterator[Program]:
    """Mount the file system of fuse_server.py; stop its program and it hangs."""
    mountpoint.mkdir(parents=True, exist_ok=True)
    log = folder / f"fuse-{mountpoint.name}.log"
    log.unlink(missing_ok=True)
    server = Program(
        [sys.executable, ROOT / "tests/support/fuse_server.py", mountpoint],
        log,
        ready=lambda: "mounted" in server.output(),
    )
    with server:
        try:
            yield server
        finally:
            subprocess.run(["umount", "--lazy", mountpoint], check=False, capture_output=True)
            server.send(signal.SIGKILL)  # a stopped program does not heed SIGTERM
