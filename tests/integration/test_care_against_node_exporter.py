"""Text files and the clock beside node_exporter: the same names, labels and values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver_exporter.collectors.textfile import TextfileCollector
from mailserver_exporter.collectors.timex import TimexCollector
from tests.support.contexts import context
from tests.support.metrics import Exposition
from tests.support.processes import Program, answers, free_port
from tests.support.tools import program

FILES = {
    "good": b'# HELP a A.\n# TYPE a gauge\na{x="1"} 1\na{x="2",y="b \\"c\\" \\\\ d\\ne"} 1.5e+09\n',
    "histogram": b'# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n',
    "summary": b'# HELP s S.\n# TYPE s summary\ns{quantile="0.5"} NaN\ns_sum 1\ns_count 1\n',
    "more": b'# HELP a A.\n# TYPE a gauge\na{x="3"} 3\n',
    "numbers": b'inf +Inf\nnegative -Inf\nempty{} 0\ntrailing{a="b",} 1\n',
    "twice": b"twice 1\ntwice 2\n",
    "typeless": b"# HELP c_total C.\n# TYPE c_total counter\nc_total 7\n",
    "nothing": b"",
    "comment": b"# just a word\n\n",
    "timestamp": b"stamped 1 1700000000000\n",
    "half": b"half 1",
    "label": b'label{l="1",l="2"} 1\n',
    "escape": b'escape{l="\\t"} 1\n',
    "lines": b"lines 1\r\n",
    "binary": b"\xff\xfe 1\n",
    "second": b"# TYPE second gauge\n# TYPE second gauge\nsecond 1\n",
    "late": b"late 1\n# TYPE late gauge\n",
    "valueless": b"valueless\n",
    "html": b"<html>502</html>\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for name, content in FILES.items():
        (folder / f"{name}.prom").write_bytes(content)
    (folder / "ignored.txt").write_bytes(b"ignored 1\n")
    return folder


@pytest.fixture(scope="module")
def url(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        program("prometheus-node-exporter"),
        f"--web.listen-address={url.removeprefix('http://')}",
        *("--collector.disable-defaults", "--collector.textfile", "--collector.timex"),
        f"--collector.textfile.directory={folder}",
    ]
    with Program(command, tmp_path_factory.mktemp("peer") / "log", ready=lambda: answers(url)):
        yield f"{url}/metrics"


def series(found: Exposition, *left_out: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], str]:
    return {
        (s.name, tuple(sorted((name, value) for name, value in s.labels.items() if value))): str(float(s.value))
        for s in found.samples
        if not s.name.startswith(left_out)
    }


ITSELF = ("node_exporter_", "node_scrape_", "go_", "process_", "promhttp_")


def test_text_files_give_the_same_series(url: str, folder: Path, tmp_path: Path) -> None:
    theirs = Exposition.scrape(url)
    ours = Exposition.of(TextfileCollector(context(tmp_path, f"textfile: {{directories: [{folder}]}}")).collect())

    assert series(ours) == series(theirs, *ITSELF, "node_timex_")
    assert ours.value("node_textfile_scrape_error") == 1
    kinds = {name: family.type for name, family in theirs.families.items()}
    assert {name: family.type for name, family in ours.families.items()} == {
        name: kinds[name] for name in ours.families
    }


def test_the_clock_is_told_alike(url: str, tmp_path: Path) -> None:
    before, ours, after = (
        {name: float(value) for (name, _), value in series(found, *ITSELF, "mailserver_").items() if "timex" in name}
        for found in (
            Exposition.scrape(url),
            Exposition.of(TimexCollector(context(tmp_path)).collect()),
            Exposition.scrape(url),
        )
    )

    assert ours.keys() == before.keys()
    outside = {
        name: (before[name], value, after[name])
        for name, value in ours.items()
        if not min(before[name], after[name]) - 1e-9 <= value <= max(before[name], after[name]) + 1e-9
    }
    assert outside == {}
