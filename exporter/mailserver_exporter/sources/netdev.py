"""What network interfaces received and sent, /proc/net/dev (proc_pid_net(5)), and their state in /sys/class/net."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass, fields

from mailserver_exporter.sources import SourceError, files

_MAX_BYTES = 64


@dataclass(frozen=True)
class Traffic:
    """One interface since it came up, in the file's order."""

    receive_bytes: int
    receive_packets: int
    receive_errs: int
    receive_drop: int
    receive_fifo: int
    receive_frame: int
    receive_compressed: int
    receive_multicast: int
    transmit_bytes: int
    transmit_packets: int
    transmit_errs: int
    transmit_drop: int
    transmit_fifo: int
    transmit_colls: int
    transmit_carrier: int
    transmit_compressed: int


@dataclass(frozen=True)
class Link:
    """One interface's state. None is what the driver does not tell, as the carrier of an interface that is down."""

    up: bool
    mtu: int | None
    carrier: int | None
    speed_megabits: int | None


FIELDS = tuple(field.name for field in fields(Traffic))


def parse(data: bytes) -> Mapping[str, Traffic]:
    """Parse the content of /proc/net/dev, by interface. Raises SourceError when a line is not 16 numbers."""
    interfaces = {}
    for line in data.splitlines()[2:]:
        # A name may hold anything but white space, a slash and a colon (dev_valid_name() in net/core/dev.c).
        name, _, rest = line.partition(b":")
        try:
            numbers = [int(word) for word in rest.split()]
        except ValueError:
            numbers = []
        if len(numbers) != len(FIELDS):
            raise SourceError(f"/proc/net/dev has a line that is not {len(FIELDS)} numbers: {line[:80]!r}")
        interfaces[name.strip().decode("utf-8", "replace")] = Traffic(*numbers)
    return interfaces


def link(directory: str) -> Link:
    """Read a /sys/class/net/NAME (Documentation/ABI/testing/sysfs-class-net). Raises OSError, also when it is gone."""
    return Link(
        up=files.read(f"{directory}/operstate", _MAX_BYTES).strip() == b"up",
        mtu=_number(f"{directory}/mtu"),
        carrier=_number(f"{directory}/carrier"),
        speed_megabits=_number(f"{directory}/speed"),
    )


def _number(path: str) -> int | None:
    try:
        return int(files.read(path, _MAX_BYTES))
    except ValueError as error:
        raise SourceError(f"{path} is not a number") from error
    except OSError as error:
        # EINVAL is the kernel's way to say that an interface has no such thing, or not while it is down.
        if error.errno in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOENT, errno.ENODEV):
            return None
        raise
