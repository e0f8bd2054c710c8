"""Network interfaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailserver_exporter.collectors.network import NetworkCollector
from mailserver_exporter.sources import SourceError, netdev
from tests.support.contexts import context
from tests.support.metrics import Exposition

# cat /proc/1/net/dev on a Docker host
NETDEV = b"""\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:   11105      65    0    0    0     0          0         0    11105      65    0    0    0     0       0          0
  eth0: 280548810    9253    1    2    3     4          5         6   675032    6587    7    8    9    10      11         12
vethb0c3f1a: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0
docker0:21 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0
br-0123456789ab: 31 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0
"""  # noqa: E501 - as it is


def test_parses_what_the_kernel_writes() -> None:
    interfaces = netdev.parse(NETDEV)

    assert interfaces["eth0"] == netdev.Traffic(280548810, 9253, 1, 2, 3, 4, 5, 6, 675032, 6587, 7, 8, 9, 10, 11, 12)
    assert interfaces["docker0"].receive_bytes == 21


@pytest.mark.parametrize("data", [NETDEV[:-3], NETDEV.replace(b"9253", b"x"), NETDEV + b"\x00" * 50, NETDEV + b"\n"])
def test_says_what_is_wrong_with_a_broken_file(data: bytes) -> None:
    with pytest.raises(SourceError, match="not 16 numbers"):
        netdev.parse(data)


class _Machine:
    """A collector, and the files that it reads."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        (folder / "proc/1/net").mkdir(parents=True)
        (folder / "proc/1/net/dev").write_bytes(NETDEV)
        self.collector = NetworkCollector(context(folder, rootfs=folder))

    def link(self, name: str, **values: str) -> None:
        folder = self.root / "sys/class/net" / name
        folder.mkdir(parents=True)
        for file, value in values.items():
            (folder / file).write_text(f"{value}\n")

    def scrape(self) -> Exposition:
        return Exposition.of(self.collector.collect())


def test_exports_counters_of_all_interfaces_but_the_host_ends_of_containers(tmp_path: Path) -> None:
    found = _Machine(tmp_path).scrape()

    names = [sample.labels["device"] for sample in found.all("node_network_receive_bytes_total")]
    assert names == ["lo", "eth0", "docker0", "br-0123456789ab"]
    assert found.value("node_network_transmit_carrier_total", device="eth0") == 11


def test_exports_the_state_of_links_in_base_units(tmp_path: Path) -> None:
    machine = _Machine(tmp_path)
    machine.link("eth0", operstate="up", mtu="1500", carrier="1", speed="1000")
    machine.link("docker0", operstate="down", mtu="1500", carrier="0", speed="-1")
    machine.link("lo", operstate="unknown", mtu="65536", carrier="1")

    found = machine.scrape()

    up = {sample.labels["device"]: sample.value for sample in found.all("node_network_up")}
    assert up == {"eth0": 1, "docker0": 0, "lo": 0}
    assert found.value("node_network_mtu_bytes", device="lo") == 65536
    assert found.value("node_network_carrier", device="docker0") == 0
    assert [(s.labels["device"], s.value) for s in found.all("node_network_speed_bytes")] == [("eth0", 125_000_000)]


def test_a_broken_link_file_is_a_failure(tmp_path: Path) -> None:
    machine = _Machine(tmp_path)
    machine.link("eth0", operstate="up", mtu="big")

    with pytest.raises(SourceError, match="eth0/mtu is not a number"):
        machine.scrape()


def test_never_takes_the_container_s_own_network_for_the_host_s(tmp_path: Path) -> None:
    machine = _Machine(tmp_path)
    (tmp_path / "proc/net").mkdir()
    (tmp_path / "proc/1/net/dev").rename(tmp_path / "proc/net/dev")

    with pytest.raises(SourceError, match=r"cannot read .*/proc/1/net/dev") as raised:
        machine.scrape()

    assert "compose/compose.yml" in raised.value.remedy
