"""The system as a whole, beside node_exporter on the same machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver_exporter.collectors.system import SystemCollector
from tests.support.contexts import context
from tests.support.metrics import Exposition
from tests.support.processes import Program, answers, free_port
from tests.support.tools import program

PREFIXES = (
    "node_boot_time_",
    "node_time_seconds",
    "node_uname_",
    "node_os_",
    "node_pressure_",
    "node_vmstat_",
    "node_filefd_",
    "node_nf_conntrack_entries",
)
# Newer node_exporters have these, the one that we compare with does not.
NEWER = {"node_pressure_irq_stalled_seconds_total"}
# Seconds, bytes and events that may pass between the two scrapes.
CHANGES = (
    "node_time_seconds",
    "node_pressure_",
    "node_vmstat_pg",
    "node_filefd_allocated",
    "node_nf_conntrack_entries",
)


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a node_exporter's metrics."""
    address = f"127.0.0.1:{free_port()}"
    log = tmp_path_factory.mktemp("node_exporter") / "log"
    url = f"http://{address}/metrics"
    with Program(
        [program("prometheus-node-exporter"), f"--web.listen-address={address}"], log, ready=lambda: answers(url)
    ):
        yield url


def series(exposition: Exposition) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for sample in exposition.samples
        if sample.name.startswith(PREFIXES) and sample.name not in NEWER
    }


def test_is_what_node_exporter_tells(peer: str, tmp_path: Path) -> None:
    collector = SystemCollector(context(tmp_path))

    before = series(Exposition.of(collector.collect()))
    theirs = Exposition.scrape(peer)
    after = series(Exposition.of(collector.collect()))

    assert before.keys() == series(theirs).keys()
    for key, value in series(theirs).items():
        name, _ = key
        if name == "node_filefd_allocated" or name == "node_nf_conntrack_entries":
            assert before[key] * 0.5 - 100 <= value <= after[key] * 2 + 100, key
        elif name.startswith(CHANGES):
            # The kernel adds up its counters of several CPUs lazily.
            assert before[key] * 0.999 - 1 <= value <= after[key] * 1.001 + 1, key
        else:
            assert before[key] == value, key


def test_has_the_types_and_help_texts_of_node_exporter(peer: str, tmp_path: Path) -> None:
    ours = Exposition.of(SystemCollector(context(tmp_path)).collect())
    theirs = Exposition.scrape(peer)

    for name, family in ours.families.items():
        if name.removesuffix("_total") + "_total" not in NEWER:
            other = theirs.families[name]
            assert (family.type, family.documentation) == (other.type, other.documentation), name


def test_a_container_sees_the_host_through_its_root(tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host/proc").symlink_to("/proc")
    (tmp_path / "host/etc").mkdir()
    (tmp_path / "host/etc/hostname").write_text("mail.example.org\n")
    (tmp_path / "host/etc/os-release").write_text('ID=ubuntu\nVERSION_ID="24.04"\n')

    found = Exposition.of(SystemCollector(context(tmp_path, rootfs=tmp_path / "host")).collect())

    own = Exposition.of(SystemCollector(context(tmp_path)).collect())
    assert found.value("node_uname_info", nodename="mail.example.org") == 1
    assert found.value("node_os_info", id="ubuntu", name="") == 1
    assert found.value("node_boot_time_seconds") == own.value("node_boot_time_seconds")


def test_costs_little(tmp_path: Path) -> None:
    collector = SystemCollector(context(tmp_path))
    Exposition.of(collector.collect())

    start = time.thread_time()
    for _ in range(50):
        list(collector.collect())

    assert (time.thread_time() - start) / 50 < 0.005
