"""A /sys with temperature sensors, because the machines that tests run on have none."""

from __future__ import annotations

import os
from pathlib import Path


class Sensors:
    """The folders of a CPU, an NVMe disk and the firmware, each linked from /sys/class as the kernel does it."""

    def __init__(self, sys: Path) -> None:
        self.sys = sys
        (sys / "class/hwmon").mkdir(parents=True)
        (sys / "class/thermal").mkdir(parents=True)
        self.coretemp = self._chip(
            0,
            "platform/coretemp.0",
            {
                "name": "coretemp",
                "temp1_input": "47000",
                "temp1_label": "Package id 0",
                "temp1_max": "84000",
                "temp1_crit": "100000",
                "temp2_input": "45000",
                "temp2_label": "Core 0",
                "temp2_max": "84000",
                "temp2_crit": "100000",
            },
        )
        self._chip(1, "pci0000:00/0000:00:1d.0/nvme/nvme0", {"name": "nvme", "temp1_input": "38850"})
        virtual = sys / "devices/virtual/thermal/thermal_zone1/hwmon2"
        _write(virtual, {"name": "acpitz", "temp1_input": "27800"})
        _link(sys / "class/hwmon/hwmon2", virtual)
        zone = sys / "devices/virtual/thermal/thermal_zone0"
        _write(zone, {"type": "x86_pkg_temp", "temp": "47000", "policy": "step_wise", "mode": "enabled"})
        _link(sys / "class/thermal/thermal_zone0", zone)

    def _chip(self, number: int, device: str, values: dict[str, str]) -> Path:
        folder = self.sys / "devices" / device / f"hwmon/hwmon{number}"
        _write(folder, values)
        _link(folder / "device", self.sys / "devices" / device)
        _link(self.sys / f"class/hwmon/hwmon{number}", folder)
        return folder


def _write(folder: Path, values: dict[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, value in values.items():
        (folder / name).write_text(f"{value}\n")


def _link(path: Path, target: Path) -> None:
    path.symlink_to(os.path.relpath(target, path.parent))
