"""What one running container uses, straight from the kernel: its control group and its network interfaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailserver_exporter.host import Host
from mailserver_exporter.sources import cgroup, files, netdev

# The same that cAdvisor leaves out: what is on the host's side, should a container see it.
_NOT_ITS_OWN = ("lo", "veth", "docker", "nerdctl")


@dataclass(frozen=True)
class Resources:
    """Usage, limits and traffic of one container; ``devices`` names the block devices of its usage."""

    usage: cgroup.Usage
    spec: cgroup.Spec
    interfaces: Mapping[str, netdev.Traffic]


@dataclass
class _Seen:
    membership: bytes
    place: cgroup.Place
    spec: cgroup.Spec
    reads: int = 0


@dataclass
class ResourceReader:
    """Reads containers again and again, and remembers where their files are and what they are limited to."""

    host: Host
    _seen: dict[int, _Seen] = field(default_factory=dict)
    _devices: dict[str, str] = field(default_factory=dict)

    def read(self, container: str, pid: int, network: bool) -> Resources:
        """Read a container by its id and its process; without ``network`` the interfaces are not its own.

        Raises GoneError when it has ended, SourceError or OSError when a file is broken or cannot be read.
        """
        try:
            membership = files.read(self.host.proc(f"{pid}/cgroup"), 65536)
            seen = self._seen.get(pid)
            if seen is None or seen.membership != membership or seen.reads >= _SPEC_READS:
                place = cgroup.locate(membership, container, self.host.sys("fs/cgroup"))
                seen = self._seen[pid] = _Seen(membership, place, cgroup.spec(place))
            seen.reads += 1
            usage = cgroup.usage(seen.place)
            interfaces = self._interfaces(pid) if network else {}
        except (FileNotFoundError, ProcessLookupError):
            self._seen.pop(pid, None)
            raise cgroup.GoneError(container) from None
        return Resources(usage, seen.spec, interfaces)

    def keep(self, pids: set[int]) -> None:
        """Forget all processes but these."""
        for pid in self._seen.keys() - pids:
            del self._seen[pid]

    def device(self, number: str) -> str:
        """Return the name of a block device by its MAJOR:MINOR, such as /dev/sda."""
        if number not in self._devices:
            if len(self._devices) > _MAX_DEVICES:
                self._devices.clear()
            self._devices[number] = self._device(number)
        return self._devices[number]

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


_SPEC_READS = 6  # a limit that is changed on a running container shows after so many reads
_MAX_DEVICES = 1000
