"""Say which of the ports that are wanted are taken, and by which process."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

_LISTEN = "0A"  # TCP_LISTEN in the kernel's include/net/tcp_states.h


def is_free(port: int) -> bool:
    """Say whether 127.0.0.1 can listen on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        # As the servers themselves do it: connections of the past that linger are no hindrance.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(1)
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """Name the process that listens on a port as ``prometheus (process 4711)``, as far as we may see it."""
    inodes = set(_listening_inodes(port))
    for process in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            for descriptor in os.listdir(f"/proc/{process}/fd"):
                found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(f"/proc/{process}/fd/{descriptor}"))
                if found and found[1] in inodes:
                    name = Path(f"/proc/{process}/comm").read_text(errors="replace").strip()
                    return f"{name} (process {process})"
    return "a process of another user"


def _listening_inodes(port: int) -> Iterator[str]:
    """Yield the socket inodes of proc_pid_net(5) /proc/net/tcp: fields 1 local address, 3 state, 9 inode."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError), open(table, encoding="ascii") as file:
            for line in file.readlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]
