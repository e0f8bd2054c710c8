"""The host's collectors beside node_exporter: the same names, labels and values, with the exceptions listed here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailserver_exporter.collectors.base import Collector, Context
from mailserver_exporter.collectors.cpu import CpuCollector
from mailserver_exporter.collectors.disk import DiskCollector
from mailserver_exporter.collectors.filesystem import FilesystemCollector
from mailserver_exporter.collectors.load import LoadCollector
from mailserver_exporter.collectors.memory import MemoryCollector
from mailserver_exporter.collectors.network import NetworkCollector
from mailserver_exporter.collectors.temperature import TemperatureCollector
from tests.support.contexts import context
from tests.support.metrics import Exposition
from tests.support.mounts import fuse_mounted, mounted
from tests.support.processes import Program, answers, free_port
from tests.support.sensors import Sensors
from tests.support.tools import ROOT, program

COLLECTORS: tuple[type[Collector], ...] = (
    CpuCollector,
    LoadCollector,
    MemoryCollector,
    FilesystemCollector,
    DiskCollector,
    NetworkCollector,
)

# Debian's package differs from upstream in these two, and upstream's defaults are what dashboards are made for.
UPSTREAM = (
    "--collector.filesystem.mount-points-exclude="
    r"^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)",
    "--collector.netdev.device-exclude=^$",
)

# What node_exporter shows and we do not, and why.
_ITSELF = r"node_scrape_|node_exporter_build_info|go_|process_|promhttp_"
THEIRS_ALONE = {
    r"node_network_(address_assign_type|carrier_(\w+_)?changes_total|device_id|dormant|flags|iface_id|iface_link"
    r"|iface_link_mode|info|name_assign_type|net_dev_group|protocol_type|transmit_queue_length)\b": (
        "properties of an interface that no alert or dashboard here uses; each is one more file to read"
    ),
    r"node_network_receive_nohandler_total\b": "only netlink tells it; /proc/net/dev has the rest in one read",
    r"node_network_.*\"veth": "named anew at each start of a container: series without end",
    r"node_network_speed_bytes.* -125000$": "-1 Mbit/s is the kernel's word for not known, and no speed",
    r"node_disk_info\b": "model and serial number come from udev's database",
    r"node_disk_.*\"zram": "memory, which newer node_exporters leave out as well",
    r"node_filesystem_.*fstype=\"erofs\"": "an image, which newer node_exporters leave out as well",
    r"node_filesystem_.*device=\"covered\"": "cannot be seen; node_exporter gives it the figures of what covers it",
    r"node_boot_time_seconds\b": "not left out, but compared in test_system.py",
    _ITSELF: "about the exporter itself",
}

# What we show and node_exporter does not.
OURS_ALONE = {
    r"mailserver_": "limits and expectations",
}


class Peer(Program):
    """node_exporter with the collectors that are compared."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        super().__init__(
            [
                program("prometheus-node-exporter"),
                f"--web.listen-address={self.url.removeprefix('http://')}",
                "--collector.disable-defaults",
                *UPSTREAM,
                *arguments,
            ],
            folder / "node_exporter.log",
            ready=lambda: answers(self.url),
        )

    def scrape(self) -> Series:
        return Series.of(Exposition.scrape(f"{self.url}/metrics"), THEIRS_ALONE)


Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Series:
    """The values by name and labels, and the type of each name."""

    values: dict[Key, float]
    types: dict[str, str]

    @classmethod
    def of(cls, found: Exposition, alone: Iterable[str]) -> Series:
        """Take all series except those that match one of the patterns in ``alone``."""
        left_out = re.compile("|".join(alone))
        values = {}
        types = {}
        for family in found.families.values():
            for sample in family.samples:
                labels = tuple(sorted((name, value) for name, value in sample.labels.items() if value))
                shown = ",".join(f'{name}="{value}"' for name, value in labels)
                if not left_out.match(f"{sample.name}{{{shown}}} {sample.value:.0f}"):
                    values[sample.name, labels] = sample.value
                    types[sample.name] = family.type
        return cls(values, types)


class Comparison:
    """Ours between two of the peer's, so that what changes meanwhile is known to have changed."""

    def __init__(self, before: Series, ours: Series, after: Series) -> None:
        self.before, self.ours, self.after = before, ours, after
        # Containers and mounts of other tests come and go.
        self.lasting = before.values.keys() & after.values.keys()

    def missing(self) -> set[Key]:
        return self.lasting - self.ours.values.keys()

    def additional(self) -> set[Key]:
        return self.ours.values.keys() - self.before.values.keys() - self.after.values.keys()

    def other_types(self) -> dict[str, str]:
        return {name: kind for name, kind in self.ours.types.items() if self.before.types.get(name, kind) != kind}

    def outside(self, slack: float = 0.0) -> dict[Key, tuple[float, float, float]]:
        """Return what is not between the peer's two values, with before, ours and after."""
        found = {}
        for key in self.lasting & self.ours.values.keys():
            before, ours, after = self.before.values[key], self.ours.values[key], self.after.values[key]
            room = slack * abs(after) + 1e-9
            if not min(before, after) - room <= ours <= max(before, after) + room:
                found[key] = (before, ours, after)
        return found


def _ours(collectors: Iterable[Collector]) -> Series:
    found = Exposition.of(family for collector in collectors for family in collector.collect())
    return Series.of(found, OURS_ALONE)


@pytest.fixture(scope="module")
def mounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """File systems of several kinds: with a blank in the name, read-only, bound, covered, of a program."""
    folder = tmp_path_factory.mktemp("mounts")
    with (
        mounted(folder / "a blank", "-t", "tmpfs", "-o", "size=8m", "tests"),
        mounted(folder / "readonly", "-t", "tmpfs", "-o", "size=4m,ro", "tests"),
        mounted(folder / "bound", "--bind", folder / "a blank"),
        mounted(folder / "twice", "-t", "tmpfs", "-o", "size=2m", "covered"),
        mounted(folder / "twice", "-t", "tmpfs", "-o", "size=1m", "covering"),
        fuse_mounted(folder / "fuse", folder),
    ):
        yield folder


@pytest.fixture(scope="module")
def interfaces() -> Iterator[None]:
    """A pair as Docker makes one for each container."""
    subprocess.run(["ip", "link", "add", "vethmailserver", "type", "veth", "peer", "name", "mailserver0"], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "delete", "vethmailserver"], check=True)


@pytest.fixture(scope="module")
def peer(mounts: Path, interfaces: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    names = ("cpu", "stat", "loadavg", "meminfo", "filesystem", "diskstats", "netdev", "netclass")
    with Peer(tmp_path_factory.mktemp("peer"), *(f"--collector.{name}" for name in names)) as peer:
        yield peer


@pytest.fixture(scope="module")
def compare(peer: Peer, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Comparison]:
    ours: Context = context(tmp_path_factory.mktemp("state"))
    collectors = [collector(ours) for collector in COLLECTORS]
    return lambda: Comparison(peer.scrape(), _ours(collectors), peer.scrape())


def test_names_and_labels_are_the_same(compare: Callable[[], Comparison], mounts: Path) -> None:
    compared = compare()

    assert len(compared.lasting) > 100
    assert ("node_filesystem_size_bytes", str(mounts / "fuse")) in {
        (name, dict(labels).get("mountpoint")) for name, labels in compared.lasting
    }
    assert ("node_network_up", (("device", "mailserver0"),)) in compared.lasting
    assert compared.missing() == set()
    assert compared.additional() == set()
    assert compared.other_types() == {}


def test_values_are_the_same(compare: Callable[[], Comparison]) -> None:
    rounds = [compare() for _ in range(40)]

    # What only rises lies between the two at all times. What goes up and down does now and then, if it is the same.
    for compared in rounds:
        counters = {key for key in compared.outside() if compared.ours.types[key[0]] == "counter"}
        assert {key: compared.outside()[key] for key in counters} == {}
    never = set.intersection(*(set(compared.outside(slack=0.001)) for compared in rounds))
    assert {key: rounds[-1].outside(slack=0.001)[key] for key in never} == {}


def test_temperatures_are_the_same(tmp_path: Path) -> None:
    Sensors(tmp_path / "sys")
    theirs_alone = [_ITSELF, "node_hwmon_chip_names", "node_cooling_device"]
    with Peer(tmp_path, f"--path.sysfs={tmp_path}/sys", "--collector.hwmon", "--collector.thermal_zone") as peer:
        theirs = Series.of(Exposition.scrape(f"{peer.url}/metrics"), theirs_alone)

    ours = _ours([TemperatureCollector(context(tmp_path, rootfs=tmp_path))])

    assert len(theirs.values) > 10
    assert ours == theirs


# The exporter as it runs in a container: the host's root is mounted somewhere, what is mounted there comes along.
IN_A_CONTAINER = """\
import sys
from pathlib import Path
from tests.integration.test_host_against_node_exporter import COLLECTORS
from mailserver_exporter.exposition import encode
from tests.support.contexts import context
state, rootfs = sys.argv[1:]
host = context(Path(state), rootfs=rootfs)
for collector in COLLECTORS:
    sys.stdout.buffer.write(encode(collector(host).collect()))
"""


def test_a_container_with_the_host_s_root_sees_the_same(compare: Callable[[], Comparison], tmp_path: Path) -> None:
    rootfs = tmp_path / "host"
    rootfs.mkdir()
    script = f"mount --rbind / {rootfs} && exec {sys.executable} - {tmp_path / 'state'} {rootfs}"
    direct = compare()
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "slave", "sh", "-c", script],
        input=IN_A_CONTAINER,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'exporter'}:{ROOT}"},
    )
    later = compare()
    inside = Series.of(Exposition(done.stdout), OURS_ALONE)

    compared = Comparison(direct.ours, inside, later.ours)
    assert compared.missing() == set()
    assert compared.additional() == set()
    counters = {key: value for key, value in compared.outside().items() if inside.types[key[0]] == "counter"}
    assert counters == {}
