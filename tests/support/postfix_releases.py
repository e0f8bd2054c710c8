"""Postfix as other Debian releases have it: unpacked with its libraries into a folder to change the root to."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.support.tools import ROOT, debian_packages

# 3.5, 3.7 (this machine's own, in Debian 12), 3.10, and the newest.
RELEASES = ("bullseye", "bookworm", "trixie", "sid")

_LINKS = ("bin", "lib", "lib64", "sbin")
_OF_THE_HOST = ("passwd", "group", "services", "hosts", "nsswitch.conf", "resolv.conf")


def root(release: str) -> Path | None:
    """Return a folder with the Postfix of a release, unpacked when it is asked for first; None for this machine's."""
    if release == debian_packages.own_release():
        return None
    folder = ROOT / ".cache" / f"postfix-{release}"
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            new = Path(tempfile.mkdtemp(prefix="mse-root-"))
            try:
                _unpack(release, new)
                shutil.move(new, folder)
            finally:
                shutil.rmtree(new, ignore_errors=True)
    return folder


def _unpack(release: str, folder: Path) -> None:
    source = f"deb [signed-by={debian_packages.KEYRING}] {debian_packages.mirror()} {release} main"
    # A mirror of sid that lags behind is good enough here.
    options = ['--aptopt=Acquire::Check-Valid-Until "false"', f"--keyring={debian_packages.KEYRING}"]
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=extract", "--include=postfix,libc6", *options]
    subprocess.run([*command, release, folder, source], check=True)
    shutil.rmtree(folder / "usr/share")
    for name in _LINKS:
        if (folder / "usr" / name).exists() and not (folder / name).exists():
            (folder / name).symlink_to(f"usr/{name}")
    for name in _OF_THE_HOST:
        shutil.copy(f"/etc/{name}", folder / "etc")
    folder.chmod(0o755)


def inside(folder: Path, *command: str | Path) -> Sequence[str | Path]:
    """Return the command that runs ``command`` with that folder as its root; /tmp and /dev are this machine's."""
    mounts = f"mount --rbind /tmp {folder}/tmp && mount --rbind /dev {folder}/dev"
    return ["unshare", "--mount", "sh", "-c", f'{mounts} && exec chroot {folder} "$@"', "sh", *command]
