"""Backups: which there are, which of them are whole, and what is told of them."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from mailserver_exporter import backup_mark
from mailserver_exporter.sources import SourceError, backup_folder, backup_names
from tests.support.backups import DAY, Watched, aged, backup, dated, packed, tar

ETC = packed("gzip", tar())
# What mailcow's helper-scripts/backup_and_restore.sh leaves after `backup all`.
MAILCOW = {
    f"backup_{part}.tar.zst": packed("zstd", tar())
    for part in ("vmail", "crypt", "redis", "rspamd", "postfix", "mariadb")
} | {"mailcow.conf": b"MAILCOW_HOSTNAME=mail.example.org\n", ".x86_64": b""}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "host"


@pytest.fixture
def configs(root: Path) -> Path:
    """Return a directory with twelve daily backups of two parts."""
    folder = root / "srv/backups/configs"
    for days in range(12):
        backup(folder / dated(days), {"etc.tar.gz": ETC, "db.sql.gz": packed("gzip", b"SELECT 1;\n")}, days * DAY + 60)
    return folder


def parts(watched: Watched, name: str) -> dict[str, float]:
    found = watched.look().all("mailserver_backup_part_present", name=name)
    return {sample.labels["part"]: sample.value for sample in found}


@pytest.mark.parametrize(
    ("name", "stamp", "prefix", "suffix"),
    [
        ("2026-01-31", "2026-01-31", "", ""),
        ("20260131", "20260131", "", ""),
        ("mailcow-2026-01-31-03-00-05", "2026-01-31-03-00-05", "mailcow", ""),
        ("db_2026-01-31T0300.sql.gz", "2026-01-31T0300", "db", ".sql.gz"),
        ("mail.example.org-2026.01.31.tar.zst", "2026.01.31", "mail.example.org", ".tar.zst"),
        ("v1.20.30-2026-01-31.tgz", "2026-01-31", "v1.20.30", ".tgz"),
    ],
)
def test_finds_the_date_in_a_name(name: str, stamp: str, prefix: str, suffix: str) -> None:
    found = backup_names.dated(name)
    assert found
    assert (found.stamp, found.prefix, found.suffix) == (stamp, prefix, suffix)
    assert time.strftime("%Y-%m-%d", time.localtime(found.moment)) == "2026-01-31"


@pytest.mark.parametrize("name", ["latest", "2026-13-01", "2026-02-30", "1234567890123", "2026", "x" * 300, ""])
def test_what_no_calendar_has_is_no_date(name: str) -> None:
    assert backup_names.dated(name) is None


@pytest.mark.parametrize(
    "name", ["a.tar.gz.tmp", "a.part", "a.partial", ".tmp", "a.tmp.tar.gz", ".a.tar.gz.aB3xYz", "a~", "x.lock", "lock"]
)
def test_knows_names_of_what_is_being_written(name: str) -> None:
    assert backup_names.is_temporary(name)


@pytest.mark.parametrize("name", ["a.tar.gz", "mailcow.conf", ".x86_64", "template.tar", "newest.sql", "2026-01-31"])
def test_knows_names_of_what_is_whole(name: str) -> None:
    assert not backup_names.is_temporary(name)


def test_tells_all_of_a_directory_that_it_finds_by_itself(tmp_path: Path, root: Path, configs: Path) -> None:
    watched = Watched(tmp_path, rootfs=root)
    assert watched.collector.detect().detail == "configs"

    found = watched.settled("configs", 12)
    told = {s.name.removeprefix("mailserver_backup_"): s.value for s in found.samples if len(s.labels) == 1}

    assert told["available"] == 1
    assert abs(told["last_timestamp_seconds"] - (time.time() - 60)) < 60
    size = len(ETC) + len(packed("gzip", b"SELECT 1;\n"))
    assert size - 4096 <= told["last_size_bytes"] <= size
    assert told["median_size_bytes"] == told["last_size_bytes"]
    assert told["last_failure_timestamp_seconds"] == told["last_copy_timestamp_seconds"] == 0
    assert parts(watched, "configs") == {"etc.tar.gz": 1, "db.sql.gz": 1}
    assert found.value("mailserver_threshold_backup_age_seconds", severity="critical") == 50 * 3600
    assert found.all("mailserver_threshold_backup_copy_age_seconds") == []
    assert watched.read("configs") == "good"
    assert watched.look().value("mailserver_backup_readable", name="configs") == 1
    assert watched.finding("configs") == "good: /srv/backups/configs: 12 whole, good: 2 archives"


def test_finds_mailcows_backups_and_knows_their_parts(tmp_path: Path, root: Path) -> None:
    place = root / "opt/backup"
    older, newest = (dated(days, "mailcow-%Y-%m-%d-%H-%M-%S") for days in (2, 1))
    backup(place / older, MAILCOW, 2 * DAY)
    backup(place / newest, MAILCOW, DAY)
    watched = Watched(tmp_path, rootfs=root)
    watched.settled("mailcow", 2)
    assert parts(watched, "mailcow") == dict.fromkeys(
        ("vmail", "database", "configuration", "crypt", "redis", "rspamd", "postfix"), 1
    )

    for part in ("backup_mariadb.tar.zst", "backup_crypt.tar.zst"):
        (place / newest / part).unlink()
    watched.settled("mailcow", 2)

    assert {part for part, present in parts(watched, "mailcow").items() if not present} == {"database", "crypt"}


def test_a_backup_of_mailcow_without_its_database_is_incomplete_the_first_time(tmp_path: Path, root: Path) -> None:
    folder = backup(root / "opt/backup" / dated(1, "mailcow-%Y-%m-%d-%H-%M-%S"), MAILCOW, DAY)
    (folder / "backup_mariadb.tar.zst").unlink()
    watched = Watched(tmp_path, rootfs=root)
    watched.settled("mailcow")
    assert parts(watched, "mailcow") == {"vmail": 1, "database": 0, "configuration": 1}


def test_dated_archives_are_told_by_their_prefix(tmp_path: Path, root: Path) -> None:
    place = root / "var/backups"
    place.mkdir(parents=True)
    for days in range(3):
        (place / f"vmail-{dated(days)}.tar.gz").write_bytes(ETC)
        (place / f"db-{dated(days)}.sql.gz").write_bytes(packed("gzip", b"SELECT 1;\n"))
    (place / "dpkg.status.1.gz").write_bytes(b"Debian's own")
    (place / f"notes-{dated(0)}.log").write_text("no backup")
    watched = Watched(tmp_path, rootfs=root)
    watched.settled("backups-vmail", 3)
    found = watched.settled("backups-db", 3)
    assert {s.labels["name"] for s in found.all("mailserver_backup_kept")} == {"backups-vmail", "backups-db"}
    assert found.all("mailserver_backup_part_present") == []


def test_two_of_the_same_name_are_told_apart(tmp_path: Path, root: Path) -> None:
    for place in ("srv/backups/data", "mnt/backup/data"):
        backup(root / place / dated(0), {"a.tar.gz": ETC})
    names = {s.labels["name"] for s in Watched(tmp_path, rootfs=root).look().all("mailserver_backup_available")}
    assert names == {"data", "mnt-backup-data"}


def test_a_host_without_backups_has_none(tmp_path: Path, root: Path) -> None:
    (root / "var/backups").mkdir(parents=True)
    (root / "var/backups/dpkg.status.0").touch()
    detection = Watched(tmp_path, rootfs=root).collector.detect()
    assert (detection.found, "no dated backups" in detection.detail) == (False, True)


def test_configured_sets_are_the_whole_list(tmp_path: Path, root: Path, configs: Path) -> None:
    elsewhere = root / "data/kept"
    backup(elsewhere / dated(0), {"vmail.tar.gz": ETC, "x.txt": b""})
    settings = "sets: {data: {path: /data/kept, parts: ['vmail.tar.*', 'database.*']}}"
    watched = Watched(tmp_path, settings, root)
    found = watched.settled("data")
    assert {s.labels["name"] for s in found.all("mailserver_backup_kept")} == {"data"}
    assert parts(watched, "data") == {"vmail.tar.*": 1, "database.*": 0}


def test_a_pattern_finds_what_has_no_date(tmp_path: Path) -> None:
    place = tmp_path / "kept"
    place.mkdir()
    for number in range(3):
        file = place / f"all.tar.gz.{number}"
        file.write_bytes(ETC)
        aged(file, number * DAY + 60)
    watched = Watched(tmp_path, f"sets: {{all: {{path: {place}, pattern: 'all.tar.gz.*'}}}}")
    found = watched.settled("all", 3)
    assert abs(found.value("mailserver_backup_last_timestamp_seconds") - time.time() + 60) < 60


@pytest.mark.parametrize(
    "writing", [".etc.tar.gz.aB3xYz", "etc.tar.gz.part", "etc.tar.gz.tmp", ".lock", "backup.incomplete"]
)
def test_a_backup_with_something_unfinished_in_it_never_counts(
    tmp_path: Path, root: Path, configs: Path, writing: str
) -> None:
    newest = configs / dated(0)
    (newest / writing).touch()
    watched = Watched(tmp_path, rootfs=root)
    watched.settled("configs", 11)
    time.sleep(0.3)
    found = watched.look()
    assert found.value("mailserver_backup_kept", name="configs") == 11
    assert time.time() - found.value("mailserver_backup_last_timestamp_seconds") > DAY - 7200

    (newest / writing).unlink()
    watched.settled("configs", 12)


def test_a_backup_that_grows_does_not_count_before_it_is_quiet(tmp_path: Path, root: Path) -> None:
    place = root / "srv/backup/data"
    backup(place / dated(1), {"vmail.tar.gz": ETC, "db.sql.gz": ETC}, DAY)
    backup(place / dated(2), {"vmail.tar.gz": ETC, "db.sql.gz": ETC}, 2 * DAY)
    watched = Watched(tmp_path, rootfs=root)
    watched.settled("data", 2)
    assert parts(watched, "data") == {"vmail.tar.gz": 1, "db.sql.gz": 1}

    newest = backup(place / dated(0), {"vmail.tar.gz": b""})
    with (newest / "vmail.tar.gz").open("ab") as file:
        for begin in range(0, len(ETC), len(ETC) // 8):
            file.write(ETC[begin : begin + len(ETC) // 8])
            file.flush()
            assert watched.look().value("mailserver_backup_kept", name="data") == 2
            assert parts(watched, "data") == {"vmail.tar.gz": 1, "db.sql.gz": 1}
            time.sleep(0.02)
    # Quiet, but half of it is still to come: thirty times as long is waited for that.
    time.sleep(0.5)
    assert watched.look().value("mailserver_backup_kept", name="data") == 2
    (newest / "db.sql.gz").write_bytes(ETC)
    watched.settled("data", 3)
    assert watched.read("data") == "good"


def test_a_part_that_never_comes_is_missed_in_the_end(tmp_path: Path, root: Path, configs: Path) -> None:
    watched = Watched(tmp_path, rootfs=root)
    watched.settled("configs", 12)
    (configs / dated(0)).rename(configs / dated(12))
    backup(configs / dated(0), {"etc.tar.gz": ETC})
    watched.settled("configs", 13)
    assert parts(watched, "configs") == {"etc.tar.gz": 1, "db.sql.gz": 0}
    assert watched.finding("configs").startswith("bad: /srv/backups/configs: 13 whole, without db.sql.gz, ")


def test_a_failure_that_was_reported_since_the_newest_backup_is_told(tmp_path: Path, root: Path, configs: Path) -> None:
    watched = Watched(tmp_path, rootfs=root)
    watched.settled("configs", 12)
    state = watched.context.config.state_directory
    backup_mark.note(state, "configs", "failed")
    watched.look()
    assert watched.finding("configs") == "bad: the newest attempt was reported as failed"
    backup_mark.note(state, "configs", "succeeded")
    watched.look()
    assert watched.finding("configs").startswith("good: ")


def test_a_part_that_was_usual_is_expected_after_a_restart_until_it_is_let_go(
    tmp_path: Path, root: Path, configs: Path
) -> None:
    Watched(tmp_path, rootfs=root).settled("configs", 12)
    for folder in configs.iterdir():
        (folder / "db.sql.gz").unlink()
    watched = Watched(tmp_path, rootfs=root)
    watched.settled("configs", 12)
    assert parts(watched, "configs") == {"etc.tar.gz": 1, "db.sql.gz": 0}

    assert watched.context.expectations.forget("configs/db.sql.gz") == ["backup_part"]
    assert parts(watched, "configs") == {"etc.tar.gz": 1}


def test_a_broken_archive_is_found_once_and_remembered(tmp_path: Path, root: Path, configs: Path) -> None:
    (configs / dated(0) / "etc.tar.gz").write_bytes(ETC[:-100])
    watched = Watched(tmp_path, rootfs=root)
    watched.settled("configs", 12)
    assert watched.read("configs") == "broken"
    found = watched.look()
    assert found.value("mailserver_backup_readable", name="configs") == 0
    assert "broken: etc.tar.gz: " in watched.finding("configs")

    again = Watched(tmp_path, rootfs=root).look()
    assert again.value("mailserver_backup_readable", name="configs") == 0
    assert again.value("mailserver_backup_check_result", result="pending") == 0


def test_the_verdict_stands_until_the_next_backup_has_been_read(tmp_path: Path, root: Path, configs: Path) -> None:
    (configs / dated(0)).rename(tmp_path / "kept")
    (configs / dated(1) / "etc.tar.gz").write_bytes(ETC[:-100])
    aged(configs / dated(1), DAY)
    watched = Watched(tmp_path, rootfs=root)
    watched.settled("configs", 11)
    assert watched.read("configs") == "broken"

    (tmp_path / "kept").rename(configs / dated(0))
    found = watched.settled("configs", 12)
    assert found.value("mailserver_backup_check_result", result="pending") == 1
    assert found.value("mailserver_backup_readable", name="configs") == 0
    assert watched.read("configs") == "good"
    assert watched.look().value("mailserver_backup_readable", name="configs") == 1


def test_check_reads_no_archives_and_writes_nothing(tmp_path: Path, root: Path, configs: Path) -> None:
    from mailserver_exporter.app import build
    from mailserver_exporter.collectors.backups import BackupsCollector

    given = Watched(tmp_path, rootfs=root).context
    setup = build(given.config, given.host, [BackupsCollector], remember=False)
    setup.collection.scrape()
    time.sleep(0.3)
    assert not (tmp_path / "state").exists()
    setup.collection.close()


@pytest.mark.parametrize("loss", ["renamed", "a file", "a loop of links"])
def test_a_directory_that_is_gone_is_told_and_nothing_else_suffers(
    tmp_path: Path, root: Path, configs: Path, loss: str
) -> None:
    backup(root / "srv/backups/data" / dated(0), {"a.tar.gz": ETC})
    watched = Watched(tmp_path, rootfs=root)
    watched.settled("configs", 12)
    watched.settled("data")

    configs.rename(tmp_path / "elsewhere")
    if loss == "a file":
        configs.touch()
    if loss == "a loop of links":
        configs.symlink_to(configs)
    found = watched.look()

    assert found.value("mailserver_backup_available", name="configs") == 0
    assert found.all("mailserver_backup_kept", name="configs") == []
    assert found.value("mailserver_backup_available", name="data") == 1
    assert watched.finding("configs").startswith("bad: /srv/backups/configs: ")
    # A restart does not make it forgotten.
    assert Watched(tmp_path, rootfs=root).look().value("mailserver_backup_available", name="configs") == 0


def test_an_empty_directory_has_no_backup(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    watched = Watched(tmp_path, f"sets: {{data: {{path: {tmp_path}/empty}}}}")
    found = watched.look()
    assert found.value("mailserver_backup_kept", name="data") == 0
    assert found.all("mailserver_backup_last_timestamp_seconds", name="data") == []


def test_a_date_in_the_future_never_counts(tmp_path: Path, root: Path, configs: Path) -> None:
    backup(configs / dated(-40), {"etc.tar.gz": ETC})
    watched = Watched(tmp_path, rootfs=root)
    found = watched.settled("configs", 12)
    assert found.value("mailserver_backup_last_timestamp_seconds") <= time.time()
    assert "1 dated in the future and not counted" in watched.finding("configs")


def test_a_time_in_the_future_settles_and_is_told_as_what_the_name_says(tmp_path: Path, root: Path) -> None:
    place = root / "srv/backups/configs"
    backup(place / dated(1), {"etc.tar.gz": ETC}, -10 * DAY)
    watched = Watched(tmp_path, rootfs=root)
    found = watched.settled("configs")
    age = time.time() - found.value("mailserver_backup_last_timestamp_seconds")
    assert DAY <= age <= 2 * DAY + 3600


def test_an_old_backup_that_was_copied_anew_is_as_old_as_its_name(tmp_path: Path, root: Path) -> None:
    backup(root / "srv/backups/configs" / dated(30), {"etc.tar.gz": ETC})
    found = Watched(tmp_path, rootfs=root).settled("configs")
    assert time.time() - found.value("mailserver_backup_last_timestamp_seconds") > 29 * DAY


def test_links_are_neither_backups_nor_followed(tmp_path: Path, root: Path, configs: Path) -> None:
    (configs / "latest").symlink_to(dated(0))
    (configs / dated(-0.9)).symlink_to("/")
    (configs / dated(0) / "loop").symlink_to("..")
    watched = Watched(tmp_path, rootfs=root)
    found = watched.settled("configs", 12)
    assert found.value("mailserver_backup_last_size_bytes") < 200_000


def test_a_hole_is_not_counted_as_size(tmp_path: Path) -> None:
    place = tmp_path / "kept"
    folder = backup(place / dated(0), {"a.tar.gz": ETC})
    with (folder / "sparse.img").open("wb") as file:
        file.truncate(50 << 30)
    found = Watched(tmp_path, f"sets: {{data: {{path: {place}}}}}").settled("data")
    assert found.value("mailserver_backup_last_size_bytes") < 1_000_000


def test_a_name_that_is_no_text_is_no_problem(tmp_path: Path) -> None:
    place = tmp_path / "kept"
    for days in range(3):
        folder = backup(place / dated(days), {"a.tar.gz": ETC})
        Path(os.fsdecode(os.fsencode(folder) + b'/\xff\xfe\n".tar.gz')).write_bytes(ETC[:-9])
    watched = Watched(tmp_path, f"sets: {{data: {{path: {place}}}}}")
    watched.settled("data", 3)
    assert watched.read("data") == "broken"
    assert len(parts(watched, "data")) == 2


def test_a_hundred_thousand_entries_take_a_moment_and_little_memory(tmp_path: Path) -> None:
    place = tmp_path / "kept"
    place.mkdir()
    for number in range(100_000):
        os.close(os.open(f"{place}/{number}.junk", os.O_CREAT | os.O_WRONLY))
    for days in range(3000):
        (place / f"{dated(days)}.tar.gz").touch()
    watched = Watched(tmp_path, f"sets: {{data: {{path: {place}}}}}")
    started = time.thread_time()
    watched.settled("data", 3000)
    before = time.process_time()
    watched.look()
    assert time.process_time() - before < 0.5  # the directory has not changed: it is not listed again
    assert time.thread_time() - started < 10


def test_more_entries_than_that_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_folder, "MAX_LISTED", 10)
    for number in range(11):
        (tmp_path / f"{number}").touch()
    with pytest.raises(SourceError, match="more than 10 entries"):
        backup_folder.listing(str(tmp_path), time.time())


def test_many_files_of_one_backup_are_walked_no_further_than_the_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_folder, "MAX_WALKED", 50)
    folder = tmp_path / dated(0)
    folder.mkdir()
    for number in range(100):
        (folder / f"{number}").write_bytes(b"x")
    [entry] = backup_folder.listing(str(tmp_path), time.time()).newest
    assert backup_folder.measure(entry).entries == 50


@pytest.mark.parametrize(("days", "factor"), [(1, 1), (0.25, 1), (7, 7)])
def test_the_limit_of_age_is_as_long_as_the_usual_distance(tmp_path: Path, days: float, factor: int) -> None:
    place = tmp_path / "kept"
    for number in range(4):
        backup(place / dated(number * days, "%Y-%m-%d-%H-%M"), {"a.tar.gz": ETC}, number * days * DAY)
    found = Watched(tmp_path, f"sets: {{data: {{path: {place}}}}}").settled("data", 4)
    assert found.value("mailserver_threshold_backup_age_seconds", severity="warning") == 26 * 3600 * factor


def test_an_override_of_a_limit_is_taken_as_it_is(tmp_path: Path) -> None:
    place = tmp_path / "kept"
    for number in range(4):
        backup(place / dated(number * 7), {"a.tar.gz": ETC}, number * 7 * DAY)
    limits = "backup_age_seconds: {overrides: {data: {warning: 3d, critical: null}}}"
    found = Watched(tmp_path, f"sets: {{data: {{path: {place}}}}}", limits=limits).settled("data", 4)
    limit = {s.labels["severity"]: s.value for s in found.all("mailserver_threshold_backup_age_seconds")}
    assert limit == {"warning": 3 * DAY}


def test_a_copy_elsewhere_is_watched(tmp_path: Path, configs: Path) -> None:
    copy = tmp_path / "nas"
    subprocess.run(["cp", "-a", configs, copy], check=True)
    watched = Watched(tmp_path, f"sets: {{configs: {{path: {configs}, copy: {copy}}}}}")
    watched.settled("configs", 12)
    found = watched.look()
    made = found.value("mailserver_backup_last_timestamp_seconds", name="configs")
    assert found.value("mailserver_backup_last_copy_timestamp_seconds", name="configs") == made
    assert found.value("mailserver_threshold_backup_copy_age_seconds", severity="warning") == 50 * 3600

    copy.rename(tmp_path / "gone")
    assert watched.look().value("mailserver_backup_last_copy_timestamp_seconds") == 0


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"records": {"configs": {"x": {}}}, "verdicts": {}}', b"\xff"])
def test_a_damaged_memory_is_learnt_anew(tmp_path: Path, root: Path, configs: Path, content: bytes) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/backups.json").write_bytes(content)
    watched = Watched(tmp_path, rootfs=root)
    watched.settled("configs", 12)
    assert watched.read("configs") == "good"


def test_what_was_measured_is_not_measured_again_after_a_restart(
    tmp_path: Path, root: Path, configs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(tmp_path, rootfs=root)
    watched.settled("configs", 12)
    watched.read("configs")
    watched.look()
    walked = []
    real = backup_folder.measure
    monkeypatch.setattr(backup_folder, "measure", lambda entry: walked.append(entry.key) or real(entry))
    Watched(tmp_path, rootfs=root).look()
    assert walked == [dated(0)]


def test_a_name_that_backup_mark_would_not_take_is_refused(tmp_path: Path) -> None:
    from mailserver_exporter.config import ConfigError

    with pytest.raises(ConfigError, match="sets: must have as key a name of up to 64"):
        Watched(tmp_path, "sets: {'a/b': {path: /x}}")
