"""Marks: what scripts report about their backups with ``backup-mark``, a small JSON file for each name.

    {"succeeded": 1769828400.1, "sizes": [48213, 48301], "failed": 0, "rehearsed": 0, "copied": 1769828460.7}

Times are in seconds since the epoch, 0 for never; sizes in bytes, of the last ten, the newest last.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

from mailserver_exporter.sources import SourceError, files

FOLDER = "backup-marks"
SIZES = 10
_SUFFIX = ".json"
_MAX_MARKS = 200
_MAX_BYTES = 65_536


@dataclass(frozen=True)
class Mark:
    """What was reported of one backup."""

    succeeded: float = 0.0
    failed: float = 0.0
    rehearsed: float = 0.0
    copied: float = 0.0
    sizes: tuple[float, ...] = ()


def parse(data: bytes) -> Mark:
    """Return a mark; raises SourceError where it is none."""
    try:
        content = json.loads(data)
        times = {name: _number(content.get(name, 0)) for name in ("succeeded", "failed", "rehearsed", "copied")}
        sizes = tuple(_number(size) for size in content.get("sizes", ()))[-SIZES:]
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise SourceError(f"is not a mark: {error}") from error
    return Mark(**times, sizes=sizes)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{value!r:.40} is not a number from 0")
    return float(value)


def encode(mark: Mark) -> bytes:
    """Return what ``parse`` reads."""
    return json.dumps({**mark.__dict__, "sizes": list(mark.sizes)}).encode() + b"\n"


def path(state_directory: str, name: str) -> str:
    """Return the file of a mark."""
    return f"{state_directory}/{FOLDER}/{name}{_SUFFIX}"


def names(state_directory: str) -> list[str]:
    """Return the names of which there are marks, 200 at most. No folder is no mark; raises other OSErrors."""
    try:
        found = os.listdir(f"{state_directory}/{FOLDER}")
    except FileNotFoundError:
        return []
    return sorted(name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX))[:_MAX_MARKS]


def read_all(state_directory: str) -> tuple[Mapping[str, Mark], Mapping[str, str]]:
    """Return the marks by name, and by name why one cannot be read. Raises OSError."""
    marks: dict[str, Mark] = {}
    broken: dict[str, str] = {}
    for short in names(state_directory):
        file = path(state_directory, short)
        try:
            marks[short] = parse(files.read(file, _MAX_BYTES))
        except FileNotFoundError:
            continue
        except (OSError, SourceError) as error:
            broken[short] = f"{file}: {error.strerror if isinstance(error, OSError) else error}"
    return marks, broken
