"""The mail store: is it there, whom does it belong to, and can mail be written."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors.base import Collector, Context, Detection, Schedule
from mailserver_exporter.sources import files, mountinfo
from mailserver_exporter.sources.ownership import OwnerWalk

MAX_ENTRIES, MAX_SECONDS = 2000, 0.05

_HELP = {
    "exists": "Whether the mail store is there.",
    "owner_uid": "User ID that the mail store belongs to.",
    "owner_gid": "Group ID that the mail store belongs to.",
    "mode": "Permission bits of the mail store in the digits that chmod takes: 750 is rwxr-x---.",
    "owner_correct": "Whether the mail store belongs to the user and group that it should.",
    "mode_correct": "Whether the permission bits are those of the configuration; without one, whether the owner can "
    "do everything and others cannot write.",
    "writable": "Whether the mail user can write into the mail store, by its permission bits and its mount.",
    "checked_entries": "Files and directories in the mail store, of the last whole walk or so far in the first.",
    "wrong_owner_entries": "Files and directories in the mail store that do not belong to the mail user and group.",
    "walk_complete": "Whether a walk has seen the whole mail store since the exporter started.",
}
# The mail user of mailcow's Dovecot image, data/Dockerfiles/dovecot/Dockerfile.
_MAILCOW_OWNER = (5000, 5000)
_OWNER_KIND = "vmail_owner_"


class VmailCollector(Collector):
    """The mail store, as `stat /var/vmail` and `find /var/vmail ! -user vmail -o ! -group vmail` show it.

    mailserver_vmail_exists{directory="/var/vmail"} 1
    mailserver_vmail_owner_uid{directory="/var/vmail"} 5000
    mailserver_vmail_owner_gid{directory="/var/vmail"} 5000
    mailserver_vmail_mode{directory="/var/vmail"} 750
    mailserver_vmail_owner_correct{directory="/var/vmail"} 1
    mailserver_vmail_mode_correct{directory="/var/vmail"} 1
    mailserver_vmail_writable{directory="/var/vmail"} 1
    mailserver_vmail_checked_entries{directory="/var/vmail"} 81734
    mailserver_vmail_wrong_owner_entries{directory="/var/vmail"} 0
    mailserver_vmail_walk_complete{directory="/var/vmail"} 1

    A store that was seen once is expected: without it there is ``exists`` 0 and nothing else.

    Whom it should belong to: the configuration's owner and group; else mailcow's; else whom it belonged to when it was
    first seen, which is remembered beside what is expected (`mailserver-exporter forget DIRECTORY` lets go of both). A
    store that was root's when first seen tells nothing: its parts belong to each user, or nobody has set it up yet.
    Then ``owner_correct`` and the walk have no series.
    """

    name = "vmail"
    # In the background for the walk's sake: 2,000 entries are about 8 ms, a million are walked in 40 minutes.
    schedule = Schedule(every=5, deadline=10)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._section = context.config.vmail
        self._walks: dict[str, OwnerWalk] = {}

    def detect(self) -> Detection:
        """Say whether there is a mail store. One that was seen before is not touched here: its disk may hang."""
        directory = self._directory()
        if not directory:
            return Detection(False, "no mail stack found whose mail store is known, and vmail.directory is not set")
        if self._is_certain() or directory in self.context.expectations.expect("vmail", ()):
            return Detection(True, directory)
        key = ("vmail", directory)
        calls = {key: lambda: os.stat(self.context.host.path(directory))}
        status = self.context.hanging_calls.run(calls, 0.5).get(key)
        if isinstance(status, os.stat_result):
            found = stat.S_ISDIR(status.st_mode)
            return Detection(found, directory if found else f"{directory} is not a directory")
        reason = status.strerror if isinstance(status, OSError) else status
        return Detection(False, f"{directory}: {reason or 'does not answer'}")

    def collect(self) -> Iterator[Metric]:
        """Yield all families, and take the walk a step further."""
        families = {
            name: GaugeMetricFamily(f"mailserver_vmail_{name}", help_text, labels=["directory"])
            for name, help_text in _HELP.items()
        }
        for directory in self._expected():
            for name, value in self._facts(directory):
                families[name].add_metric([directory], value)
        yield from families.values()

    def _directory(self) -> str:
        return str(self._section.directory or self.context.mailstack.get().vmail_directory)

    def _expected(self) -> list[str]:
        directory = self._directory()
        present = {directory} if directory and self._status(directory) else set()
        seen = self.context.expectations.expect("vmail", present)
        if self._section.directory:
            return [directory]
        return sorted(seen | {directory} if self._is_certain() else seen)

    def _is_certain(self) -> bool:
        """Say whether a store must be there, seen before or not: the configuration names it, or mailcow has one."""
        return self._section.directory is not None or self.context.mailstack.get().kind == "mailcow"

    def _status(self, directory: str) -> os.stat_result | None:
        try:
            status = os.stat(self.context.host.path(directory))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return status if stat.S_ISDIR(status.st_mode) else None

    def _facts(self, directory: str) -> Iterator[tuple[str, float]]:
        status = self._status(directory)
        yield "exists", status is not None
        if status is None:
            self._walks.pop(directory, None)
            return
        mode = stat.S_IMODE(status.st_mode)
        yield "owner_uid", status.st_uid
        yield "owner_gid", status.st_gid
        yield "mode", int(f"{mode:o}")
        wanted = self._section.mode
        yield "mode_correct", mode == int(wanted, 8) if wanted else mode & 0o702 == 0o700
        owner = self._owner(directory, status)
        path = self.context.host.path(directory)
        uid, gid = owner or (status.st_uid, status.st_gid)
        yield "writable", may_write(status, uid, gid) and not self._is_readonly(path)
        if owner is None:
            return
        yield "owner_correct", (status.st_uid, status.st_gid) == owner
        walk = self._walks.get(directory)
        if walk is None or walk.owner != owner:
            walk = self._walks[directory] = OwnerWalk(path, *owner)
        walk.step(MAX_ENTRIES, MAX_SECONDS)
        yield "checked_entries", walk.found.entries
        yield "wrong_owner_entries", walk.found.wrong
        yield "walk_complete", walk.complete

    def _owner(self, directory: str, status: os.stat_result) -> tuple[int, int] | None:
        """Return the user and group that the store should belong to, or None where that cannot be known."""
        uid, gid = self._section.owner, self._section.group
        if uid is not None and gid is not None:
            return uid, gid
        if self.context.mailstack.get().kind == "mailcow":
            default = _MAILCOW_OWNER
        else:
            first = self._first_seen(directory, status)
            if first is None:
                return None
            default = first
        return default[0] if uid is None else uid, default[1] if gid is None else gid

    def _first_seen(self, directory: str, status: os.stat_result) -> tuple[int, int] | None:
        for kind, names in self.context.expectations.everything().items():
            match = re.fullmatch(_OWNER_KIND + r"(\d+)_(\d+)", kind, re.ASCII)
            if match and directory in names:
                return int(match[1]), int(match[2])
        if status.st_uid == 0:
            return None
        self.context.expectations.expect(f"{_OWNER_KIND}{status.st_uid}_{status.st_gid}", {directory})
        return status.st_uid, status.st_gid

    def _is_readonly(self, path: str) -> bool:
        host = self.context.host
        if not host.in_container:
            return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
        # Our own view of the host is mounted read-only; how the host mounts it stands in the host's own table.
        resolved = path[len(host.rootfs.rstrip("/")) :]
        readonly, longest = False, -1
        for mount in mountinfo.parse(files.read(host.proc("1/mountinfo"))):
            point = mount.mountpoint.rstrip("/")
            if len(point) >= longest and (resolved == point or resolved.startswith(point + "/")):
                readonly, longest = mount.readonly, len(point)
        return readonly


def may_write(status: os.stat_result, uid: int, gid: int) -> bool:
    """Say whether a user and group may create files in a directory, path_resolution(7); access lists are not read."""
    if uid == 0:
        return True
    shift = 6 if status.st_uid == uid else 3 if status.st_gid == gid else 0
    return (status.st_mode >> shift) & 0o3 == 0o3
