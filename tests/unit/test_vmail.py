"""The mail store: what should hold, what is remembered, and what the walk through it tells when."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from mailserver_exporter.collectors.vmail import VmailCollector, may_write
from mailserver_exporter.sources.ownership import MAX_DEPTH, OwnerWalk, Tally
from tests.support.contexts import context
from tests.support.metrics import Exposition

OURS = (os.getuid(), os.getgid())
STRANGER = (OURS[0] + 1, OURS[1])


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a mail store with ten messages in one mailbox: 14 entries with the folders."""
    mailbox = tmp_path / "vmail/example.org/user/Maildir/cur"
    mailbox.mkdir(parents=True)
    for number in range(10):
        (mailbox / f"{number}.mail").touch()
    (tmp_path / "vmail").chmod(0o750)
    return tmp_path / "vmail"


def collector_of(store: Path, settings: str = "") -> VmailCollector:
    """Watch a store with its owner configured, which is root where root runs the tests."""
    owner = f"owner: {OURS[0]}, group: {OURS[1]}, " if "owner" not in settings else ""
    return VmailCollector(context(store.parent, f"vmail: {{directory: {store}, {owner}{settings}}}"))


def value(collector: VmailCollector, name: str) -> float:
    return Exposition.of(collector.collect()).value(f"mailserver_vmail_{name}")


def test_tells_all_of_a_good_store(store: Path) -> None:
    found = Exposition.of(collector_of(store).collect())

    told = {s.name.removeprefix("mailserver_vmail_"): s.value for s in found.samples}
    assert {s.labels["directory"] for s in found.samples} == {str(store)}
    assert told == {
        "exists": 1,
        "owner_uid": OURS[0],
        "owner_gid": OURS[1],
        "mode": 750,
        "owner_correct": 1,
        "mode_correct": 1,
        "writable": 1,
        "checked_entries": 14,
        "wrong_owner_entries": 0,
        "walk_complete": 1,
    }


def test_a_store_that_vanishes_is_told_and_nothing_else_of_it(store: Path) -> None:
    collector = collector_of(store)
    assert value(collector, "exists") == 1

    store.rename(store.parent / "elsewhere")
    assert [(s.name, s.value) for s in Exposition.of(collector.collect()).samples] == [("mailserver_vmail_exists", 0)]

    store.touch()
    assert value(collector, "exists") == 0

    store.unlink()
    (store.parent / "elsewhere").rename(store)
    assert value(collector, "walk_complete") == 1


def test_a_store_is_expected_after_a_restart(tmp_path: Path) -> None:
    rootfs = tmp_path / "host"
    (rootfs / "etc/postfix").mkdir(parents=True)
    (rootfs / "etc/postfix/main.cf").touch()
    (rootfs / "var/vmail").mkdir(parents=True)
    (rootfs / "proc/1").mkdir(parents=True)
    (rootfs / "proc/1/mountinfo").write_text("1 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
    before = VmailCollector(context(tmp_path, rootfs=rootfs))
    assert before.detect().found
    assert value(before, "exists") == 1

    (rootfs / "var/vmail").rmdir()
    after = VmailCollector(context(tmp_path, rootfs=rootfs))

    assert after.detect().found
    assert Exposition.of(after.collect()).value("mailserver_vmail_exists", directory="/var/vmail") == 0


def test_a_store_that_was_let_go_is_not_expected(store: Path) -> None:
    given = context(store.parent, "mail_stack: {kind: none}")
    given.expectations.expect("vmail", {str(store)})
    store.rename(store.parent / "elsewhere")
    collector = VmailCollector(given)
    assert value(collector, "exists") == 0

    given.expectations.forget(str(store))

    assert Exposition.of(collector.collect()).samples == []


def test_does_not_touch_a_store_that_it_knows_to_detect_it(store: Path) -> None:
    collector = collector_of(store)
    list(collector.collect())

    store.rename(store.parent / "elsewhere")

    assert collector.detect().found


def test_says_where_there_is_no_store(tmp_path: Path) -> None:
    nowhere = VmailCollector(context(tmp_path, "mail_stack: {kind: none}"))
    assert (nowhere.detect().found, "no mail stack" in nowhere.detect().detail) == (False, True)
    (tmp_path / "etc/postfix").mkdir(parents=True)
    (tmp_path / "etc/postfix/main.cf").touch()
    missing = VmailCollector(context(tmp_path, rootfs=tmp_path))
    assert (missing.detect().found, "No such file" in missing.detect().detail) == (False, True)
    (tmp_path / "var").mkdir()
    (tmp_path / "var/vmail").touch()
    file = VmailCollector(context(tmp_path, rootfs=tmp_path))
    assert (file.detect().found, "not a directory" in file.detect().detail) == (False, True)


def test_a_store_that_must_be_there_is_missed_though_it_was_never_seen(tmp_path: Path) -> None:
    named = VmailCollector(context(tmp_path, f"vmail: {{directory: {tmp_path}/missing}}"))
    (tmp_path / "opt/mailcow-dockerized").mkdir(parents=True)
    (tmp_path / "opt/mailcow-dockerized/mailcow.conf").touch()
    of_mailcow = VmailCollector(context(tmp_path, rootfs=tmp_path))
    for collector in (named, of_mailcow):
        assert collector.detect().found
        assert [s.value for s in Exposition.of(collector.collect()).all("mailserver_vmail_exists")] == [0]


def test_compares_with_the_configured_owner(store: Path) -> None:
    collector = collector_of(store, f"owner: {STRANGER[0]}, group: {STRANGER[1]}")
    assert value(collector, "owner_correct") == 0
    assert value(collector, "wrong_owner_entries") == 14


def test_compares_with_mailcows_owner(tmp_path: Path) -> None:
    rootfs = tmp_path / "host"
    volume = rootfs / "var/lib/docker/volumes/mailcowdockerized_vmail-vol-1/_data"
    volume.mkdir(parents=True)
    (rootfs / "opt/mailcow-dockerized").mkdir(parents=True)
    (rootfs / "opt/mailcow-dockerized/mailcow.conf").write_text("MAILCOW_HOSTNAME=mail.example.org\n")
    (rootfs / "proc/1").mkdir(parents=True)
    (rootfs / "proc/1/mountinfo").write_text("1 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
    collector = VmailCollector(context(tmp_path, rootfs=rootfs))

    assert collector.detect().found
    # A folder that the tests made is not mailcow's 5000:5000, whoever runs them.
    assert value(collector, "owner_correct") == (OURS == (5000, 5000))
    directory = "/var/lib/docker/volumes/mailcowdockerized_vmail-vol-1/_data"
    assert Exposition.of(collector.collect()).value("mailserver_vmail_owner_uid", directory=directory) == OURS[0]


@pytest.mark.parametrize(
    ("setting", "mode", "correct"),
    [
        ("", 0o700, 1),
        ("", 0o755, 1),
        ("", 0o2770, 1),
        ("", 0o777, 0),
        ("", 0o707, 0),
        ("", 0o550, 0),
        ('mode: "0770"', 0o770, 1),
        ('mode: "0770"', 0o2770, 0),
        ('mode: "2770"', 0o2770, 1),
        ('mode: "0770"', 0o700, 0),
    ],
)
def test_judges_the_permission_bits(store: Path, setting: str, mode: int, correct: int) -> None:
    collector = collector_of(store, setting)
    store.chmod(mode)
    assert value(collector, "mode") == int(f"{mode:o}")
    assert value(collector, "mode_correct") == correct
    store.chmod(0o700)


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "allowed"),
    [
        (0o700, *OURS, True),
        (0o500, *OURS, OURS[0] == 0),
        (0o600, *OURS, OURS[0] == 0),
        (0o070, *OURS, OURS[0] == 0),
        (0o770, *STRANGER, True),
        (0o757, *STRANGER, False),
        (0o750, STRANGER[0], STRANGER[1] + 1, False),
        (0o703, STRANGER[0], STRANGER[1] + 1, True),
        (0o000, 0, 0, True),
    ],
)
def test_knows_who_may_write(store: Path, mode: int, uid: int, gid: int, allowed: bool) -> None:
    store.chmod(mode)
    status = store.stat()
    store.chmod(0o700)
    assert may_write(status, uid, gid) is allowed


@pytest.mark.parametrize(
    ("mounts", "writable"),
    [
        ("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n", 1),
        ("1 0 8:1 / / ro - ext4 /dev/sda1 rw\n", 0),
        ("1 0 8:1 / / ro - ext4 /dev/sda1 rw\n2 1 8:2 / /var/vmail rw - ext4 /dev/sdb rw\n", 1),
        ("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /var/vmail rw - ext4 /dev/sdb ro,errors=remount-ro\n", 0),
        ("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /var/vmail2 ro - ext4 /dev/sdb ro\n", 1),
        ("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /var ro - ext4 /a rw\n3 1 8:3 / /var rw - ext4 /b rw\n", 1),
    ],
)
def test_takes_from_the_hosts_own_table_whether_it_is_mounted_read_only(
    tmp_path: Path, mounts: str, writable: int
) -> None:
    rootfs = tmp_path / "host"
    (rootfs / "var/vmail").mkdir(parents=True)
    (rootfs / "proc/1").mkdir(parents=True)
    (rootfs / "proc/1/mountinfo").write_text(mounts)

    collector = VmailCollector(context(tmp_path, "vmail: {directory: /var/vmail}", rootfs))

    assert value(collector, "writable") == writable


def test_walks_a_bounded_number_of_entries_and_goes_on_where_it_stopped(store: Path) -> None:
    walk = OwnerWalk(str(store), *OURS)

    checked = []
    while not walk.complete:
        walk.step(4, 10)
        checked.append(walk.found.entries)

    assert checked == [4, 8, 12, 14]


def test_walks_for_a_bounded_time(store: Path) -> None:
    walk = OwnerWalk(str(store), *OURS)
    walk.step(1_000_000, 0)
    assert walk.found.entries == 1


def test_shows_the_last_whole_walk_while_the_next_is_under_way(store: Path) -> None:
    walk = OwnerWalk(str(store), *OURS, rest=0)
    for _ in range(4):
        walk.step(4, 10)
    assert walk.complete

    walk.step(4, 10)

    assert (walk.complete, walk.found) == (True, Tally(entries=14))


def test_rests_after_a_long_walk_but_not_after_a_short_one(store: Path) -> None:
    long, short = OwnerWalk(str(store), *OURS), OwnerWalk(str(store), *OURS)
    for _ in range(4):
        long.step(4, 10)
    short.step(100, 10)
    assert long.complete
    assert short.complete
    (store / "new").touch()

    for _ in range(4):
        long.step(4, 10)
    short.step(100, 10)

    assert (long.found.entries, short.found.entries) == (14, 15)


def test_does_not_rest_as_long_as_it_finds_something(store: Path) -> None:
    walk = OwnerWalk(str(store), *STRANGER)
    for _ in range(4):
        walk.step(4, 10)
    assert walk.found == Tally(14, 14)
    (store / "new").touch()

    for _ in range(4):
        walk.step(4, 10)

    assert walk.found == Tally(15, 15)


def test_does_not_follow_links(store: Path) -> None:
    outside = store.parent / "outside"
    outside.mkdir()
    (outside / "secret").touch()
    (store / "folder").symlink_to(outside)
    (store / "loop").symlink_to(store)
    (store / "dangling").symlink_to("/nowhere")

    walk = OwnerWalk(str(store), *OURS)
    walk.step(1000, 10)

    assert (walk.complete, walk.found) == (True, Tally(entries=14 + 3))


def test_follows_a_link_in_place_of_the_store_itself(store: Path) -> None:
    link = store.parent / "link"
    link.symlink_to(store)
    walk = OwnerWalk(str(link), *OURS)
    walk.step(1000, 10)
    assert walk.found.entries == 14


def test_leaves_out_lost_and_found_of_the_store_only(store: Path) -> None:
    for folder in (store, store / "example.org"):
        (folder / "lost+found").mkdir()
        (folder / "lost+found/x").touch()
    walk = OwnerWalk(str(store), *OURS)
    walk.step(1000, 10)
    assert walk.found.entries == 14 + 2


def test_is_not_complete_where_the_store_is_too_deep(store: Path) -> None:
    folder = store
    for _ in range(MAX_DEPTH + 5):
        folder /= "d"
        folder.mkdir()
    walk = OwnerWalk(str(store), *OURS)
    walk.step(1000, 10)
    assert (walk.complete, walk.found) == (False, Tally(entries=14 + MAX_DEPTH, left_out=1))


def test_survives_what_vanishes_under_it(store: Path) -> None:
    walk = OwnerWalk(str(store), *OURS, rest=0)
    walk.step(6, 10)

    for path in sorted(store.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    walk.step(1000, 10)

    assert walk.complete
    walk.step(1000, 10)
    assert walk.found == Tally()


def test_holds_no_directory_open_between_walks(store: Path) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = descriptors()
    walk = OwnerWalk(str(store), *OURS)
    walk.step(4, 10)
    assert descriptors() > before
    walk.step(1000, 10)
    assert descriptors() == before

    abandoned = OwnerWalk(str(store), *OURS)
    abandoned.step(4, 10)
    del abandoned
    assert descriptors() == before


def test_fails_when_the_store_itself_cannot_be_opened_and_goes_on_when_it_can(store: Path) -> None:
    walk = OwnerWalk(str(store / "later"), *OURS)
    with pytest.raises(FileNotFoundError):
        walk.step(10, 10)

    (store / "later").mkdir()

    walk.step(10, 10)
    assert walk.complete


def test_many_entries_take_many_short_steps(store: Path) -> None:
    for number in range(100):
        folder = store / f"example.org/u{number}"
        folder.mkdir()
        for message in range(100):
            (folder / f"{message}").touch()
    walk = OwnerWalk(str(store), *OURS)
    longest = 0.0
    steps = 0
    while not walk.complete:
        start = time.thread_time()
        walk.step(2000, 0.05)
        longest = max(longest, time.thread_time() - start)
        steps += 1
        assert walk.found.entries <= steps * 2000
    assert walk.found.entries == 14 + 100 + 100 * 100
    assert longest < 0.2
