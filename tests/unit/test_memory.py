"""Memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailserver_exporter.collectors.memory import MemoryCollector
from mailserver_exporter.sources import SourceError, meminfo
from tests.support.contexts import context
from tests.support.metrics import Exposition

# grep -E '^(Mem|Active|HugePages_T|Committed|DirectMap4k)' /proc/meminfo
MEMINFO = b"""\
MemTotal:       24684084 kB
MemFree:        23248468 kB
MemAvailable:   24318136 kB
Active:           382968 kB
Active(anon):       1568 kB
Active(file):     381400 kB
Committed_AS:      72148 kB
HugePages_Total:       4
DirectMap4k:       28672 kB
"""


def test_parses_what_the_kernel_writes() -> None:
    memory = meminfo.parse(MEMINFO)

    assert memory.bytes["MemTotal"] == 24684084 * 1024
    assert memory.bytes["Active(anon)"] == 1568 * 1024
    assert memory.counts == {"HugePages_Total": 4}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no MemTotal"),
        (MEMINFO[20:], "not a key with a number"),
        (MEMINFO.replace(b"MemTotal", b"MemSum"), "no MemTotal"),
        (MEMINFO.replace(b"23248468", b"lots"), "not a key with a number"),
        (MEMINFO.replace(b"MemFree", b'Mem"Free\n'), "not a key with a number"),
        (MEMINFO + b"\x00" * 50, "not a key with a number"),
    ],
)
def test_says_what_is_wrong_with_a_broken_file(data: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        meminfo.parse(data)


def test_exports_every_line_by_its_own_name_and_the_limits(tmp_path: Path) -> None:
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "meminfo").write_bytes(MEMINFO)

    found = Exposition.of(MemoryCollector(context(tmp_path, rootfs=tmp_path)).collect())

    assert found.value("node_memory_MemAvailable_bytes") == 24318136 * 1024
    assert found.value("node_memory_Active_anon_bytes") == 1568 * 1024
    assert found.value("node_memory_Active_file_bytes") == 381400 * 1024
    assert found.value("node_memory_HugePages_Total") == 4
    assert len([name for name in found.names() if name.startswith("node_memory_")]) == 9
    assert found.value("mailserver_threshold_memory_usage_ratio", severity="critical") == 0.9
