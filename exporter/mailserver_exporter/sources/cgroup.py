"""What a container's control group used, from the files of cgroup v1 and v2.

Facts: the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/{memory,cpuacct,blkio-controller,pids}.rst;
which file is which figure: cAdvisor (container/libcontainer/handler.go) and runc (libcontainer/cgroups/fs, fs2).

None stands for what this kernel does not tell, such as swap without swap accounting.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from mailserver_exporter.sources import SourceError, files

Read = Callable[[str], bytes]

_UNLIMITED = 1 << 62  # v1 writes "no limit" as the largest multiple of the page size
_TICKS = os.sysconf("SC_CLK_TCK")
_V1_CONTROLLERS = ("cpu", "cpuacct", "memory", "blkio", "pids")
# Where Docker puts a container, by its cgroup driver; for readers that see the host's paths through a namespace.
_USUAL_PLACES = ("system.slice/docker-{}.scope", "docker/{}")


class GoneError(Exception):
    """The control group or its process is no more: the container has ended, which is no fault."""


@dataclass(frozen=True)
class Place:
    """Where the files of a container are: a folder per controller on v1, one folder on v2."""

    unified: str = ""
    controllers: Mapping[str, str] = field(default_factory=dict)

    def folders(self) -> tuple[str, ...]:
        """Return all folders of the container."""
        return (self.unified,) if self.unified else tuple(self.controllers.values())


@dataclass(frozen=True)
class DeviceIO:
    """Bytes and operations on one block device, ``number`` as MAJOR:MINOR."""

    number: str
    read_bytes: int = 0
    write_bytes: int = 0
    reads: int = 0
    writes: int = 0


@dataclass(frozen=True)
class Usage:
    """Seconds and bytes, both since the container started where they are counters."""

    cpu_seconds: float
    cpu_user_seconds: float | None
    cpu_system_seconds: float | None
    cfs_periods: int | None
    cfs_throttled_periods: int | None
    cfs_throttled_seconds: float | None
    memory_bytes: int | None
    memory_working_set_bytes: int | None
    memory_rss_bytes: int | None
    memory_cache_bytes: int | None
    memory_mapped_file_bytes: int | None
    memory_swap_bytes: int | None
    memory_max_bytes: int | None
    memory_failures: int | None
    oom_kills: int | None
    threads: int | None
    devices: tuple[DeviceIO, ...] = ()


@dataclass(frozen=True)
class Spec:
    """What the container is limited to; 0 means no limit, as in cAdvisor's ``container_spec_*``."""

    memory_limit_bytes: int = 0
    memory_reservation_bytes: int = 0
    memory_swap_limit_bytes: int = 0
    cpu_quota_microseconds: int = 0
    cpu_period_microseconds: int = 0
    threads_max: int = 0


def locate(membership: bytes, container: str, root: str) -> Place:
    """Return where a container's files are below ``root`` (the host's /sys/fs/cgroup).

    ``membership`` is the content of its process' /proc/PID/cgroup, cgroups(7). A reader in a cgroup namespace of its
    own sees paths that lead out of it; Docker's usual places are looked at then. Raises GoneError when neither is the
    container's, that is when the process id has gone to another.
    """
    paths = {}
    for line in membership.decode("utf-8", "replace").splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        for name in names.split(",") if names else [""]:
            if number:
                paths[name] = (names, path)
    if os.path.exists(f"{root}/cgroup.controllers"):
        return Place(unified=_folder(root, paths.get("", ("", ""))[1], container))
    folders = {}
    for name in _V1_CONTROLLERS:
        together, path = paths.get(name, (name, ""))
        hierarchy = f"{root}/{name}"
        if not os.path.isdir(hierarchy):
            hierarchy = f"{root}/{together}"
        if os.path.isdir(hierarchy):
            folders[name] = _folder(hierarchy, path, container)
    if "cpuacct" not in folders:
        raise SourceError(
            f"no cgroup hierarchy with the cpuacct controller is mounted at {root}",
            remedy="a container needs the host's /sys/fs/cgroup",
        )
    return Place(controllers=folders)


def _folder(hierarchy: str, path: str, container: str) -> str:
    """Return the container's own folder, also where its process sits further down, as systemd in a container does."""
    parts = path.strip("/").split("/")
    for index, part in enumerate(parts):
        if container in part and ".." not in parts:
            return "/".join([hierarchy, *parts[: index + 1]])
    for place in _USUAL_PLACES:
        folder = f"{hierarchy}/{place.format(container)}"
        if os.path.isdir(folder):
            return folder
    raise GoneError(container)


def processes(place: Place) -> list[bytes]:
    """Return the ids of the processes in the container's own group, as the reader's pid namespace has them.

    Raises GoneError when it has ended.
    """
    # Opened anew each time: on v1 a file that stays open repeats an old list (cgroup_pidlist_start() in cgroup-v1.c).
    data = _optional(f"{place.unified or place.controllers['cpuacct']}/cgroup.procs")
    if data is None:
        raise GoneError(place)
    return data.split()


def usage(place: Place, limits: Spec, read: Read = files.read) -> Usage:
    """Read the figures of a container. Raises GoneError when it has ended, SourceError on a broken file.

    What its limits rule out is not read: nothing is throttled and no limit is hit where there is none.
    """
    return _usage_v2(place.unified, read) if place.unified else _usage_v1(place.controllers, limits, read)


def spec(place: Place) -> Spec:
    """Read the limits of a container; errors as in ``usage``."""
    return _spec_v2(place.unified) if place.unified else _spec_v1(place.controllers)


def _usage_v2(folder: str, read: Read) -> Usage:
    cpu = _flat(f"{folder}/cpu.stat", read)
    if cpu is None:
        raise GoneError(folder)
    stat = _flat(f"{folder}/memory.stat", read) or {}
    events = _flat(f"{folder}/memory.events", read) or {}
    memory = _number(f"{folder}/memory.current", read)
    io = _optional(f"{folder}/io.stat", read)
    return Usage(
        cpu_seconds=_get(cpu, "usage_usec", f"{folder}/cpu.stat") / 1e6,
        cpu_user_seconds=_scaled(cpu.get("user_usec"), 1e6),
        cpu_system_seconds=_scaled(cpu.get("system_usec"), 1e6),
        cfs_periods=cpu.get("nr_periods"),
        cfs_throttled_periods=cpu.get("nr_throttled"),
        cfs_throttled_seconds=_scaled(cpu.get("throttled_usec"), 1e6),
        memory_bytes=memory,
        memory_working_set_bytes=_working_set(memory, stat.get("inactive_file")),
        memory_rss_bytes=stat.get("anon"),
        memory_cache_bytes=stat.get("file"),
        memory_mapped_file_bytes=stat.get("file_mapped"),
        memory_swap_bytes=_number(f"{folder}/memory.swap.current", read),
        memory_max_bytes=_number(f"{folder}/memory.peak", read),
        memory_failures=events.get("max"),
        oom_kills=events.get("oom_kill"),
        threads=_number(f"{folder}/pids.current", read),
        devices=parse_io_stat(io) if io else (),
    )


def _usage_v1(folders: Mapping[str, str], limits: Spec, read: Read) -> Usage:
    cpu = _number(f"{folders['cpuacct']}/cpuacct.usage", read)
    if cpu is None:
        raise GoneError(folders["cpuacct"])
    times = _flat(f"{folders['cpuacct']}/cpuacct.stat", read) or {}
    throttling = (_flat(f"{folders['cpu']}/cpu.stat", read) if limits.cpu_quota_microseconds > 0 else None) or {}
    here = folders.get("memory", "")
    stat = (_flat(f"{here}/memory.stat", read) if here else None) or {}
    oom = (_flat(f"{here}/memory.oom_control", read) if here else None) or {}
    memory = _number(f"{here}/memory.usage_in_bytes", read) if here else None
    pids = folders.get("pids", "")
    return Usage(
        cpu_seconds=cpu / 1e9,
        cpu_user_seconds=_scaled(times.get("user"), _TICKS),
        cpu_system_seconds=_scaled(times.get("system"), _TICKS),
        cfs_periods=throttling.get("nr_periods"),
        cfs_throttled_periods=throttling.get("nr_throttled"),
        cfs_throttled_seconds=_scaled(throttling.get("throttled_time"), 1e9),
        memory_bytes=memory,
        memory_working_set_bytes=_working_set(memory, stat.get("total_inactive_file")),
        memory_rss_bytes=stat.get("total_rss"),
        memory_cache_bytes=stat.get("total_cache"),
        memory_mapped_file_bytes=stat.get("total_mapped_file"),
        memory_swap_bytes=stat.get("total_swap"),
        memory_max_bytes=_number(f"{here}/memory.max_usage_in_bytes", read) if here else None,
        memory_failures=_number(f"{here}/memory.failcnt", read) if limits.memory_limit_bytes else 0,
        oom_kills=oom.get("oom_kill"),
        threads=_number(f"{pids}/pids.current", read) if pids else None,
        devices=_devices_v1(folders["blkio"], read) if "blkio" in folders else (),
    )


def _devices_v1(folder: str, read: Read) -> tuple[DeviceIO, ...]:
    # Who counts depends on the kernel and on the device: throttling (since Linux 6 only where a limit is set), or BFQ
    # where that is the scheduler. Recursive means with control groups further down.
    for counter in ("throttle", "bfq"):
        amounts = _optional(f"{folder}/blkio.{counter}.io_service_bytes_recursive", read)
        if amounts and not amounts.startswith(b"Total"):
            return parse_blkio(amounts, _optional(f"{folder}/blkio.{counter}.io_serviced_recursive", read) or b"")
    return ()


def _spec_v2(folder: str) -> Spec:
    quota, _, period = (_optional(f"{folder}/cpu.max") or b"max 0").partition(b" ")
    return Spec(
        memory_limit_bytes=_limit(f"{folder}/memory.max"),
        memory_reservation_bytes=_limit(f"{folder}/memory.low"),
        memory_swap_limit_bytes=_limit(f"{folder}/memory.swap.max"),
        cpu_quota_microseconds=0 if quota == b"max" else _integer(quota, f"{folder}/cpu.max"),
        cpu_period_microseconds=_integer(period, f"{folder}/cpu.max"),
        threads_max=_limit(f"{folder}/pids.max"),
    )


def _spec_v1(folders: Mapping[str, str]) -> Spec:
    memory, cpu, pids = (folders.get(name, "/nowhere") for name in ("memory", "cpu", "pids"))
    return Spec(
        memory_limit_bytes=_limit(f"{memory}/memory.limit_in_bytes"),
        memory_reservation_bytes=_limit(f"{memory}/memory.soft_limit_in_bytes"),
        memory_swap_limit_bytes=_limit(f"{memory}/memory.memsw.limit_in_bytes"),
        cpu_quota_microseconds=max(0, _limit(f"{cpu}/cpu.cfs_quota_us")),
        cpu_period_microseconds=_limit(f"{cpu}/cpu.cfs_period_us"),
        threads_max=_limit(f"{pids}/pids.max"),
    )


def parse_flat(data: bytes, name: str) -> dict[str, int]:
    """Parse lines of ``KEY NUMBER``, such as cpu.stat and memory.stat. Raises SourceError on any other line."""
    words = data.decode("utf-8", "replace").split()
    keys, numbers = words[0::2], words[1::2]
    # A last line that is cut off still reads as a name and a number: only the line break shows that it is whole.
    if len(keys) == len(numbers) == data.count(b"\n"):
        with contextlib.suppress(ValueError):
            return dict(zip(keys, map(int, numbers), strict=True))
    raise SourceError(f"{name} is not lines of a name and a number: {data[-80:]!r}")


def parse_io_stat(data: bytes) -> tuple[DeviceIO, ...]:
    """Parse io.stat of v2: ``8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0``. Raises SourceError."""
    devices = []
    for line in data.decode("utf-8", "replace").splitlines():
        number, *pairs = line.split()
        values = dict(pair.partition("=")[::2] for pair in pairs)
        if "rbytes" not in values:  # a device that only has cost statistics, or nothing at all
            continue
        try:
            figures = [int(values[key]) for key in ("rbytes", "wbytes", "rios", "wios")]
        except (KeyError, ValueError):
            raise SourceError(f"io.stat has a line that is not numbers by name: {line[:80]!r}") from None
        devices.append(DeviceIO(number, *figures))
    return tuple(devices)


def parse_blkio(amounts: bytes, operations: bytes) -> tuple[DeviceIO, ...]:
    """Parse io_service_bytes and io_serviced of v1: ``8:0 Read 4096`` and a last line ``Total 4096``."""
    read, write = (dict(_blkio(amounts, kind)) for kind in ("Read", "Write"))
    reads, writes = (dict(_blkio(operations, kind)) for kind in ("Read", "Write"))
    return tuple(
        DeviceIO(number, read[number], write.get(number, 0), reads.get(number, 0), writes.get(number, 0))
        for number in read
    )


def _blkio(data: bytes, kind: str) -> Iterator[tuple[str, int]]:
    for line in data.decode("utf-8", "replace").splitlines():
        words = line.split()
        if len(words) == 3 and words[1] == kind and words[2].isdigit():
            yield words[0], int(words[2])
        elif len(words) != 3 and words[:1] != ["Total"]:
            raise SourceError(f"blkio file has a line that is not a device, an operation and a number: {line[:80]!r}")


def _optional(path: str, read: Read = files.read) -> bytes | None:
    """Return a file's content, None where there is no such file. Raises GoneError when its control group went away."""
    try:
        return read(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ENODEV:
            raise GoneError(path) from None
        if error.errno == errno.EOPNOTSUPP:
            return None
        raise


def _flat(path: str, read: Read) -> dict[str, int] | None:
    data = _optional(path, read)
    return None if data is None else parse_flat(data, path)


def _number(path: str, read: Read) -> int | None:
    data = _optional(path, read)
    return None if data is None else _integer(data, path)


def _limit(path: str) -> int:
    data = _optional(path)
    if data is None or data.strip() == b"max":
        return 0
    value = _integer(data, path)
    return 0 if value >= _UNLIMITED else value


def _integer(data: bytes, path: str) -> int:
    try:
        return int(data)
    except ValueError:
        raise SourceError(f"{path} is not a number: {data[:80]!r}") from None


def _get(values: Mapping[str, int], key: str, path: str) -> int:
    if key not in values:
        raise SourceError(f"{path} has no {key}")
    return values[key]


def _scaled(value: int | None, per_second: float) -> float | None:
    return None if value is None else value / per_second


def _working_set(memory: int | None, inactive_file: int | None) -> int | None:
    return None if memory is None or inactive_file is None else max(0, memory - inactive_file)
