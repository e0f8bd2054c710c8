"""Where the host is seen from.

A process on the host sees it at ``/``; a container sees it where ``/`` of the host is mounted, usually ``/host``.
Everything that reads the host asks here for the path, so that both give the same numbers.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

_MAX_LINKS = 40  # as the kernel allows, path_resolution(7)


@dataclass(frozen=True)
class Host:
    """The host as seen through ``rootfs``."""

    rootfs: str = "/"

    @property
    def in_container(self) -> bool:
        """Say whether the host's root is not our own."""
        return self.rootfs.rstrip("/") != ""

    def path(self, absolute: str | Path) -> str:
        """Return where a path of the host is seen from here, with the host's own symbolic links followed.

        A link such as ``/var/run -> /run`` is resolved below ``rootfs``, never against our own root. The path need
        not exist.
        """
        root = self.rootfs.rstrip("/")
        if not root:
            return str(absolute)
        done = ""
        todo = [part for part in str(absolute).split("/") if part not in ("", ".")]
        links = 0
        while todo:
            part = todo.pop(0)
            if part == "..":
                done = done.rpartition("/")[0]
                continue
            candidate = f"{done}/{part}"
            try:
                target = os.readlink(root + candidate)
            except OSError:
                done = candidate
                continue
            links += 1
            if links > _MAX_LINKS:
                return root + candidate
            if target.startswith("/"):
                done = ""
            todo = [piece for piece in target.split("/") if piece not in ("", ".")] + todo
        return root + (done or "/")

    def proc(self, name: str) -> str:
        """Return the path of a file below the host's /proc."""
        return f"{self.rootfs.rstrip('/')}/proc/{name}"

    def sys(self, name: str) -> str:
        """Return the path of a file below the host's /sys."""
        return f"{self.rootfs.rstrip('/')}/sys/{name}"

    def hostname(self) -> str:
        """Return the host's own name: its /etc/hostname where we are in a container, else what the kernel says."""
        if self.in_container:
            try:
                with open(self.path("/etc/hostname"), encoding="utf-8", errors="replace") as file:
                    name = file.read(256).strip()
            except OSError:
                name = ""
            if name:
                return name
        return socket.gethostname()
