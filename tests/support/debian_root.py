"""Programs of other Debian releases: unpacked with their libraries into a folder to change the root to."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.tools import ROOT, debian_packages

_LINKS = ("bin", "lib", "lib64", "sbin")
_OF_THE_HOST = ("passwd", "group", "services", "hosts", "nsswitch.conf", "resolv.conf")


def unpacked(name: str, release: str, packages: list[str]) -> Path | None:
    """Return the folder ``name`` of a release, made when it is asked for first; None for this machine's own release."""
    if release == debian_packages.own_release():
        return None
    folder = ROOT / ".cache" / f"{name}-{release}"
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            new = Path(tempfile.mkdtemp(prefix="mse-root-"))
            try:
                _unpack(release, packages, new)
                shutil.move(new, folder)
            finally:
                shutil.rmtree(new, ignore_errors=True)
    return folder


def _unpack(release: str, packages: list[str], folder: Path) -> None:
    source = f"deb [signed-by={debian_packages.KEYRING}] {debian_packages.mirror()} {release} main"
    # A mirror of sid that lags behind is good enough here.
    options = ['--aptopt=Acquire::Check-Valid-Until "false"', f"--keyring={debian_packages.KEYRING}"]
    include = f"--include={','.join((*packages, 'libc6', 'dash', 'coreutils'))}"
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=extract", include, *options]
    subprocess.run([*command, release, folder, source], check=True)
    shutil.rmtree(folder / "usr/share")
    for name in _LINKS:
        if (folder / "usr" / name).exists() and not (folder / name).exists():
            (folder / name).symlink_to(f"usr/{name}")
    for name in _OF_THE_HOST:
        shutil.copy(f"/etc/{name}", folder / "etc")
    folder.chmod(0o755)
