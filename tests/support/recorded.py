"""A real Prometheus that knows a few series of a test's own choice."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import Program, answers, free_port
from tests.support.tools import program

END = 1_795_050_000
DAY = 86400
Point = tuple[float, float]


def metric(name: str, points: Iterable[Point], /, **labels: str) -> tuple[str, Mapping[str, str], list[Point]]:
    """Return one series: its name, its labels, and (seconds since the epoch, value)."""
    return name, labels, list(points)


@contextmanager
def recorded(
    folder: Path, series: Iterable[tuple[str, Mapping[str, str], list[Point]]], release: str = "sid"
) -> Iterator[str]:
    """Give the URL of a Prometheus with these series, each time that a metric is named with all of its series."""
    families: dict[str, list[tuple[Mapping[str, str], list[Point]]]] = {}
    for name, labels, points in series:
        families.setdefault(name, []).append((labels, points))
    with (folder / "data.om").open("w", encoding="utf-8") as file:
        for name, members in families.items():
            # Untyped, so that any name will do.
            file.write(f"# TYPE {name} unknown\n")
            for labels, points in members:
                named = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels.items())
                file.writelines(f"{name}{{{named}}} {value} {at}\n" for at, value in points)
        file.write("# EOF\n")
    subprocess.run(
        [program("promtool", "sid"), "tsdb", "create-blocks-from", "openmetrics", folder / "data.om", folder / "data"],
        check=True,
        capture_output=True,
    )
    (folder / "prometheus.yml").write_text("global: {scrape_interval: 1h}\n", encoding="utf-8")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        program("prometheus", release),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with Program(command, folder / "prometheus.log", ready=lambda: answers(f"{url}/-/ready"), seconds=90):
        yield url


@contextmanager
def anywhere(series: Iterable[tuple[str, Mapping[str, str], list[Point]]], release: str = "sid") -> Iterator[str]:
    """Do the same in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="recorded-") as folder, recorded(Path(folder), series, release) as url:
        yield url


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
