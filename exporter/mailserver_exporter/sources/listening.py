"""The TCP ports that something listens on here, proc_net_tcp(5)."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable

from mailserver_exporter.sources import files

_LISTEN = b"0A"
_MAX_BYTES = 1_000_000


def ports(paths: Iterable[str]) -> set[int]:
    """Return the ports that listen, from files such as /proc/self/net/tcp and tcp6; what is not there adds nothing.

    The kernel lists the listening sockets first, so reading stops at the first other one and costs the same with ten
    thousand connections as with none.
    """
    found: set[int] = set()
    for path in paths:
        with contextlib.suppress(OSError), open(path, "rb", buffering=0) as file:
            found |= _read(file)
    return found


def _read(file: io.FileIO) -> set[int]:
    found: set[int] = set()
    rest = b""
    size = 0
    while size < _MAX_BYTES and (chunk := file.read(65536)):
        size += len(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        listening, complete = parse(lines)
        found |= listening
        if complete:
            break
    return found


def parse(lines: Iterable[bytes]) -> tuple[set[int], bool]:
    """Return the listening ports in these lines, and whether a socket in another state came among them."""
    found: set[int] = set()
    for line in lines:
        fields = line.split(None, 4)
        if len(fields) < 4 or fields[0] == b"sl":
            continue
        if fields[3] != _LISTEN:
            return found, True
        try:
            found.add(int(fields[1].rpartition(b":")[2], 16))
        except ValueError:
            continue
    return found, False


def has_ipv6(if_inet6: str) -> bool:
    """Say whether any interface has an IPv6 address; ``if_inet6`` is the path of proc_net's file of that name."""
    try:
        return bool(files.read(if_inet6).strip())
    except FileNotFoundError:
        return False  # a kernel without IPv6
