"""What one running container uses, straight from the kernel: its control group and its network interfaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailserver_exporter.host import Host
from mailserver_exporter.sources import cgroup, files, netdev
from mailserver_exporter.sources.kept_files import KeptFiles

# The same that cAdvisor leaves out: what is on the host's side, should a container see it.
_NOT_ITS_OWN = ("lo", "veth", "docker", "nerdctl")
_SPEC_READS = 6  # a limit that is changed on a running container shows after so many reads
_MAX_DEVICES = 1000
_MAX_OPEN = 256  # enough for 20 containers on cgroup v1, far below the usual 1024 open files of a process


@dataclass(frozen=True)
class Resources:
    """Usage, limits, processes and traffic (by interface) of one container."""

    usage: cgroup.Usage
    spec: cgroup.Spec
    processes: int
    interfaces: Mapping[str, netdev.Traffic]


@dataclass
class _Seen:
    place: cgroup.Place
    spec: cgroup.Spec
    reads: int = 0


@dataclass
class ResourceReader:
    """Reads containers again and again, and remembers where their files are and what they are limited to."""

    host: Host
    _seen: dict[int, _Seen] = field(default_factory=dict)
    _devices: dict[str, str] = field(default_factory=dict)
    _files: KeptFiles = field(default_factory=lambda: KeptFiles(_MAX_OPEN))

    def read(self, container: str, pid: int, network: bool) -> Resources:
        """Read a container by its id and its process; without ``network`` the interfaces are not its own.

        Raises GoneError when it has ended, SourceError or OSError when a file is broken or cannot be read.
        """
        try:
            seen = self._seen.get(pid)
            if seen is None or seen.reads >= _SPEC_READS:
                seen = self._seen[pid] = self._locate(container, pid)
            seen.reads += 1
            processes = cgroup.processes(seen.place)
            # In a pid namespace of our own the ids are others than the engine's.
            if str(pid).encode() not in processes:
                self._locate(container, pid)
            usage = cgroup.usage(seen.place, seen.spec, self._files.read)
            interfaces = self._interfaces(pid) if network else {}
        except (FileNotFoundError, ProcessLookupError, cgroup.GoneError):
            self._forget(pid)
            raise cgroup.GoneError(container) from None
        return Resources(usage, seen.spec, len(processes), interfaces)

    def keep(self, pids: set[int]) -> None:
        """Forget all processes but these."""
        for pid in self._seen.keys() - pids:
            self._forget(pid)

    def close(self) -> None:
        """Close the files that are kept open."""
        self._files.close()

    def device(self, number: str) -> str:
        """Return the name of a block device by its MAJOR:MINOR, such as /dev/sda."""
        if number not in self._devices:
            if len(self._devices) > _MAX_DEVICES:
                self._devices.clear()
            self._devices[number] = self._device(number)
        return self._devices[number]

    def _forget(self, pid: int) -> None:
        seen = self._seen.pop(pid, None)
        if seen:
            for folder in seen.place.folders():
                self._files.forget(folder)

    def _locate(self, container: str, pid: int) -> _Seen:
        membership = files.read(self.host.proc(f"{pid}/cgroup"), 65536)
        place = cgroup.locate(membership, container, self.host.sys("fs/cgroup"))
        return _Seen(place, cgroup.spec(place))

    def _device(self, number: str) -> str:
        try:
            event = files.read(self.host.sys(f"dev/block/{number}/uevent"), 65536)
        except OSError:
            return number
        for line in event.decode("utf-8", "replace").splitlines():
            if line.startswith("DEVNAME="):
                return f"/dev/{line.removeprefix('DEVNAME=')}"
        return number

    def _interfaces(self, pid: int) -> Mapping[str, netdev.Traffic]:
        found = netdev.parse(files.read(self.host.proc(f"{pid}/net/dev")))
        return {name: traffic for name, traffic in found.items() if not name.startswith(_NOT_ITS_OWN)}
