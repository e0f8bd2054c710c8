"""File systems. Those that hang are in tests/integration/test_hanging_filesystem.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mailserver_exporter.collectors.filesystem import FilesystemCollector, is_lasting
from mailserver_exporter.sources import SourceError, mountinfo
from mailserver_exporter.sources.mountinfo import Mount
from tests.support.contexts import context
from tests.support.metrics import Exposition

# cat /proc/1/mountinfo, shortened
MOUNTINFO = b"""\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
28 27 0:25 / /srv/with\\040space\\134 ro,nosuid master:1 propagate_from:2 - tmpfs no\\011name ro,size=4k,mode=755
29 27 254:0 /data/vmail /var/vmail rw,relatime shared:3 - ext4 /dev/vda ro,errors=remount-ro
30 27 0:44 / /caf\\303\\251 rw - fuse.sshfs user@host:/ rw
31 27 0:45 / /\xff\r rw - tmpfs  rw
"""


def test_parses_what_the_kernel_writes() -> None:
    mounts = mountinfo.parse(MOUNTINFO)

    assert mounts[1] == Mount(27, 254, 0, "/", "/", "/dev/vda", "ext4", readonly=False)
    assert (mounts[2].mountpoint, mounts[2].device) == ("/srv/with space\\", "no\tname")
    assert mounts[4].mountpoint == "/café"
    assert (os.fsencode(mounts[5].mountpoint), mounts[5].device) == (b"/\xff\r", "")


def test_a_mount_is_read_only_when_its_file_system_is() -> None:
    mounts = mountinfo.parse(MOUNTINFO)

    assert [mount.readonly for mount in mounts] == [False, False, True, True, False, False]


@pytest.mark.parametrize(
    "line",
    [
        b"27 1 254:0 / / rw,relatime - ext4",
        b"27 1 254:0 / /",
        b"27 1 254 / / rw - ext4 /dev/vda rw",
        b"x 1 254:0 / / rw - ext4 /dev/vda rw",
        b"\x00",
    ],
)
def test_says_what_is_wrong_with_a_broken_line(line: bytes) -> None:
    with pytest.raises(SourceError, match="not a mount"):
        mountinfo.parse(MOUNTINFO + line)


def test_parses_fstab() -> None:
    table = mountinfo.parse_fstab(
        b"# /dev/sdz /commented ext4 defaults\n\nUUID=1 / ext4 errors=remount-ro 0 1\n"
        b"/dev/sdb1 /mnt/usb\\040disk vfat noauto,user\n//nas/mail /var/vmail/ cifs\nbroken\n"
    )

    assert table == {
        "/": {"errors=remount-ro"},
        "/mnt/usb disk": {"noauto", "user"},
        "/var/vmail": {"defaults"},
    }


def _mount(mountpoint: str, device: str = "/dev/sdb1", fstype: str = "ext4", root: str = "/") -> Mount:
    return Mount(1, 8, 17, root, mountpoint, device, fstype, readonly=False)


@pytest.mark.parametrize(
    "mount",
    [
        _mount("/"),
        _mount("/boot/efi", fstype="vfat"),
        _mount("/var/vmail", "/dev/mapper/vg-vmail", "xfs"),
        _mount("/tank/mail", "tank/mail", "zfs"),
        _mount("/var/vmail", "nas:/vmail", "nfs4"),
        _mount("/", "/dev/sda2", "btrfs", root="/@rootfs"),
        _mount("/srv/windows", fstype="fuseblk"),
        _mount("/mnt/HC_Volume_1"),
        _mount("/mnt/rclone", "remote:", "fuse.rclone"),
        _mount("/var/mail", root="/data/mail"),
        _mount("/tmp", "tmpfs", "tmpfs"),
    ],
    ids=lambda mount: f"{mount.fstype} {mount.mountpoint}",
)
def test_what_an_admin_would_miss_is_lasting(mount: Mount) -> None:
    fstab = {name: frozenset({"nofail"}) for name in ("/mnt/HC_Volume_1", "/mnt/rclone", "/var/mail", "/tmp")}

    assert is_lasting(mount, fstab, automounts=["/proc/sys/fs/binfmt_misc"])


@pytest.mark.parametrize(
    "mount",
    [
        _mount("/run", "tmpfs", "tmpfs"),
        _mount("/run/user/1000", "tmpfs", "tmpfs"),
        _mount("/run/media/anna/STICK", fstype="vfat"),
        _mount("/media/usb", fstype="vfat"),
        _mount("/mnt"),
        _mount("/mnt/restore"),
        _mount("/tmp/disk", "/dev/loop3"),
        _mount("/home/anna", "/dev/mapper/home-anna", "btrfs"),
        _mount("/home/anna/nas", "nas:", "fuse.sshfs"),
        _mount("/srv/sshfs", "nas:", "fuse.sshfs"),
        _mount("/var/lib/docker", "/dev/sdc1"),
        _mount("/var/lib/kubelet/pods/1/volumes/x", "/dev/sdc1"),
        _mount("/etc/hosts", root="/var/lib/docker/containers/1/hosts"),
        _mount("/backup"),
        _mount("/efi", fstype="vfat"),
        _mount("/net/nas/mail", "nas:/mail", "nfs4"),
    ],
    ids=lambda mount: f"{mount.fstype} {mount.mountpoint}",
)
def test_what_comes_and_goes_is_not_lasting(mount: Mount) -> None:
    fstab = {"/backup": frozenset({"noauto"})}

    assert not is_lasting(mount, fstab, automounts=["/efi", "/net"])


class _Machine:
    """A collector, and a host whose mount points are folders of ours."""

    def __init__(self, root: Path, state: Path, yaml: str = "") -> None:
        self.root, self.state, self.yaml = root, state, yaml
        (root / "proc/1").mkdir(parents=True)
        (root / "etc").mkdir()
        self.restart()

    def restart(self) -> None:
        self.collector = FilesystemCollector(context(self.state, self.yaml, self.root))

    def scrape(self, *mounts: str) -> Exposition:
        """Each mount is 'MOUNTPOINT TYPE DEVICE OPTIONS'; what it is about is on the device of our own folder."""
        lines = []
        for number, mount in enumerate(mounts, 20):
            mountpoint, fstype, device, options = mount.split(" ")
            folder = Path(f"{self.root}{mountpoint}")
            folder.mkdir(parents=True, exist_ok=True)
            disk = folder.stat().st_dev
            lines.append(
                f"{number} 1 {os.major(disk)}:{os.minor(disk)} / {mountpoint} {options} - {fstype} {device} {options}\n"
            )
        (self.root / "proc/1/mountinfo").write_text("".join(lines))
        return Exposition.of(self.collector.collect())


@pytest.fixture
def machine(tmp_path: Path) -> _Machine:
    return _Machine(tmp_path / "host", tmp_path / "state")


ROOT = "/ ext4 /dev/vda rw"
VMAIL = "/var/vmail xfs /dev/vdb rw"


def _present(found: Exposition) -> dict[str, float]:
    return {s.labels["mountpoint"]: s.value for s in found.all("mailserver_filesystem_present")}


def _mountpoints(found: Exposition, name: str = "node_filesystem_size_bytes") -> list[str]:
    return [sample.labels["mountpoint"] for sample in found.all(name)]


def test_exports_sizes_as_the_file_system_tells_them(machine: _Machine) -> None:
    found = machine.scrape(ROOT)

    real = os.statvfs(machine.root)
    key = {"device": "/dev/vda", "fstype": "ext4", "mountpoint": "/"}
    assert found.value("node_filesystem_size_bytes", **key) == real.f_blocks * real.f_frsize
    assert found.value("node_filesystem_files", **key) == real.f_files
    assert found.value("node_filesystem_avail_bytes", **key) <= found.value("node_filesystem_free_bytes", **key)
    assert found.value("node_filesystem_device_error", **key) == 0
    assert found.value("node_filesystem_readonly", **key) == 0


def test_leaves_out_what_holds_no_files(machine: _Machine) -> None:
    found = machine.scrape(
        ROOT,
        "/dev/shm tmpfs tmpfs rw",
        "/var/lib/docker/overlay2/1/merged ext4 /dev/vda rw",
        "/srv/layers overlay overlay rw",
        "/srv/cgroup cgroup2 cgroup2 rw",
        "/devices tmpfs tmpfs rw",
    )

    assert _mountpoints(found) == ["/", "/devices"]


def test_of_two_mounts_on_one_mount_point_only_the_visible_one_is_reported(machine: _Machine) -> None:
    found = machine.scrape("/srv autofs systemd-1 rw", "/srv ext4 /dev/vdb rw", "/srv xfs /dev/vdc rw")

    assert [sample.labels["fstype"] for sample in found.all("node_filesystem_size_bytes")] == ["xfs"]


def test_a_file_system_that_is_gone_is_missed_also_after_a_restart(machine: _Machine) -> None:
    assert _present(machine.scrape(ROOT, VMAIL)) == {"/": 1, "/var/vmail": 1}
    assert _present(machine.scrape(ROOT)) == {"/": 1, "/var/vmail": 0}
    machine.restart()
    assert _present(machine.scrape(ROOT)) == {"/": 1, "/var/vmail": 0}
    assert _present(machine.scrape(ROOT, VMAIL)) == {"/": 1, "/var/vmail": 1}


def test_what_comes_and_goes_is_reported_but_not_missed(machine: _Machine) -> None:
    found = machine.scrape(ROOT, "/run/user/1000 tmpfs tmpfs rw", "/mnt/restore ext4 /dev/vdb rw")

    assert _mountpoints(found) == ["/", "/run/user/1000", "/mnt/restore"]
    assert _present(found) == {"/": 1}


def test_what_fstab_mounts_is_missed(machine: _Machine) -> None:
    (machine.root / "etc/fstab").write_text("/dev/vdb /mnt/volume ext4 nofail 0 2\n")
    machine.scrape(ROOT, "/mnt/volume ext4 /dev/vdb rw")

    assert _present(machine.scrape(ROOT)) == {"/": 1, "/mnt/volume": 0}


def test_what_is_read_only_from_the_start_is_neither_missed_nor_limited(machine: _Machine) -> None:
    found = machine.scrape(ROOT, "/srv/image ext4 /dev/loop1 ro")

    assert found.value("node_filesystem_readonly", mountpoint="/srv/image") == 1
    assert _present(found) == {"/": 1}
    assert set(_mountpoints(found, "mailserver_threshold_filesystem_usage_ratio")) == {"/"}


def test_what_becomes_read_only_stays_expected_and_limited(machine: _Machine) -> None:
    machine.scrape(ROOT, VMAIL)

    found = machine.scrape(ROOT, VMAIL.replace(" rw", " ro"))

    assert found.value("node_filesystem_readonly", mountpoint="/var/vmail") == 1
    assert _present(found) == {"/": 1, "/var/vmail": 1}
    assert found.value("mailserver_threshold_filesystem_usage_ratio", mountpoint="/var/vmail", severity="critical")


def test_limits_can_differ_by_mountpoint(tmp_path: Path) -> None:
    yaml = "limits: {filesystem_usage_ratio: {overrides: {/var/vmail: {warning: null, critical: 0.97}}}}"
    machine = _Machine(tmp_path / "host", tmp_path / "state", yaml)

    found = machine.scrape(ROOT, VMAIL)

    limits = found.all("mailserver_threshold_filesystem_usage_ratio")
    assert [(s.labels["mountpoint"], s.labels["severity"], s.value) for s in limits] == [
        ("/", "warning", 0.8),
        ("/", "critical", 0.9),
        ("/var/vmail", "critical", 0.97),
    ]


def test_mountpoints_that_are_named_are_all_that_is_watched_and_expected(tmp_path: Path) -> None:
    yaml = "filesystem: {mountpoints: [/var/vmail, /var/lib/docker/overlay2/1/merged, /backup]}"
    machine = _Machine(tmp_path / "host", tmp_path / "state", yaml)

    found = machine.scrape(ROOT, VMAIL, "/var/lib/docker/overlay2/1/merged overlay overlay rw")

    assert _mountpoints(found) == ["/var/vmail", "/var/lib/docker/overlay2/1/merged"]
    assert _present(found) == {"/var/vmail": 1, "/var/lib/docker/overlay2/1/merged": 1, "/backup": 0}


def test_a_file_system_that_refuses_is_an_error_and_told_once(
    machine: _Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.scrape(ROOT, VMAIL)
    (machine.root / "var/vmail").rmdir()
    text = (machine.root / "proc/1/mountinfo").read_text()

    for _ in range(3):
        (machine.root / "proc/1/mountinfo").write_text(text)
        found = Exposition.of(machine.collector.collect())

    assert found.value("node_filesystem_device_error", mountpoint="/var/vmail") == 1
    assert _mountpoints(found) == ["/"]
    assert _present(found) == {"/": 1, "/var/vmail": 1}
    assert [record.getMessage() for record in caplog.records] == ["file system '/var/vmail': No such file or directory"]


def test_never_gives_the_size_of_the_folder_for_a_mount_that_the_container_cannot_see(machine: _Machine) -> None:
    machine.scrape(ROOT, VMAIL)
    lines = (machine.root / "proc/1/mountinfo").read_text().splitlines(keepends=True)
    lines[1] = " ".join([*lines[1].split(" ")[:2], "0:4095", *lines[1].split(" ")[3:]])
    (machine.root / "proc/1/mountinfo").write_text("".join(lines))

    found = Exposition.of(machine.collector.collect())

    assert found.value("node_filesystem_device_error", mountpoint="/var/vmail") == 1
    assert _mountpoints(found) == ["/"]


def test_names_that_are_not_utf_8_are_reported(machine: _Machine) -> None:
    machine.scrape(ROOT)
    line = (machine.root / "proc/1/mountinfo").read_bytes()
    (machine.root / "proc/1/mountinfo").write_bytes(line + line.replace(b"/ / rw", b'/ /\xff"\\012 rw'))
    Path(os.fsdecode(os.fsencode(machine.root) + b'/\xff"\n')).mkdir()

    assert _mountpoints(Exposition.of(machine.collector.collect())) == ["/", '/\ufffd"\n']


def test_thousands_of_mounts_are_refused_with_a_way_out(machine: _Machine) -> None:
    with pytest.raises(SourceError, match="1001 file systems") as raised:
        machine.scrape(*(f"/{number} tmpfs tmpfs rw" for number in range(1001)))

    assert "filesystem.mountpoints" in raised.value.remedy


def test_never_takes_the_container_s_own_mounts_for_the_host_s(machine: _Machine) -> None:
    with pytest.raises(SourceError, match=r"cannot read .*/proc/1/mountinfo") as raised:
        list(machine.collector.collect())

    assert "compose/compose.yml" in raised.value.remedy
