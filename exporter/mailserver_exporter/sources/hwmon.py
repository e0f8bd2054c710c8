"""Temperatures in /sys/class/hwmon and /sys/class/thermal (Documentation/hwmon/sysfs-interface.rst of the kernel)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from mailserver_exporter.sources import SourceError, files

_INPUT = re.compile(r"(temp\d{1,5})_input")
_NOT_A_NAME = re.compile(r"[^a-z0-9:_]")
_MAX_BYTES = 256
_MAX_SENSORS = 512


@dataclass(frozen=True)
class Sensor:
    """A temperature sensor of a chip. Its limits, in degrees Celsius, are None where the chip has none."""

    chip: str
    name: str
    path: str
    label: str = ""
    maximum: float | None = None
    critical: float | None = None


@dataclass(frozen=True)
class Zone:
    """A thermal zone, by its number and the kind of thing it is."""

    number: str
    kind: str
    path: str


def sensors(directory: str) -> list[Sensor]:
    """Look for sensors below a /sys/class/hwmon. Never raises: what cannot be read is not there."""
    found = []
    for name in _listed(directory):
        chip = f"{directory}/{name}"
        # Drivers from before 3.13 have their files in the device's folder.
        for folder in (chip, f"{chip}/device"):
            for sensor in sorted(match[1] for match in map(_INPUT.fullmatch, _listed(folder)) if match):
                base = f"{folder}/{sensor}"
                found.append(
                    Sensor(
                        chip_name(chip),
                        sensor,
                        f"{base}_input",
                        label=_text(f"{base}_label"),
                        maximum=_limit(f"{base}_max"),
                        critical=_limit(f"{base}_crit"),
                    )
                )
    return found[:_MAX_SENSORS]


def zones(directory: str) -> list[Zone]:
    """Look for thermal zones below a /sys/class/thermal. Never raises: what cannot be read is not there."""
    names = [name for name in _listed(directory) if name.startswith("thermal_zone")]
    found = [Zone(name[12:], _text(f"{directory}/{name}/type"), f"{directory}/{name}/temp") for name in names]
    return found[:_MAX_SENSORS]


def celsius(path: str) -> float | None:
    """Read a temperature in degrees Celsius from a file of thousandths.

    Returns None when there is no such file, or its sensor has no value now: an absent or sleeping device answers with
    one of many errors, and that is no fault of the host. Raises SourceError when the file is not a number.
    """
    try:
        data = files.read(path, _MAX_BYTES)
    except OSError:
        return None
    try:
        return int(data) / 1000
    except ValueError as error:
        raise SourceError(f"{path} is not a number: {data[:40]!r}") from error


def chip_name(directory: str) -> str:
    """Name a chip as node_exporter does: by its place among the devices, which lasts, before its driver's name."""
    if os.path.exists(f"{directory}/device"):
        parent, name = os.path.split(os.path.realpath(f"{directory}/device"))
        return "_".join(part for part in (_clean(os.path.basename(parent)), _clean(name)) if part)
    return _clean(_text(f"{directory}/name")) or _clean(os.path.basename(os.path.realpath(directory)))


def _limit(path: str) -> float | None:
    try:
        return celsius(path)
    except SourceError:
        return None


def _clean(text: str) -> str:
    return _NOT_A_NAME.sub("_", text.lower()).strip("_")


def _listed(directory: str) -> Iterator[str]:
    try:
        return iter(sorted(os.listdir(directory)))
    except OSError:
        return iter(())


def _text(path: str) -> str:
    try:
        return files.read(path, _MAX_BYTES).decode("utf-8", "replace").strip()
    except (OSError, SourceError):
        return ""
