"""What is told of the system as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailserver_exporter.collectors.system import SystemCollector
from mailserver_exporter.sources import SourceError, kernel, osrelease, pressure
from tests.support.contexts import context
from tests.support.metrics import Exposition

# cat /etc/os-release, of Ubuntu 24.04
UBUNTU = b"""\
PRETTY_NAME="Ubuntu 24.04.1 LTS"
NAME="Ubuntu"
VERSION_ID="24.04"
VERSION="24.04.1 LTS (Noble Numbat)"
VERSION_CODENAME=noble
ID=ubuntu
ID_LIKE=debian
HOME_URL="https://www.ubuntu.com/"
UBUNTU_CODENAME=noble
LOGO=ubuntu-logo
"""
# cat /proc/pressure/memory
MEMORY_PRESSURE = b"""\
some avg10=0.00 avg60=1.16 avg300=0.61 total=8265947
full avg10=0.00 avg60=0.00 avg300=0.00 total=1500000
"""
# head -6 /proc/stat, and what else the collectors want of it
STAT = b"""\
cpu  10132153 290696 3084719 46828483 16683 0 25195 0 175628 0
cpu0 1393280 32966 572056 13343292 6130 0 17875 0 23933 0
intr 1462898 0 9 0
ctxt 115315
btime 1795304666
processes 86031
procs_running 6
procs_blocked 2
"""
# grep -E "pgpg|pgfault|oom_kill|pgmaj|pswp" /proc/vmstat
VMSTAT = b"pgpgin 74\npgpgout 75\npswpin 0\npswpout 1\npgfault 99\npgmajfault 12\noom_kill 3\noom_kill_x 4\n"


def write_host(rootfs: Path) -> None:
    """Make a host below ``rootfs`` with everything that a kernel may have."""
    for name, content in {
        "etc/hostname": b"mail.example.org\n",
        "usr/lib/os-release": UBUNTU,
        "proc/stat": STAT,
        "proc/vmstat": VMSTAT,
        "proc/sys/fs/file-nr": b"783\t0\t9223372036854775807\n",
        "proc/sys/kernel/domainname": b"(none)\n",
        "proc/sys/net/netfilter/nf_conntrack_count": b"21\n",
        "proc/sys/net/netfilter/nf_conntrack_max": b"262144\n",
        "proc/pressure/cpu": b"some avg10=0.00 avg60=0.00 avg300=0.00 total=250000\n",
        "proc/pressure/io": MEMORY_PRESSURE,
        "proc/pressure/irq": b"full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n",
        "proc/pressure/memory": MEMORY_PRESSURE,
    }.items():
        path = rootfs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (rootfs / "etc/os-release").symlink_to("../usr/lib/os-release")


def collect(rootfs: Path) -> Exposition:
    return Exposition.of(SystemCollector(context(rootfs, rootfs=rootfs)).collect())


def test_tells_the_hosts_own_name_and_system(tmp_path: Path) -> None:
    write_host(tmp_path)

    found = collect(tmp_path)

    assert found.value("node_uname_info", nodename="mail.example.org", sysname="Linux", domainname="(none)") == 1
    assert found.value("node_os_info", id="ubuntu", id_like="debian", version_codename="noble", variant="") == 1
    assert found.value("node_os_version", id="ubuntu", id_like="debian", name="Ubuntu") == 24.04
    assert found.value("node_boot_time_seconds") == 1795304666


def test_follows_an_absolute_link_of_the_host_within_it(tmp_path: Path) -> None:
    write_host(tmp_path)
    (tmp_path / "etc/os-release").unlink()
    (tmp_path / "etc/os-release").symlink_to("/usr/lib/os-release")

    assert collect(tmp_path).value("node_os_info", id="ubuntu") == 1


def test_tells_counters_of_the_kernel(tmp_path: Path) -> None:
    write_host(tmp_path)

    found = collect(tmp_path)

    assert found.value("node_vmstat_oom_kill") == 3
    assert found.value("node_vmstat_pgpgin") == 74
    assert found.families["node_vmstat_oom_kill"].type == "unknown"
    assert "# TYPE node_vmstat_oom_kill untyped\n" in found.text
    assert (found.value("node_filefd_allocated"), found.value("node_filefd_maximum")) == (783, 2.0**63)
    assert (found.value("node_nf_conntrack_entries"), found.value("node_nf_conntrack_entries_limit")) == (21, 262144)
    assert found.value("node_pressure_cpu_waiting_seconds_total") == 0.25
    assert found.value("node_pressure_irq_stalled_seconds_total") == 0.000007
    assert found.value("node_pressure_memory_waiting_seconds_total") == 8.265947
    assert found.value("node_pressure_memory_stalled_seconds_total") == 1.5


def test_leaves_out_what_a_kernel_does_not_have(tmp_path: Path) -> None:
    write_host(tmp_path)
    for name in ("proc/pressure/cpu", "proc/pressure/io", "proc/pressure/irq", "proc/pressure/memory"):
        (tmp_path / name).unlink()
    (tmp_path / "proc/sys/net/netfilter/nf_conntrack_count").unlink()
    (tmp_path / "usr/lib/os-release").unlink()
    (tmp_path / "proc/vmstat").write_bytes(b"pgfault 99\n")

    names = collect(tmp_path).names()

    assert not {name for name in names if "pressure" in name or "conntrack" in name or "node_os" in name}
    assert {name for name in names if "vmstat" in name} == {"node_vmstat_pgfault"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("proc/stat", b"cpu0 1 2 3\n", "no line"),
        ("proc/stat", STAT.replace(b"1795304666", b"x"), "not numbers"),
        ("proc/vmstat", b"pgfault x\n", "pgfault in /proc/vmstat is not a number"),
        ("proc/sys/fs/file-nr", b"", "not three numbers"),
        ("proc/sys/net/netfilter/nf_conntrack_max", b"\xff", "nf_conntrack_max is not a number"),
        ("proc/pressure/io", b"garbage", "cannot be understood"),
    ],
)
def test_says_what_is_wrong_with_a_broken_file(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    write_host(tmp_path)
    (tmp_path / name).write_bytes(content)

    with pytest.raises(SourceError, match=message):
        collect(tmp_path)


def test_reads_os_release_as_a_shell_would() -> None:
    fields = osrelease.parse(b'# x\nNAME=\'A B\'\nPRETTY_NAME="a \\"b\\" \\$c \\`d \\\\e"\nbroken line\nVARIANT=\xff\n')
    assert fields == {"NAME": "A B", "PRETTY_NAME": 'a "b" $c `d \\e', "VARIANT": "\ufffd"}


@pytest.mark.parametrize(
    ("text", "number"), [("12", 12.0), ("24.04", 24.04), ("15.6.1", 15.6), ("", None), ("rolling", None), ("٣", None)]
)
def test_takes_the_number_out_of_a_version(text: str, number: float | None) -> None:
    assert osrelease.version({"VERSION_ID": text}) == number


def test_a_version_that_is_not_given_is_none() -> None:
    assert osrelease.version({}) is None


def test_pressure_of_a_kernel_that_tells_only_one_kind() -> None:
    found = pressure.parse(b"some avg10=0.00 avg60=0.00 avg300=0.00 total=3000000\n")
    assert (found.some, found.full) == (3.0, None)


def test_takes_only_whole_names_from_vmstat() -> None:
    assert kernel.vmstat(b"numa_pgfault 1\npgfault_x 2\npgfault 3\n", ["pgfault", "fault"]) == {"pgfault": 3}
