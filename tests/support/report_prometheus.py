"""A real Prometheus with just the samples that a test gives it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.processes import Program, answers, free_port
from tests.support.tools import program

INSTANCE = "mail.example.org"


@dataclass(frozen=True)
class Samples:
    """One series: (seconds since the epoch, value) in order."""

    name: str
    points: Sequence[tuple[float, float]]
    labels: dict[str, str] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """Yield its samples in OpenMetrics."""
        labels = ",".join(f'{name}="{value}"' for name, value in {**self.labels, "instance": INSTANCE}.items())
        for at, value in self.points:
            yield f"{self.name}{{{labels}}} {value!r} {at:.0f}\n"


@contextlib.contextmanager
def prometheus(folder: Path, samples: Iterable[Samples], release: str) -> Iterator[str]:
    """Yield the URL of a Prometheus of a release that has these samples; it ends with the block."""
    families: dict[str, list[Samples]] = {}
    for each in samples:
        families.setdefault(each.name, []).append(each)
    text = "".join(
        line
        for name, members in sorted(families.items())
        for line in (f"# TYPE {name} unknown\n", *(line for member in members for line in member.lines()))
    )
    (folder / "samples").write_text(f"{text}# EOF\n")
    command = [program("promtool"), "tsdb", "create-blocks-from", "--max-block-duration=1000h", "openmetrics"]
    done = subprocess.run([*command, folder / "samples", folder / "data"], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    (folder / "prometheus.yml").write_text("global: {scrape_interval: 1h}\n")
    url = f"http://127.0.0.1:{free_port()}"
    with Program(
        [
            program("prometheus", release),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            # The blocks are of another time than now.
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address={url.removeprefix('http://')}",
        ],
        folder / "prometheus.log",
        ready=lambda: answers(f"{url}/-/ready"),
        seconds=60,
    ):
        yield url
