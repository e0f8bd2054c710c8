"""The whole exposition of a whole mail host: what is in it, and that Prometheus' own linter finds it clean."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support import golden
from tests.support.mailhost import MailHost
from tests.support.metrics import Exposition
from tests.support.tools import program

# Names of the peers, kept so that people's dashboards and rules go on working, that promtool dislikes.
DISLIKED = (
    "node_memory_",
    "node_vmstat_",
    "node_network_",
    "node_filesystem_",
    "container_",
    "f2b_",
    # Ours: keys are measured in bits.
    "mailserver_certificate_key_bits",
    "mailserver_dns_dkim_key_bits",
)


@pytest.fixture(scope="module")
def exposition(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exposition]:
    with MailHost() as host:
        yield golden.whole(host, tmp_path_factory.mktemp("exporter"))


def test_is_what_the_golden_file_says(exposition: Exposition) -> None:
    found = {family.name: family for family in golden.families(exposition)}
    known = {family.name: family for family in golden.committed()}
    for name in found.keys() & known.keys():
        # Block I/O is counted for some devices and kernels only; a family without a series shows no labels.
        if name.startswith("container_fs_") and not found[name].labels:
            found[name] = replace(found[name], labels=known[name].labels)
    assert {name: family for name, family in found.items() if known.get(name) != family} == {}, "run make golden"
    missing = [name for name in known if name not in found and not name.startswith(golden.MAY_BE_ABSENT)]
    assert missing == [], "run make golden"


@pytest.mark.parametrize("release", ["bookworm", "sid"])
def test_promtool_finds_it_clean(exposition: Exposition, release: str) -> None:
    command = [program("promtool", release), "check", "metrics"]
    done = subprocess.run(command, input=exposition.text, capture_output=True, text=True, check=False)
    told = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith(DISLIKED)]
    assert told == []


def test_no_series_is_there_twice(exposition: Exposition) -> None:
    series = Counter((sample.name, tuple(sorted(sample.labels.items()))) for sample in exposition.samples)
    assert [name for name, times in series.items() if times > 1] == []


def test_no_mail_address_is_in_a_label(exposition: Exposition) -> None:
    address = re.compile(r"[^\s@]+@[^\s@]+\.[a-z]")
    assert [s for s in exposition.samples if any(address.search(value) for value in s.labels.values())] == []
