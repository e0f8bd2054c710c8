"""Control groups of both versions, from files as the kernel writes them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mailserver_exporter.host import Host
from mailserver_exporter.sources import SourceError, cgroup
from mailserver_exporter.sources.cgroup import DeviceIO
from mailserver_exporter.sources.container_resources import ResourceReader
from mailserver_exporter.sources.kept_files import KeptFiles

ID = "df96f6c316ae5b3ba9344dc874eb8081892462fba6637c4a01aa95c52a6c0d45"

# grep . /sys/fs/cgroup/CONTROLLER/docker/ID/* of a container with a memory limit of 32 MiB, Linux 6.18, cgroup v1
V1 = {
    "cpuacct/cpuacct.usage": "64266887\n",
    "cpuacct/cpuacct.stat": "user 4\nsystem 1\n",
    "cpuacct/cgroup.procs": "4242\n4243\n",
    "cpu/cpu.stat": "nr_periods 40\nnr_throttled 7\nthrottled_time 2500000000\nnr_bursts 0\nburst_time 0\n",
    "cpu/cpu.cfs_quota_us": "50000\n",
    "cpu/cpu.cfs_period_us": "100000\n",
    "memory/memory.usage_in_bytes": "327680\n",
    "memory/memory.max_usage_in_bytes": "9999999\n",
    "memory/memory.limit_in_bytes": "33554432\n",
    "memory/memory.memsw.limit_in_bytes": "67108864\n",
    "memory/memory.soft_limit_in_bytes": "9223372036854771712\n",
    "memory/memory.failcnt": "12\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
    "memory/memory.stat": "cache 1\nrss 2\ntotal_cache 8192\ntotal_rss 53248\ntotal_mapped_file 4096\n"
    "total_swap 1024\ntotal_inactive_file 7680\n",
    "blkio/blkio.throttle.io_service_bytes_recursive": "254:0 Read 8388608\n254:0 Write 12595200\n"
    "254:0 Sync 20983808\n254:0 Async 0\n254:0 Discard 0\n254:0 Total 20983808\nTotal 20983808\n",
    "blkio/blkio.throttle.io_serviced_recursive": "254:0 Read 16\n254:0 Write 14\n254:0 Sync 30\n254:0 Async 0\n"
    "254:0 Discard 0\n254:0 Total 30\nTotal 30\n",
    "pids/pids.current": "5\n",
    "pids/pids.max": "max\n",
}

# grep . /sys/fs/cgroup/system.slice/docker-ID.scope/* , abridged in memory.stat, Linux 6.1, cgroup v2
V2 = {
    "cpu.stat": "usage_usec 2500000\nuser_usec 1500000\nsystem_usec 1000000\n"
    "nr_periods 40\nnr_throttled 7\nthrottled_usec 2500000\nnr_bursts 0\nburst_usec 0\n",
    "cpu.max": "50000 100000\n",
    "memory.current": "10000000\n",
    "memory.peak": "20000000\n",
    "memory.max": "33554432\n",
    "memory.low": "0\n",
    "memory.swap.max": "max\n",
    "memory.swap.current": "4096\n",
    "memory.stat": "anon 4000000\nfile 5000000\nkernel 600000\nfile_mapped 700000\ninactive_file 3000000\n",
    "memory.events": "low 0\nhigh 0\nmax 12\noom 4\noom_kill 3\noom_group_kill 0\n",
    "io.stat": "8:0 rbytes=1024 wbytes=2048 rios=1 wios=2 dbytes=0 dios=0\n259:0 cost.usage=5\n",
    "pids.current": "5\n",
    "pids.max": "100\n",
    "cgroup.procs": "4242\n",
}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def v1(root: Path) -> cgroup.Place:
    for name, content in V1.items():
        controller, _, file = name.partition("/")
        write(root / controller / "docker" / ID, {file: content})
    lines = "".join(
        f"{n}:{name}:/docker/{ID}\n" for n, name in enumerate(("cpu", "cpuacct", "memory", "blkio", "pids"))
    )
    return cgroup.locate(lines.encode(), ID, str(root))


def v2(root: Path) -> cgroup.Place:
    folder = root / "system.slice" / f"docker-{ID}.scope"
    write(folder, V2)
    write(root, {"cgroup.controllers": "cpu io memory pids\n"})
    return cgroup.locate(f"0::/system.slice/docker-{ID}.scope\n".encode(), ID, str(root))


def test_reads_usage_and_limits_of_version_1(tmp_path: Path) -> None:
    place = v1(tmp_path)
    spec = cgroup.spec(place)
    usage = cgroup.usage(place, spec)

    assert spec == cgroup.Spec(33554432, 0, 67108864, 50000, 100000, 0)
    assert usage.cpu_seconds == pytest.approx(0.064266887)
    assert (usage.cpu_user_seconds, usage.cpu_system_seconds) == (0.04, 0.01)
    assert (usage.cfs_periods, usage.cfs_throttled_periods, usage.cfs_throttled_seconds) == (40, 7, 2.5)
    assert (usage.memory_bytes, usage.memory_working_set_bytes) == (327680, 320000)
    assert (usage.memory_rss_bytes, usage.memory_cache_bytes, usage.memory_swap_bytes) == (53248, 8192, 1024)
    assert (usage.memory_max_bytes, usage.memory_failures, usage.oom_kills) == (9999999, 12, 3)
    assert usage.devices == (DeviceIO("254:0", 8388608, 12595200, 16, 14),)
    assert usage.threads == 5
    assert cgroup.processes(place) == [b"4242", b"4243"]


def test_reads_usage_and_limits_of_version_2(tmp_path: Path) -> None:
    place = v2(tmp_path)
    spec = cgroup.spec(place)
    usage = cgroup.usage(place, spec)

    assert spec == cgroup.Spec(33554432, 0, 0, 50000, 100000, 100)
    assert (usage.cpu_seconds, usage.cpu_user_seconds, usage.cpu_system_seconds) == (2.5, 1.5, 1.0)
    assert (usage.cfs_periods, usage.cfs_throttled_periods, usage.cfs_throttled_seconds) == (40, 7, 2.5)
    assert (usage.memory_bytes, usage.memory_working_set_bytes) == (10000000, 7000000)
    assert (usage.memory_rss_bytes, usage.memory_cache_bytes, usage.memory_swap_bytes) == (4000000, 5000000, 4096)
    assert (usage.memory_max_bytes, usage.memory_failures, usage.oom_kills) == (20000000, 12, 3)
    assert usage.devices == (DeviceIO("8:0", 1024, 2048, 1, 2),)


def test_what_a_kernel_does_not_tell_is_none(tmp_path: Path) -> None:
    place = v2(tmp_path)
    for name in ("memory.peak", "memory.swap.current", "io.stat", "memory.stat"):
        (Path(place.unified) / name).unlink()

    usage = cgroup.usage(place, cgroup.spec(place))

    assert (usage.memory_max_bytes, usage.memory_swap_bytes, usage.memory_working_set_bytes) == (None, None, None)
    assert usage.devices == ()
    assert usage.memory_bytes == 10000000


@pytest.mark.parametrize("driver", ["system.slice/docker-{}.scope", "docker/{}"])
@pytest.mark.parametrize("membership", ["0::/", "0::/../../init.scope", "0::/../{}"])
def test_finds_a_container_from_inside_another_cgroup_namespace(tmp_path: Path, driver: str, membership: str) -> None:
    write(tmp_path, {"cgroup.controllers": "cpu\n"})
    folder = tmp_path / driver.format(ID)
    folder.mkdir(parents=True)

    assert cgroup.locate(membership.format(ID).encode(), ID, str(tmp_path)).unified == str(folder)


def test_finds_the_container_above_its_first_process(tmp_path: Path) -> None:
    write(tmp_path, {"cgroup.controllers": "cpu\n"})
    membership = f"0::/system.slice/docker-{ID}.scope/init.scope\n".encode()

    assert cgroup.locate(membership, ID, str(tmp_path)).unified == f"{tmp_path}/system.slice/docker-{ID}.scope"


def test_controllers_mounted_together_are_found_by_their_joint_name(tmp_path: Path) -> None:
    (tmp_path / "cpu,cpuacct").mkdir()

    place = cgroup.locate(f"4:cpu,cpuacct:/docker/{ID}\n".encode(), ID, str(tmp_path))

    assert place.controllers["cpuacct"] == f"{tmp_path}/cpu,cpuacct/docker/{ID}"


def test_a_process_id_that_went_to_another_is_not_the_container(tmp_path: Path) -> None:
    write(tmp_path, {"cgroup.controllers": "cpu\n"})
    with pytest.raises(cgroup.GoneError):
        cgroup.locate(b"0::/user.slice/user-0.slice/session-1.scope\n", ID, str(tmp_path))


def test_says_that_the_hierarchy_is_not_mounted(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cpuacct"):
        cgroup.locate(f"1:cpuacct:/docker/{ID}\n".encode(), ID, str(tmp_path))


def test_a_container_that_has_ended_is_gone_and_not_broken(tmp_path: Path) -> None:
    place = v2(tmp_path)
    for file in Path(place.unified).iterdir():
        file.unlink()
    with pytest.raises(cgroup.GoneError):
        cgroup.usage(place, cgroup.Spec())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("memory.stat", "anon 4000000\nfile 50"),
        ("memory.stat", "anon 4000000\nfile\n"),
        ("memory.stat", "anon x\n"),
        ("cpu.stat", "user_usec 1\n"),
        ("memory.current", ""),
        ("memory.current", "12 34"),
        ("io.stat", "8:0 rbytes=10 wbyt"),
    ],
)
def test_a_half_written_file_is_named(tmp_path: Path, name: str, content: str) -> None:
    place = v2(tmp_path)
    (Path(place.unified) / name).write_text(content)
    with pytest.raises(SourceError, match=name):
        cgroup.usage(place, cgroup.Spec())


def test_a_half_written_block_file_of_version_1_is_an_error() -> None:
    with pytest.raises(SourceError, match="blkio"):
        cgroup.parse_blkio(b"254:0 Read 8388608\n254:0 Wri", b"")


NET_DEV = """head
head
    lo:    7       1    0    0    0     0          0         0        7       1    0    0    0     0       0          0
  eth0: 1010      11    1    2    0     0          0         0     2020      22    3    4    0     0       0          0
"""


def host(root: Path) -> Host:
    v2(root / "sys/fs/cgroup")
    membership = f"0::/system.slice/docker-{ID}.scope\n"
    write(root / "proc/4242", {"cgroup": membership, "net/dev": NET_DEV})
    write(root / "sys/dev/block/8:0", {"uevent": "MAJOR=8\nMINOR=0\nDEVNAME=sda\nDEVTYPE=disk\n"})
    return Host(str(root))


def test_a_container_is_its_control_group_and_its_interfaces(tmp_path: Path) -> None:
    reader = ResourceReader(host(tmp_path))

    found = reader.read(ID, 4242, network=True)

    assert found.usage.cpu_seconds == 2.5
    assert found.processes == 1
    assert {name: traffic.receive_bytes for name, traffic in found.interfaces.items()} == {"eth0": 1010}
    assert reader.read(ID, 4242, network=False).interfaces == {}
    assert reader.device("8:0") == "/dev/sda"
    assert reader.device("9:9") == "9:9"
    reader.close()


def test_a_process_that_is_no_more_is_told_though_its_control_group_stays(tmp_path: Path) -> None:
    reader = ResourceReader(host(tmp_path))
    reader.read(ID, 4242, network=False)
    folder = tmp_path / f"sys/fs/cgroup/system.slice/docker-{ID}.scope"
    (folder / "cgroup.procs").write_text("77\n")
    (tmp_path / "proc/4242/cgroup").unlink()

    with pytest.raises(cgroup.GoneError):
        reader.read(ID, 4242, network=False)


def test_no_more_files_are_kept_open_than_allowed_and_none_after_the_end(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    kept = KeptFiles(2)
    write(tmp_path, {"a/1": "one", "a/2": "two", "b/3": "three"})

    for _ in range(2):
        assert [kept.read(str(tmp_path / name)) for name in ("a/1", "a/2", "b/3")] == [b"one", b"two", b"three"]
    assert len(os.listdir("/proc/self/fd")) == before + 2
    kept.forget(str(tmp_path / "a"))
    assert len(os.listdir("/proc/self/fd")) == before
    assert kept.read(str(tmp_path / "b/3")) == b"three"
    kept.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_kept_file_shows_what_was_written_since(tmp_path: Path) -> None:
    kept = KeptFiles(2)
    file = tmp_path / "memory.current"
    for content in ("1\n", "22\n", "x" * 100_000):
        file.write_text(content)
        assert kept.read(str(file)) == content.encode()
    kept.close()
