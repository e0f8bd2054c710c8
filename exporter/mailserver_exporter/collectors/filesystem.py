"""How full the file systems are, and whether those that should be mounted are."""

from __future__ import annotations

import errno
import logging
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors.base import Collector, Context, read_of_first_process, thresholds
from mailserver_exporter.finding import shortened
from mailserver_exporter.host import Host
from mailserver_exporter.sources import SourceError, files, mountinfo
from mailserver_exporter.sources.mountinfo import Mount

log = logging.getLogger(__name__)

# node_exporter's defaults of --collector.filesystem.mount-points-exclude and --collector.filesystem.fs-types-exclude.
_EXCLUDED_MOUNTPOINTS = re.compile(
    r"/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)"
)
_EXCLUDED_TYPES = re.compile(
    r"autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|"
    r"proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs"
)
_MAX_MOUNTS = 1000

# A file system that has not answered by now is told as faulty, and is not waited for again before it has.
_PATIENCE_SECONDS = 1.5

# What holds files that last: block devices (told by their /dev/), pools, and the file systems of other machines.
_LASTING_TYPES = re.compile(r"zfs|btrfs|bcachefs|nfs4?|cifs|smb3|ceph|glusterfs|lustre|9p|virtiofs")

# Where mounts come and go: people's, sessions', containers'. What is to stay there is in /etc/fstab.
_PASSING_PLACES = re.compile(
    r"/(mnt|media|run|tmp|var/tmp|snap|var/snap|home/.*|var/lib/(docker|containers|kubelet|lxc|lxd|incus))($|/)"
)

# Each subvolume of these has a device number of its own.
_MANY_DEVICES = frozenset(("btrfs", "bcachefs"))


class FilesystemCollector(Collector):
    """File systems, as `df` and `df -i` show them; device_error is 1 for one that does not answer or refuses to.

    node_filesystem_size_bytes{device="/dev/vda",fstype="ext4",mountpoint="/"} 2.70553174016e+11
    node_filesystem_free_bytes{device="/dev/vda",fstype="ext4",mountpoint="/"} 2.45980798976e+11
    node_filesystem_avail_bytes{device="/dev/vda",fstype="ext4",mountpoint="/"} 8.4371918848e+10
    node_filesystem_files{device="/dev/vda",fstype="ext4",mountpoint="/"} 1.6777216e+07
    node_filesystem_files_free{device="/dev/vda",fstype="ext4",mountpoint="/"} 1.6357069e+07
    node_filesystem_readonly{device="/dev/vda",fstype="ext4",mountpoint="/"} 0
    node_filesystem_device_error{device="/dev/vda",fstype="ext4",mountpoint="/"} 0
    mailserver_filesystem_present{mountpoint="/"} 1
    mailserver_threshold_filesystem_usage_ratio{mountpoint="/",severity="critical"} 0.9

    Expected from then on is what was once mounted for writing and lasts; see is_lasting().
    """

    name = "filesystem"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._wanted = frozenset(map(str, context.config.filesystem.mountpoints))
        self._problems: dict[str, str] = {}
        self._mountpoints: list[str] = []

    def collect(self) -> Iterator[Metric]:
        """Yield sizes, faults, presence and limits."""
        everything = mountinfo.parse(read_of_first_process(self.context.host, "mountinfo", "self/mountinfo"))
        mounts = self._watched(everything)
        self._mountpoints = sorted(mounts)
        calls = {mount: partial(_statvfs, self.context.host, mount) for mount in mounts.values()}
        answers = self.context.hanging_calls.run(calls, _PATIENCE_SECONDS)
        sizes = {}
        problems = {}
        for mountpoint, mount in mounts.items():
            answer = answers.get(mount)
            if isinstance(answer, os.statvfs_result):
                sizes[mountpoint] = answer
            elif answer is None:
                problems[mountpoint] = "does not answer"
            elif isinstance(answer, OSError):
                problems[mountpoint] = answer.strerror or str(answer)
            else:
                raise answer
        self._retell(problems)
        yield from _sizes(mounts, sizes)

        writable = [mounts[name] for name, size in sizes.items() if size.f_blocks and not mounts[name].readonly]
        expected = self._expected(writable, everything)
        present = GaugeMetricFamily(
            "mailserver_filesystem_present", "Whether a file system that is expected is mounted.", labels=["mountpoint"]
        )
        for mountpoint in sorted(expected):
            present.add_metric([mountpoint], mountpoint in mounts)
        yield present
        limits = self.context.config.limits.filesystem_usage_ratio
        yield thresholds(
            "filesystem_usage_ratio",
            "Limit of the share of a file system's space that is used.",
            [
                ({"mountpoint": mountpoint}, limits.of(mountpoint))
                for mountpoint, mount in mounts.items()
                # What is read-only by design is full and may be.
                if not mount.readonly or mountpoint in expected
            ],
        )

    def found(self) -> str:
        """Say which file systems are mounted."""
        return shortened(self._mountpoints) or "none"

    def _watched(self, mounts: Iterable[Mount]) -> dict[str, Mount]:
        """Return what is reported, by mountpoint; of several mounts on one, the last: it is all that can be seen."""
        topmost = {_label(mount.mountpoint): mount for mount in mounts}
        if self._wanted:
            return {name: mount for name, mount in topmost.items() if name in self._wanted}
        watched = {
            name: mount
            for name, mount in topmost.items()
            if not _EXCLUDED_TYPES.fullmatch(mount.fstype) and not _EXCLUDED_MOUNTPOINTS.match(name)
        }
        if len(watched) > _MAX_MOUNTS:
            raise SourceError(
                f"{len(watched)} file systems are mounted, more than {_MAX_MOUNTS}",
                remedy="name those to watch in the configuration: filesystem.mountpoints",
            )
        return watched

    def _expected(self, candidates: Iterable[Mount], everything: Iterable[Mount]) -> Collection[str]:
        """Return the mountpoints that are expected, after adding the new ones among ``candidates`` that last."""
        if self._wanted:
            return self._wanted
        known = self.context.expectations.expect("mountpoint", ())
        new = [mount for mount in candidates if _label(mount.mountpoint) not in known]
        if not new:
            return known
        try:
            fstab = mountinfo.parse_fstab(files.read(self.context.host.path("/etc/fstab")))
        except FileNotFoundError:
            fstab = {}
        automounts = [mount.mountpoint for mount in everything if mount.fstype == "autofs"]
        lasting = [_label(mount.mountpoint) for mount in new if is_lasting(mount, fstab, automounts)]
        return self.context.expectations.expect("mountpoint", lasting) if lasting else known

    def _retell(self, problems: dict[str, str]) -> None:
        """Log what has changed since the last run."""
        for mountpoint, problem in problems.items():
            if self._problems.get(mountpoint) != problem:
                log.warning("file system %r: %s", mountpoint, problem)
        for mountpoint in self._problems.keys() - problems.keys():
            log.info("file system %r works again or is gone", mountpoint)
        self._problems = problems


def is_lasting(mount: Mount, fstab: Mapping[str, frozenset[str]], automounts: Iterable[str]) -> bool:
    """Say whether an admin would miss a file system that is mounted for writing.

    Yes when /etc/fstab mounts it at the start. Otherwise yes for a disk, a pool or another machine's file system that
    is mounted as a whole, but not where mounts come and go, nor one that is mounted on demand.
    """
    place = mount.mountpoint.rstrip("/")
    if any(place == automount or place.startswith(f"{automount.rstrip('/')}/") for automount in automounts):
        return False
    options = fstab.get(mount.mountpoint)
    if options is not None:
        return options.isdisjoint(("noauto", "x-systemd.automount"))
    if _PASSING_PLACES.match(mount.mountpoint):
        return False
    whole = mount.root == "/" or mount.fstype in _MANY_DEVICES
    return whole and (mount.device.startswith("/dev/") or _LASTING_TYPES.fullmatch(mount.fstype) is not None)


def _statvfs(host: Host, mount: Mount) -> os.statvfs_result:
    """Ask a file system for its size. Raises OSError. May hang."""
    path = host.path(mount.mountpoint)
    if host.in_container and mount.fstype not in _MANY_DEVICES:
        device = os.stat(path).st_dev
        if (os.major(device), os.minor(device)) != (mount.major, mount.minor):
            # We would give it the size of the file system that its folder is on.
            raise OSError(errno.ENODEV, "cannot be seen from the container, mount the host's root with rslave")
    return os.statvfs(path)


def _sizes(mounts: Mapping[str, Mount], sizes: Mapping[str, os.statvfs_result]) -> Iterator[Metric]:
    def family(name: str, text: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(f"node_filesystem_{name}", text, labels=["device", "fstype", "mountpoint"])

    size, free = family("size_bytes", "Size."), family("free_bytes", "Free space, root's reserve included.")
    avail = family("avail_bytes", "Free space for others than root.")
    files_all, files_free = family("files", "Inodes."), family("files_free", "Free inodes.")
    readonly = family("readonly", "Whether it is mounted read-only or has become so.")
    error = family("device_error", "Whether it does not answer or refuses to.")
    for mountpoint, mount in mounts.items():
        labels = [_label(mount.device), mount.fstype, mountpoint]
        readonly.add_metric(labels, mount.readonly)
        answer = sizes.get(mountpoint)
        error.add_metric(labels, answer is None)
        if answer is not None:
            # f_frsize is what blocks are counted in, statvfs(3). node_exporter takes f_bsize, mostly the same.
            size.add_metric(labels, answer.f_blocks * answer.f_frsize)
            free.add_metric(labels, answer.f_bfree * answer.f_frsize)
            avail.add_metric(labels, answer.f_bavail * answer.f_frsize)
            files_all.add_metric(labels, answer.f_files)
            files_free.add_metric(labels, answer.f_ffree)
    yield from (size, free, avail, files_all, files_free, readonly, error)


def _label(text: str) -> str:
    """Make a name that need not be UTF-8 fit for a label."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
