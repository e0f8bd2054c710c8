"""Load averages."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailserver_exporter.collectors.load import LoadCollector
from mailserver_exporter.sources import SourceError, loadavg
from tests.support.contexts import context
from tests.support.metrics import Exposition


def test_parses_what_the_kernel_writes() -> None:
    assert loadavg.parse(b"0.21 0.37 0.39 1/719 19737\n") == loadavg.LoadAverage(0.21, 0.37, 0.39)


@pytest.mark.parametrize("data", [b"", b"0.21 0.37", b"a b c 1/2 3", b"\x00" * 100])
def test_says_what_is_wrong_with_a_broken_file(data: bytes) -> None:
    with pytest.raises(SourceError, match="not three numbers"):
        loadavg.parse(data)


def test_exports_limits_beside_the_averages(tmp_path: Path) -> None:
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "loadavg").write_bytes(b"0.21 0.37 0.39 1/719 19737\n")
    collector = LoadCollector(context(tmp_path, "limits: {load_per_core: {info: null, critical: 3}}", tmp_path))

    found = Exposition.of(collector.collect())

    assert found.value("node_load5") == 0.37
    assert [(s.labels, s.value) for s in found.all("mailserver_threshold_load_per_core")] == [
        ({"severity": "critical"}, 3.0)
    ]
