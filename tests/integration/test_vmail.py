"""The mail store with real owners, real mounts and real limits. Needs root, as the exporter does on a mail host."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailserver_exporter.collection import Collection
from mailserver_exporter.collectors.base import Schedule
from mailserver_exporter.collectors.vmail import MAX_ENTRIES, MAX_SECONDS, VmailCollector
from mailserver_exporter.sources.ownership import OwnerWalk
from tests.support import fuse_server
from tests.support.contexts import context
from tests.support.metrics import Exposition
from tests.support.processes import Program, wait_for

VMAIL = 5000
NOBODY = 65534


def make_store(store: Path, mailboxes: int = 2, messages: int = 5) -> Path:
    """Make a store as Dovecot does: vmail's, /DOMAIN/USER/Maildir/cur."""
    for number in range(mailboxes):
        folder = store / f"example.org/user{number}/Maildir/cur"
        folder.mkdir(parents=True)
        for message in range(messages):
            (folder / f"{message}:2,S").touch()
    subprocess.run(["chown", "-R", f"{VMAIL}:{VMAIL}", store], check=True)
    store.chmod(0o750)
    return store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "vmail")


def collector_of(store: Path, settings: str = "") -> VmailCollector:
    return VmailCollector(context(store.parent, f"vmail: {{directory: {store}, {settings}}}"))


def values(collector: VmailCollector) -> dict[str, float]:
    return {s.name.removeprefix("mailserver_vmail_"): s.value for s in Exposition.of(collector.collect()).samples}


@contextmanager
def mounted(*arguments: str | Path) -> Iterator[None]:
    """Mount something for the length of the block; the last argument is where."""
    subprocess.run(["mount", *arguments], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", arguments[-1]], check=True)


def test_is_content_with_a_store_of_the_mail_user(store: Path) -> None:
    assert values(collector_of(store)) == {
        "exists": 1,
        "owner_uid": VMAIL,
        "owner_gid": VMAIL,
        "mode": 750,
        "owner_correct": 1,
        "mode_correct": 1,
        "writable": 1,
        "checked_entries": 1 + 2 * 3 + 2 * 5,
        "wrong_owner_entries": 0,
        "walk_complete": 1,
    }


def test_sees_a_mailbox_that_was_restored_as_root_at_once_and_that_it_was_mended(store: Path) -> None:
    collector = collector_of(store)
    assert values(collector)["wrong_owner_entries"] == 0

    mailbox = store / "example.org/user1"
    subprocess.run(["chown", "-R", "root:root", mailbox], check=True)
    assert values(collector)["wrong_owner_entries"] == 3 + 5

    subprocess.run(["chown", "-R", f"{VMAIL}:{VMAIL}", mailbox], check=True)
    os.chown(mailbox / "Maildir/cur/0:2,S", -1, 8)
    assert values(collector)["wrong_owner_entries"] == 1

    os.chown(mailbox / "Maildir/cur/0:2,S", -1, VMAIL)
    assert values(collector)["wrong_owner_entries"] == 0


def test_the_owner_of_a_link_counts_and_not_of_what_it_points_to(store: Path) -> None:
    (store / "link").symlink_to("/etc/passwd")
    os.chown(store / "link", VMAIL, VMAIL, follow_symlinks=False)
    assert values(collector_of(store))["wrong_owner_entries"] == 0

    os.chown(store / "link", 0, 0, follow_symlinks=False)
    assert values(collector_of(store))["wrong_owner_entries"] == 1


def test_remembers_the_first_owner_so_that_a_chown_of_the_top_is_seen_also_after_a_restart(store: Path) -> None:
    assert values(collector_of(store))["owner_correct"] == 1

    os.chown(store, 0, 0)

    for collector in (collector_of(store), collector_of(store)):
        found = values(collector)
        assert (found["owner_uid"], found["owner_gid"]) == (0, 0)
        assert found["owner_correct"] == 0
        assert found["writable"] == 0
        assert found["wrong_owner_entries"] == 0


def test_forgetting_the_store_makes_its_new_owner_the_right_one(store: Path) -> None:
    collector = collector_of(store)
    list(collector.collect())
    subprocess.run(["chown", "-R", "6000:6000", store], check=True)
    assert values(collector)["owner_correct"] == 0

    collector.context.expectations.forget(str(store))

    assert values(collector)["owner_correct"] == 1
    assert values(collector)["wrong_owner_entries"] == 0


def test_a_store_that_is_roots_from_the_start_has_no_owner_to_compare_with(store: Path) -> None:
    os.chown(store, 0, 0)
    found = values(collector_of(store))
    assert found.keys() == {"exists", "owner_uid", "owner_gid", "mode", "mode_correct", "writable"}
    assert found["writable"] == 1


def test_a_configured_owner_holds_whatever_was_seen(store: Path) -> None:
    found = values(collector_of(store, "owner: 6000, group: 5000"))
    assert (found["owner_correct"], found["wrong_owner_entries"], found["writable"]) == (0, 17, 0)

    found = values(collector_of(store, "owner: 5000"))
    assert (found["owner_correct"], found["wrong_owner_entries"]) == (1, 0)


def test_expects_mailcows_owner_through_the_hosts_root(tmp_path: Path) -> None:
    rootfs = tmp_path / "host"
    disk = make_store(rootfs / "mnt/disk/vmail")
    volume = rootfs / "var/lib/docker/volumes/mailcowdockerized_vmail-vol-1"
    volume.mkdir(parents=True)
    (volume / "_data").symlink_to("/mnt/disk/vmail")
    (rootfs / "opt/mailcow-dockerized").mkdir(parents=True)
    (rootfs / "opt/mailcow-dockerized/mailcow.conf").write_text("MAILCOW_HOSTNAME=mail.example.org\n")
    (rootfs / "proc").symlink_to("/proc")
    collector = VmailCollector(context(tmp_path, rootfs=rootfs))

    assert collector.detect().found
    found = Exposition.of(collector.collect())

    directory = "/var/lib/docker/volumes/mailcowdockerized_vmail-vol-1/_data"
    assert {s.labels["directory"] for s in found.samples} == {directory}
    assert found.value("mailserver_vmail_owner_correct") == 1
    assert found.value("mailserver_vmail_checked_entries") == 17
    os.chown(disk, 0, 0)
    assert values(collector)["owner_correct"] == 0


def test_cannot_write_where_it_is_mounted_read_only(tmp_path: Path) -> None:
    mountpoint = tmp_path / "vmail"
    mountpoint.mkdir()
    with mounted("-t", "tmpfs", "-o", f"size=1m,mode=0750,uid={VMAIL},gid={VMAIL}", "tmpfs", mountpoint):
        assert values(collector_of(mountpoint))["writable"] == 1
        subprocess.run(["mount", "-o", "remount,ro", mountpoint], check=True)
        assert values(collector_of(mountpoint))["writable"] == 0


def test_a_container_that_sees_the_host_read_only_tells_how_the_host_sees_it(tmp_path: Path) -> None:
    rootfs = tmp_path / "host"
    make_store(rootfs / "srv/vmail")
    (rootfs / "proc/1").mkdir(parents=True)
    (rootfs / "proc/1/mountinfo").write_text("22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n")
    with mounted("-o", "bind,ro", rootfs, rootfs):
        assert os.statvfs(rootfs / "srv/vmail").f_flag & os.ST_RDONLY
        collector = VmailCollector(context(tmp_path, "vmail: {directory: /srv/vmail}", rootfs))
        assert values(collector)["writable"] == 1


def test_does_not_enter_other_file_systems(store: Path) -> None:
    other = store / "other"
    other.mkdir()
    with mounted("-t", "tmpfs", "-o", "size=1m", "tmpfs", other):
        (other / "roots").touch()
        found = values(collector_of(store))
    assert (found["checked_entries"], found["wrong_owner_entries"], found["walk_complete"]) == (17, 0, 1)


@contextmanager
def nobody() -> Iterator[None]:
    """Be somebody without rights for the length of the block."""
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that everybody can enter, which pytest's own cannot be."""
    with tempfile.TemporaryDirectory(prefix="mailserver-exporter-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_says_that_a_walk_is_not_complete_where_it_may_not_look(open_folder: Path) -> None:
    store = make_store(open_folder / "vmail")
    store.chmod(0o755)
    (store / "example.org/user0").chmod(0o700)
    walk = OwnerWalk(str(store), VMAIL, VMAIL)
    with nobody():
        walk.step(1000, 10)
    assert not walk.complete
    assert (walk.found.entries, walk.found.left_out) == (3 + 2 + 5, 1)


def test_fails_without_a_users_name_where_the_store_may_not_be_read(
    open_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = make_store(open_folder / "vmail")
    collector = collector_of(store)
    list(collector.collect())
    with nobody(), pytest.raises(PermissionError) as caught:
        list(collector.collect())
    assert caught.value.filename == str(store)
    assert "user0" not in caplog.text


def on_postfix_host(root: Path) -> VmailCollector:
    """Return a collector on a host with a plain Postfix, whose mail store may be there or not."""
    (root / "etc/postfix").mkdir(parents=True)
    (root / "etc/postfix/main.cf").touch()
    return VmailCollector(context(root / "state", rootfs=root))


def test_is_not_detected_where_it_may_not_be_seen(open_folder: Path) -> None:
    make_store(open_folder / "var/vmail").parent.chmod(0o700)
    collector = on_postfix_host(open_folder)
    with nobody():
        detection = collector.detect()
    assert not detection.found
    assert "Permission denied" in detection.detail


def test_a_large_store_is_covered_in_short_steps(tmp_path: Path) -> None:
    """100,000 messages, all of root's but one in the last folder."""
    store = tmp_path / "vmail"
    for number in range(100):
        folder = os.fspath(store / f"example.org/user{number}/Maildir/cur")
        os.makedirs(folder)
        for message in range(1000):
            os.mknod(f"{folder}/{message}:2,S")
    os.chown(store / "example.org/user99/Maildir/cur/0:2,S", VMAIL, VMAIL)
    walk = OwnerWalk(str(store), 0, 0)
    steps, cpu = 0, time.thread_time()
    while not walk.complete:
        start = time.monotonic()
        walk.step(MAX_ENTRIES, MAX_SECONDS)
        # Twenty times the bound: other tests use the same two cores.
        assert time.monotonic() - start < 20 * MAX_SECONDS
        steps += 1
        assert walk.found.entries <= steps * MAX_ENTRIES
    assert walk.found.entries == 1 + 100 * 3 + 100 * 1000
    assert walk.found.wrong == 1
    assert time.thread_time() - cpu < 5


def test_survives_a_store_that_changes_all_the_time(store: Path) -> None:
    script = f"""
import os, shutil
print("ready", flush=True)
while True:
    for name in ("a", "b"):
        os.makedirs("{store}/" + name + "/c/d")
        os.symlink("/", "{store}/" + name + "/c/e")
    shutil.rmtree("{store}/a"); os.rename("{store}/b", "{store}/a"); shutil.rmtree("{store}/a")
"""
    collector = collector_of(store)
    with Program([sys.executable, "-c", script], store.parent / "log"):
        end = time.monotonic() + 2
        while time.monotonic() < end:
            assert values(collector)["checked_entries"] >= 17
    assert values(collector)["walk_complete"] == 1


class QuickVmail(VmailCollector):
    """With less patience than on a mail host."""

    schedule = Schedule(every=0.2, deadline=0.5)


def test_a_hung_file_system_holds_up_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    mountpoint = tmp_path / "vmail"
    mountpoint.mkdir()
    given = context(tmp_path, f"vmail: {{directory: {mountpoint}, owner: 0, group: 0}}")
    server = Program([sys.executable, fuse_server.__file__, mountpoint], tmp_path / "log")
    collection = Collection([QuickVmail(given)], given.expectations)

    def scrape() -> Exposition:
        start = time.monotonic()
        found = Exposition(collection.scrape().decode())
        assert time.monotonic() - start < 1.5
        return found

    def success() -> float:
        return scrape().value("mailserver_collector_success", collector="vmail")

    with server:
        try:
            wait_for("the file system is mounted", lambda: os.path.ismount(mountpoint))
            wait_for("the store is watched", lambda: success() == 1)
            assert scrape().value("mailserver_vmail_exists") == 1

            server.send(signal.SIGSTOP)
            wait_for("the collector fails", lambda: success() == 0)
            assert scrape().all("mailserver_vmail_exists") == []
            assert "still running" in caplog.text

            server.send(signal.SIGCONT)
            wait_for("the collector works again", lambda: success() == 1)
        finally:
            server.send(signal.SIGCONT)
            collection.close()
            subprocess.run(["umount", "-l", mountpoint], check=True)


def test_a_file_system_that_hangs_before_it_was_ever_seen_is_not_waited_for(tmp_path: Path) -> None:
    mountpoint = tmp_path / "var/vmail"
    mountpoint.mkdir(parents=True)
    collector = on_postfix_host(tmp_path)
    with Program([sys.executable, fuse_server.__file__, mountpoint], tmp_path / "log") as server:
        try:
            wait_for("the file system is mounted", lambda: os.path.ismount(mountpoint))
            server.send(signal.SIGSTOP)

            start = time.monotonic()
            details = {collector.detect().detail for _ in range(5)}

            assert time.monotonic() - start < 2
            assert details == {"/var/vmail: does not answer"}
            server.send(signal.SIGCONT)
            wait_for("it is detected", lambda: collector.detect().found)
        finally:
            server.send(signal.SIGCONT)
            subprocess.run(["umount", "-l", mountpoint], check=True)
