"""What the network interfaces do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors.base import Collector, Context, read_of_first_process
from mailserver_exporter.finding import shortened
from mailserver_exporter.sources import netdev
from mailserver_exporter.sources.netdev import Link

# The host's ends of the containers' interfaces get a new name at each start of a container, so that their series
# would pile up without end (node_exporter reports them). Their traffic is the container's own, container_network_*,
# and in sum that of the bridge.
_EXCLUDED_PREFIX = "veth"

_BYTES_PER_MEGABIT = 1_000_000 / 8


class NetworkCollector(Collector):
    """Network interfaces, as `cat /proc/net/dev` and `/sys/class/net` show them.

    node_network_receive_bytes_total{device="eth0"} 3.91693057e+08
    node_network_transmit_drop_total{device="eth0"} 0
    node_network_up{device="eth0"} 1
    node_network_carrier{device="eth0"} 1
    node_network_mtu_bytes{device="eth0"} 1500
    node_network_speed_bytes{device="eth0"} 1.25e+08
    """

    name = "network"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._watched: list[str] = []

    def collect(self) -> Iterator[Metric]:
        """Yield the counters of each interface, then the state of their links."""
        interfaces = {
            name: traffic
            for name, traffic in netdev.parse(read_of_first_process(self.context.host, "net/dev", "net/dev")).items()
            if not name.startswith(_EXCLUDED_PREFIX)
        }
        self._watched = list(interfaces)
        for field in netdev.FIELDS:
            family = CounterMetricFamily(
                f"node_network_{field}", f"Network device statistic {field}.", labels=["device"]
            )
            for name, traffic in interfaces.items():
                family.add_metric([name], getattr(traffic, field))
            yield family
        yield from _links(self._links(interfaces))

    def found(self) -> str:
        """Say which interfaces there are."""
        return shortened(self._watched) or "no interface"

    def _links(self, names: Iterable[str]) -> dict[str, Link]:
        links = {}
        for name in names:
            try:
                links[name] = netdev.link(self.context.host.sys(f"class/net/{name}"))
            except FileNotFoundError:
                continue  # gone since the counters were read
        return links


def _links(links: dict[str, Link]) -> Iterator[Metric]:
    up = GaugeMetricFamily("node_network_up", "Whether the interface's operstate is up.", labels=["device"])
    carrier = GaugeMetricFamily(
        "node_network_carrier", "Whether the interface has a carrier, absent while it is down.", labels=["device"]
    )
    mtu = GaugeMetricFamily("node_network_mtu_bytes", "The longest packet.", labels=["device"])
    speed = GaugeMetricFamily(
        "node_network_speed_bytes", "Speed of the link in bytes per second, where it is known.", labels=["device"]
    )
    for name, link in links.items():
        up.add_metric([name], link.up)
        if link.carrier is not None:
            carrier.add_metric([name], link.carrier)
        if link.mtu is not None:
            mtu.add_metric([name], link.mtu)
        # -1 is the kernel's way to say that it does not know.
        if link.speed_megabits is not None and link.speed_megabits >= 0:
            speed.add_metric([name], link.speed_megabits * _BYTES_PER_MEGABIT)
    yield from (up, carrier, mtu, speed)
