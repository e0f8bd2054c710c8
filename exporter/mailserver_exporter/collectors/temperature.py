"""How warm it is."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors.base import Collector, Context, Detection
from mailserver_exporter.sources import SourceError, hwmon

# Sensors, their names and limits hardly ever change, and a large machine has hundreds of those files.
_REFRESH_SECONDS = 60.0


class TemperatureCollector(Collector):
    """Temperatures in degrees Celsius, as `sensors` shows them. Sensors that have no value now have no series.

    node_hwmon_temp_celsius{chip="platform_coretemp_0",sensor="temp1"} 47
    node_hwmon_temp_max_celsius{chip="platform_coretemp_0",sensor="temp1"} 84
    node_hwmon_temp_crit_celsius{chip="platform_coretemp_0",sensor="temp1"} 100
    node_hwmon_sensor_label{chip="platform_coretemp_0",label="package_id_0",sensor="temp1"} 1
    node_thermal_zone_temp{type="x86_pkg_temp",zone="0"} 47
    """

    name = "temperature"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._sensors: list[hwmon.Sensor] = []
        self._zones: list[hwmon.Zone] = []
        self._looked: float | None = None

    def detect(self) -> Detection:
        """Look for sensors and zones; virtual machines have neither."""
        self._look()
        if not self._sensors and not self._zones:
            return Detection(False, "no temperature sensor in /sys/class/hwmon or /sys/class/thermal")
        return Detection(True, f"{len(self._sensors)} sensors, {len(self._zones)} thermal zones")

    def collect(self) -> Iterator[Metric]:
        """Yield temperatures, limits and labels."""
        self._look()
        if not self._sensors and not self._zones:
            raise SourceError("no temperature sensor in /sys/class/hwmon or /sys/class/thermal")
        yield from _hwmon(self._sensors)
        zones = GaugeMetricFamily(
            "node_thermal_zone_temp", "Temperature of a thermal zone in degrees Celsius.", labels=["zone", "type"]
        )
        for zone in self._zones:
            value = hwmon.celsius(zone.path)
            if value is not None:
                zones.add_metric([zone.number, zone.kind], value)
        yield zones

    def _look(self) -> None:
        now = time.monotonic()
        if self._looked is None or now - self._looked > _REFRESH_SECONDS:
            self._sensors = hwmon.sensors(self.context.host.sys("class/hwmon"))
            self._zones = hwmon.zones(self.context.host.sys("class/thermal"))
            self._looked = now


def _hwmon(sensors: list[hwmon.Sensor]) -> Iterator[Metric]:
    labels = ["chip", "sensor"]
    now = GaugeMetricFamily("node_hwmon_temp_celsius", "Temperature that a sensor measures.", labels=labels)
    maximum = GaugeMetricFamily("node_hwmon_temp_max_celsius", "Temperature that is still normal.", labels=labels)
    critical = GaugeMetricFamily("node_hwmon_temp_crit_celsius", "Temperature that does harm.", labels=labels)
    names = GaugeMetricFamily(
        "node_hwmon_sensor_label", "What a sensor measures; the value is always 1.", labels=[*labels, "label"]
    )
    for sensor in sensors:
        key = [sensor.chip, sensor.name]
        value = hwmon.celsius(sensor.path)
        if value is not None:
            now.add_metric(key, value)
        if sensor.maximum is not None:
            maximum.add_metric(key, sensor.maximum)
        if sensor.critical is not None:
            critical.add_metric(key, sensor.critical)
        if sensor.label:
            names.add_metric([*key, sensor.label], 1)
    yield from (now, maximum, critical, names)
