"""Temperatures. The files are as on a server with an Intel CPU and an NVMe disk: head /sys/class/hwmon/*/*."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailserver_exporter.collectors.temperature import TemperatureCollector
from mailserver_exporter.sources import SourceError
from tests.support.contexts import context
from tests.support.metrics import Exposition
from tests.support.sensors import Sensors


def _collector(folder: Path) -> TemperatureCollector:
    return TemperatureCollector(context(folder, rootfs=folder))


def test_exports_temperatures_limits_and_labels_in_degrees(tmp_path: Path) -> None:
    Sensors(tmp_path / "sys")

    found = Exposition.of(_collector(tmp_path).collect())

    core = {"chip": "platform_coretemp_0", "sensor": "temp1"}
    assert found.value("node_hwmon_temp_celsius", **core) == 47
    assert found.value("node_hwmon_temp_max_celsius", **core) == 84
    assert found.value("node_hwmon_temp_crit_celsius", **core) == 100
    assert found.value("node_hwmon_sensor_label", **core, label="Package id 0") == 1
    assert found.value("node_hwmon_temp_celsius", chip="nvme_nvme0", sensor="temp1") == 38.85
    assert found.value("node_thermal_zone_temp", zone="0", type="x86_pkg_temp") == 47


def test_a_chip_without_a_device_has_the_name_of_its_driver(tmp_path: Path) -> None:
    Sensors(tmp_path / "sys")

    assert Exposition.of(_collector(tmp_path).collect()).value("node_hwmon_temp_celsius", chip="acpitz") == 27.8


def test_a_sensor_that_has_no_value_now_has_no_series(tmp_path: Path) -> None:
    sensors = Sensors(tmp_path / "sys")
    collector = _collector(tmp_path)
    assert collector.detect().found
    (sensors.coretemp / "temp1_input").unlink()

    found = Exposition.of(collector.collect())

    assert found.all("node_hwmon_temp_celsius", chip="platform_coretemp_0", sensor="temp1") == []
    assert found.value("node_hwmon_temp_celsius", chip="platform_coretemp_0", sensor="temp2") == 45


def test_a_broken_file_is_a_failure_and_does_not_break_detection(tmp_path: Path) -> None:
    sensors = Sensors(tmp_path / "sys")
    (sensors.coretemp / "temp1_input").write_text("warm\n")
    (sensors.coretemp / "temp2_max").write_text("hot\n")
    collector = _collector(tmp_path)

    assert collector.detect().found
    with pytest.raises(SourceError, match="temp1_input is not a number"):
        list(collector.collect())


def test_is_not_found_on_a_machine_without_sensors(tmp_path: Path) -> None:
    collector = _collector(tmp_path)

    assert not collector.detect().found
    with pytest.raises(SourceError, match="no temperature sensor"):
        list(collector.collect())
