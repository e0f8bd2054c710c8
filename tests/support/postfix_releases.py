"""Postfix as other Debian releases have it: unpacked with its libraries into a folder to change the root to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.support import debian_root

# 3.5, 3.7 (this machine's own, in Debian 12), 3.10, and the newest.
RELEASES = ("bullseye", "bookworm", "trixie", "sid")


def root(release: str) -> Path | None:
    """Return a folder with the Postfix of a release, unpacked when it is asked for first; None for this machine's."""
    return debian_root.unpacked("postfix", release, ["postfix"])


def inside(folder: Path, *command: str | Path) -> Sequence[str | Path]:
    """Return the command that runs ``command`` with that folder as its root; /tmp and /dev are this machine's."""
    mounts = f"mount --rbind /tmp {folder}/tmp && mount --rbind /dev {folder}/dev"
    return ["unshare", "--mount", "sh", "-c", f'{mounts} && exec chroot {folder} "$@"', "sh", *command]
