"""The backup script of compose/backup with a real tar, rsync, sshd and MariaDB; mailcow's tool is stood in for."""

from __future__ import annotations

import fcntl
import filecmp
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver_exporter.sources import backup_marks
from mailserver_exporter.sources.backup_marks import Mark
from tests.support.backups import Watched, dated
from tests.support.mounts import mounted
from tests.support.processes import Program, wait_for
from tests.support.sshd import Sshd, cut
from tests.support.tools import ROOT

FOLDER = ROOT / "compose" / "backup"
SCRIPTS = [FOLDER / "mailserver-backup", FOLDER / "mailserver-backup-prune"]
BUSY = 75


class Host:
    """A mail host below a folder: its configuration, its mail, its backups and the settings of the script."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.etc = folder / "etc"
        self.vmail = folder / "vmail"
        self.backups = folder / "backups"
        self.settings: dict[str, str] = {}
        (self.etc / "postfix").mkdir(parents=True)
        (self.etc / "postfix/main.cf").write_text("myhostname = mail.example.org\n")
        (self.etc / "key").write_text("secret")
        (self.etc / "key").chmod(0o640)
        os.chown(self.etc / "key", 1234, 2345)
        (self.etc / "link").symlink_to("key")
        (self.vmail / "example.org/user/cur").mkdir(parents=True)
        for number in range(5):
            (self.vmail / f"example.org/user/cur/{number}").write_bytes(os.urandom(5000))
        (folder / "exporter.yml").write_text(f"state_directory: {folder}/state\n")

    def fill(self, megabytes: int) -> None:
        """Add what takes a while to pack and to send."""
        (self.etc / "large").write_bytes(os.urandom(megabytes << 20))

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        mark = f"({sys.executable} -m mailserver_exporter --config.file={self.folder}/exporter.yml backup-mark)"
        settings = {
            "BACKUP_DIR": str(self.backups),
            "CONFIG_PATHS": f"({self.etc} /nowhere)",
            "VMAIL_DIR": str(self.vmail),
            "DATABASE": "no",
            "MAILCOW_DIR": str(self.folder / "mailcow"),
            "MARK": mark,
            **self.settings,
        }
        conf = self.folder / "backup.conf"
        conf.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        given = {"MAILSERVER_BACKUP_CONF": str(conf), "PYTHONPATH": str(ROOT / "exporter"), **environment}
        return subprocess.Popen(
            [SCRIPTS[0], *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **given},
            start_new_session=True,
        )

    def run(self, *arguments: str, status: int = 0, **environment: str) -> str:
        """Run the script to its end and return what it said."""
        process = self.start(*arguments, **environment)
        said, _ = process.communicate(timeout=100)
        assert process.returncode == status, said
        return said

    def made(self, name: str) -> list[Path]:
        """Return the backups of a set, the newest last."""
        return sorted(path for path in (self.backups / name).iterdir() if not path.name.startswith("."))

    def leftovers(self, name: str) -> list[str]:
        return [path.name for path in (self.backups / name).glob(".*") if path.name != ".lock"]

    def mark(self, name: str) -> Mark:
        marks, broken = backup_marks.read_all(str(self.folder / "state"))
        assert not broken
        return marks.get(name, Mark())


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "host")


@pytest.fixture
def far(tmp_path: Path) -> Path:
    folder = tmp_path / "far"
    folder.mkdir()
    return folder


@pytest.fixture
def sshd(tmp_path: Path, far: Path, host: Host) -> Iterator[Sshd]:
    """Return the second host, as compose/backup/README.md sets it up."""
    [line] = [line for line in (FOLDER / "README.md").read_text().splitlines() if "restrict,command=" in line]
    line = line.partition("'")[2].rpartition(" KEY'")[0].replace("/srv/backups/mail.example.org", str(far))
    with Sshd(tmp_path / "sshd", line) as sshd:
        assert isinstance(sshd, Sshd)
        host.settings |= {
            "COPY_TO": "root@127.0.0.1:",
            "COPY_PORT": str(sshd.port),
            "COPY_KEY": str(sshd.key),
            "COPY_KNOWN_HOSTS": str(sshd.known_hosts),
        }
        yield sshd


def same(first: Path, second: Path) -> bool:
    """Say whether two folders have the same files with the same owners and modes."""

    def facts(folder: Path) -> dict[str, object]:
        return {
            str(path.relative_to(folder)): (status.st_mode, status.st_uid, status.st_gid, path.is_symlink())
            for path in folder.rglob("*")
            for status in [path.lstat()]
        }

    if facts(first) != facts(second):
        return False
    files = [str(path.relative_to(first)) for path in first.rglob("*") if path.is_file()]
    return filecmp.cmpfiles(first, second, files, shallow=False)[0] == files


def test_shellcheck_has_nothing_to_say() -> None:
    done = subprocess.run(["shellcheck", *SCRIPTS], capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize("unit", sorted(path.name for path in FOLDER.glob("*.[st][ei][rm]*")))
def test_systemd_takes_the_units(tmp_path: Path, unit: str) -> None:
    for path in (*FOLDER.glob("*.service"), *FOLDER.glob("*.timer")):
        # The scripts are not installed here; everything else is looked at as it is.
        (tmp_path / path.name).write_text(path.read_text().replace("/usr/local/sbin/mailserver-backup", "/bin/true"))
    (tmp_path / "mailserver-backup@configs.service").symlink_to("mailserver-backup@.service")
    given = "mailserver-backup@configs.service" if "@" in unit else unit
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", tmp_path / given],
        capture_output=True,
        text=True,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        check=False,
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if str(tmp_path) in line]) == (0, [])


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_help_and_wrong_use(script: Path) -> None:
    helped = subprocess.run([script, "--help"], capture_output=True, text=True, check=False)
    assert (helped.returncode, helped.stdout.startswith("usage: "), helped.stderr) == (0, True, "")
    for words in ([], ["--what"], ["configs", "data"] if script == SCRIPTS[0] else ["--days", "x", "/"]):
        wrong = subprocess.run([script, *words], capture_output=True, text=True, check=False)
        assert (wrong.returncode, wrong.stdout) == (2, "")
        assert "usage: " in wrong.stderr


def test_configuration_is_backed_up_watched_and_restored(host: Host, tmp_path: Path) -> None:
    started = time.time()
    host.run("configs")
    [folder] = host.made("configs")
    assert host.leftovers("configs") == []
    assert {path.name for path in folder.iterdir()} == {"etc.tar.gz", "packages.txt", "SHA256SUMS"}
    for path in (folder, *folder.iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path
    mark = host.mark("configs")
    assert mark.succeeded >= started
    assert mark.sizes == (sum(path.stat().st_size for path in (*folder.iterdir(), folder)),)
    assert (mark.failed, mark.copied) == (0, 0)

    watched = Watched(tmp_path, f"sets: {{configs: {{path: {host.backups}/configs, parts: [etc.tar.gz]}}}}")
    watched.settled("configs")
    assert watched.read("configs") == "good"

    host.run("restore", str(folder), str(tmp_path / "restored"))
    assert same(Path(f"{tmp_path}/restored{host.etc}"), host.etc)


def test_a_damaged_backup_is_not_restored(host: Host, tmp_path: Path) -> None:
    host.run("configs")
    [folder] = host.made("configs")
    with (folder / "etc.tar.gz").open("r+b") as file:
        file.seek(50)
        file.write(b"damage")
    assert "is not what it was" in host.run("verify", str(folder), status=1)
    host.run("restore", str(folder), str(tmp_path / "restored"), status=1)
    assert not (tmp_path / "restored").exists()
    host.run("rehearse", "configs", status=1)
    assert host.mark("configs").rehearsed == 0


def test_nothing_is_restored_over_what_is_there(host: Host) -> None:
    host.run("configs")
    assert "is not empty" in host.run("restore", str(host.made("configs")[0]), str(host.etc), status=1)


def test_a_rehearsal_is_reported_and_leaves_nothing(host: Host) -> None:
    host.run("data")
    assert host.mark("data").rehearsed == 0
    assert "5 files came out of it" in host.run("rehearse", "data")
    assert host.mark("data").rehearsed > 0
    assert host.leftovers("data") == []
    assert len(host.made("data")) == 1


def test_it_is_copied_with_a_key_that_can_do_nothing_else(host: Host, far: Path, sshd: Sshd, tmp_path: Path) -> None:
    host.run("configs")
    [folder] = host.made("configs")
    copy = far / "configs" / folder.name
    assert filecmp.cmpfiles(folder, copy, ["etc.tar.gz", "packages.txt", "SHA256SUMS"], shallow=False)[0] != []
    assert [path.name for path in (far / "configs").iterdir()] == [folder.name]
    assert copy.stat().st_mode & 0o777 == 0o700
    assert host.mark("configs").copied > 0
    host.run("verify", str(copy))

    def attempt(*command: str | Path) -> int:
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode

    rsh = f"--rsh={' '.join(sshd.ssh())}"
    before = (copy / "etc.tar.gz").read_bytes()
    assert attempt(*sshd.ssh(), "root@127.0.0.1", "cat", str(copy / "SHA256SUMS")) != 0
    assert attempt(*sshd.ssh(), "root@127.0.0.1") != 0
    assert attempt("rsync", "-r", rsh, "root@127.0.0.1:configs/", f"{tmp_path}/stolen") != 0
    (tmp_path / "empty").mkdir()
    attempt("rsync", "-r", "--delete", rsh, f"{tmp_path}/empty/", "root@127.0.0.1:configs/")
    (tmp_path / f"evil/{folder.name}").mkdir(parents=True)
    (tmp_path / f"evil/{folder.name}/etc.tar.gz").write_bytes(b"evil")
    attempt("rsync", "-r", "-I", rsh, f"{tmp_path}/evil/", "root@127.0.0.1:configs/")
    attempt("rsync", "-r", rsh, f"{tmp_path}/evil/", "root@127.0.0.1:../")
    assert not list((tmp_path / "stolen").rglob("*"))
    assert (copy / "etc.tar.gz").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} <= {"host", "far", "sshd", "empty", "evil", "stolen"}


def test_a_refused_key_is_a_failure_and_made_good_by_the_next_run(host: Host, far: Path, sshd: Sshd) -> None:
    line = (sshd.folder / "authorized_keys").read_text()
    sshd.allow("")
    assert "the copy to root@127.0.0.1: failed" in host.run("configs", status=1)
    mark = host.mark("configs")
    assert (mark.failed > 0, mark.succeeded, mark.copied) == (True, 0, 0)
    [folder] = host.made("configs")
    host.run("verify", str(folder))

    (sshd.folder / "authorized_keys").write_text(line)
    _next_second(folder)
    host.run("configs")
    assert len(host.made("configs")) == 2
    assert [path.name for path in sorted((far / "configs").iterdir())] == [path.name for path in host.made("configs")]
    for copy in (far / "configs").iterdir():
        host.run("verify", str(copy))


def _next_second(folder: Path) -> None:
    """Wait until a backup that begins now has another name."""
    wait_for("the clock is a second further", lambda: time.strftime("%Y-%m-%d-%H-%M-%S") > folder.name, 5)


def test_a_cut_connection_leaves_no_half_copy_that_counts(host: Host, far: Path, sshd: Sshd) -> None:
    host.fill(60)
    process = host.start("configs")

    def receiving() -> bool:
        return any((far / "configs").glob("*/.etc.tar.gz.*"))

    wait_for("the copy is under way", receiving, 60, pause=0.002)
    for session in sshd.sessions():
        cut(session)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1, said
    [folder] = host.made("configs")
    assert not list(far.rglob("SHA256SUMS"))
    assert not list(far.rglob("*/etc.tar.gz"))
    mark = host.mark("configs")
    assert (mark.failed > 0, mark.copied) == (True, 0)

    _next_second(folder)
    (host.etc / "large").unlink()
    host.run("configs")
    for path in host.made("configs"):
        host.run("verify", str(far / "configs" / path.name))
    assert host.mark("configs").copied > 0


def test_a_host_whose_key_has_changed_gets_nothing(host: Host, far: Path, sshd: Sshd) -> None:
    sshd.known_hosts.write_text(f"[127.0.0.1]:{sshd.port} {(sshd.folder / 'key.pub').read_text()}")
    host.run("configs", status=1)
    assert list(far.iterdir()) == []


def test_a_full_disk_leaves_what_was_there_and_no_half_backup(host: Host) -> None:
    with mounted(host.backups, "-t", "tmpfs", "-o", "size=8m", "tests"):
        host.run("configs")
        [good] = host.made("configs")
        host.fill(20)
        _next_second(good)
        assert "FAILED" in host.run("configs", status=1)
        assert host.made("configs") == [good]
        assert host.leftovers("configs") == []
        host.run("verify", str(good))
        mark = host.mark("configs")
        assert mark.failed > mark.succeeded > 0


def test_a_full_disk_on_the_other_side_is_told(host: Host, far: Path, sshd: Sshd) -> None:
    with mounted(far, "-t", "tmpfs", "-o", "size=4m", "tests"):
        host.fill(8)
        host.run("configs", status=1)
        assert not list(far.rglob("SHA256SUMS"))
        assert host.mark("configs").failed > 0


def test_of_two_at_once_one_gives_way(host: Host) -> None:
    host.fill(40)
    processes = [host.start("configs") for _ in range(2)]
    said = [process.communicate(timeout=100)[0] for process in processes]
    assert sorted(process.returncode for process in processes) == [0, BUSY], said
    assert len(host.made("configs")) == 1
    assert host.mark("configs").failed == 0


def test_a_lock_of_somebody_who_has_gone_holds_nobody_up(host: Host) -> None:
    (host.backups / "configs/.partial-2026-01-31-03-00-00").mkdir(parents=True)
    with (host.backups / "configs/.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another one is at work" in host.run("configs", status=BUSY)
    host.run("configs")
    assert host.leftovers("configs") == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_ended_cleans_up_and_says_so(host: Host, number: signal.Signals) -> None:
    host.fill(200)
    process = host.start("configs")
    wait_for("it packs", lambda: list(host.backups.glob("configs/.partial-*/etc.tar.gz")), 30, pause=0.01)
    os.killpg(process.pid, number)
    said, _ = process.communicate(timeout=60)
    assert process.returncode != 0, said
    assert host.made("configs") == host.leftovers("configs") == []
    assert host.mark("configs").failed > 0


def test_a_report_that_fails_does_not_fail_the_backup(host: Host) -> None:
    host.settings["MARK"] = "(/bin/false)"
    assert "could not report" in host.run("configs")
    assert len(host.made("configs")) == 1
    host.settings["MARK"] = "()"
    _next_second(host.made("configs")[0])
    assert "could not report" not in host.run("configs")


def whole(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "SHA256SUMS").touch()
    return folder


def test_thirty_days_are_kept_and_nothing_else_is_touched(host: Host) -> None:
    place = host.backups / "configs"
    for days in range(1, 60):
        whole(place / dated(days, "%Y-%m-%d-%H-%M-%S"))
    (place / dated(40, "older-than-%Y")).mkdir()
    (place / "notes").mkdir()
    (place / f"{dated(45)}.txt").touch()
    (place / dated(50, "link-%Y-%m-%d")).symlink_to(host.etc)
    host.run("configs")
    names = {path.name for path in host.made("configs")}
    kept = {dated(days) for days in range(31)}
    assert {name[:10] for name in names if name.startswith("20") and not name.endswith(".txt")} == kept
    others = {dated(40, "older-than-%Y"), "notes", f"{dated(45)}.txt", dated(50, "link-%Y-%m-%d")}
    assert others <= names
    assert (host.etc / "key").exists()


def test_the_newest_whole_ones_are_never_removed_whatever_the_clock_says(tmp_path: Path) -> None:
    for days in range(100, 112):
        whole(tmp_path / f"data/{dated(days, 'mailcow-%Y-%m-%d-%H-%M-%S')}")
    for days in range(90, 95):
        (tmp_path / f"data/{dated(days)}").mkdir()  # newer, but not whole
    subprocess.run([SCRIPTS[1], "--days", "30", "--keep", "4", tmp_path / "data"], check=True, capture_output=True)
    left = sorted(path.name[8:18] for path in (tmp_path / "data").iterdir())
    assert left == sorted(dated(days) for days in range(100, 104))


def test_what_a_cut_transfer_left_goes_after_two_days(tmp_path: Path) -> None:
    folder = whole(tmp_path / f"data/{dated(3)}")
    for name, days in ((".a.tar.gz.aB3xYz", 3), (".b.tar.gz.aB3xYz", 0), (".x86_64", 9), ("a.tar.gz", 9)):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - days * 86400,) * 2)
    subprocess.run([SCRIPTS[1], tmp_path / "data"], check=True, capture_output=True)
    assert {path.name for path in folder.iterdir()} == {".b.tar.gz.aB3xYz", ".x86_64", "a.tar.gz", "SHA256SUMS"}


# mailcow's helper-scripts/backup_and_restore.sh as it was read in mailcow-dockerized: what it demands of its caller,
# and what it leaves. It wants Docker and its own image, and ends with 0 whatever happens in a container.
MAILCOW_TOOL = r"""#!/usr/bin/env bash
[ "$*" = "backup all" ] || { echo "unknown parameters: $*"; exit 1; }
[[ $MAILCOW_BACKUP_LOCATION =~ ^/ ]] || { read -ep "Backup location: " x; exit 1; }
[ -d "$MAILCOW_BACKUP_LOCATION" ] || { read -p "Create it now? [y|N] " x; exit 1; }
stat -Lc %a "$MAILCOW_BACKUP_LOCATION" | grep -qE '[0-9][0-9][5-7]' || { echo "not write-able for others"; exit 1; }
[[ ${THREADS:-1} =~ ^[1-9][0-9]?$ ]] || { echo "Thread input is not a number!"; exit 1; }
folder=$MAILCOW_BACKUP_LOCATION/mailcow-$(date +%Y-%m-%d-%H-%M-%S)
mkdir -p "$folder"; chmod 755 "$folder"
cp "$(dirname "$0")/../mailcow.conf" "$folder"
touch "$folder/.$(uname -m)"
for part in vmail crypt redis rspamd postfix mariadb; do
    [ "$part" = "${LEAVE_OUT:-}" ] && continue
    tar --create --file=- --directory="$(dirname "$0")" . | zstd -q > "$folder/backup_$part.tar.zst"
done
exit 0
"""


@pytest.fixture
def mailcow(host: Host) -> Path:
    folder = host.folder / "mailcow"
    (folder / "helper-scripts").mkdir(parents=True)
    (folder / "data/conf/postfix").mkdir(parents=True)
    (folder / "data/conf/postfix/extra.cf").write_text("# mine\n")
    (folder / "mailcow.conf").write_text("MAILCOW_HOSTNAME=mail.example.org\n")
    (folder / "helper-scripts/backup_and_restore.sh").write_text(MAILCOW_TOOL)
    (folder / "helper-scripts/backup_and_restore.sh").chmod(0o755)
    return folder


def test_mailcows_own_tool_makes_the_data(host: Host, mailcow: Path, tmp_path: Path) -> None:
    host.run("data")
    [folder] = host.made("data")
    assert folder.name.startswith("mailcow-20")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert host.leftovers("data") == []
    host.run("verify", str(folder))
    watched = Watched(tmp_path, rootfs=_rootfs(tmp_path, host))
    watched.settled("mailcow")
    assert watched.read("mailcow") == "good"
    assert all(s.value for s in watched.look().all("mailserver_backup_part_present"))


def _rootfs(tmp_path: Path, host: Host) -> Path:
    (tmp_path / "root/srv").mkdir(parents=True)
    shutil.copytree(host.backups, tmp_path / "root/srv/backups", symlinks=True)
    return tmp_path / "root"


def test_a_part_that_mailcows_tool_lost_without_a_word_is_a_failure(host: Host, mailcow: Path) -> None:
    said = host.run("data", status=1, LEAVE_OUT="mariadb")
    assert "mailcow's script left no backup_mariadb" in said
    assert host.made("data") == host.leftovers("data") == []
    assert host.mark("data").failed > 0


def test_mailcows_configuration_is_part_of_the_configuration(host: Host, mailcow: Path, tmp_path: Path) -> None:
    host.run("configs")
    host.run("restore", str(host.made("configs")[0]), str(tmp_path / "restored"))
    restored = Path(f"{tmp_path}/restored{mailcow}")
    assert (restored / "mailcow.conf").read_text() == "MAILCOW_HOSTNAME=mail.example.org\n"
    assert (restored / "data/conf/postfix/extra.cf").exists()
    assert not (restored / "helper-scripts").exists()


@pytest.fixture
def mariadb(tmp_path: Path, host: Host) -> Iterator[Path]:
    """Return the defaults file of a real MariaDB with a table in it."""
    data = tmp_path / "mysql"
    install = [
        "mariadb-install-db",
        "--no-defaults",
        f"--datadir={data}",
        "--user=root",
        "--auth-root-authentication-method=normal",
    ]
    subprocess.run(install, check=True, capture_output=True)
    socket = tmp_path / "s"
    defaults = tmp_path / "client.cnf"
    defaults.write_text(f"[client]\nuser=root\nsocket={socket}\n")

    def answers() -> bool:
        return sql(defaults, "SELECT 1", check=False).returncode == 0

    command = [
        "mariadbd",
        "--no-defaults",
        f"--datadir={data}",
        "--user=root",
        "--skip-networking",
        f"--socket={socket}",
    ]
    with Program(command, tmp_path / "mariadb.log", ready=answers, seconds=60):
        sql(defaults, "CREATE DATABASE mail; CREATE TABLE mail.mailbox (name VARCHAR(99)) ENGINE=InnoDB")
        sql(defaults, "INSERT INTO mail.mailbox VALUES ('user@example.org'), ('other@example.org')")
        host.settings |= {"DATABASE": "yes", "DATABASE_DEFAULTS": str(defaults)}
        yield defaults


def sql(defaults: Path, statement: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = ["mariadb", f"--defaults-file={defaults}", "--batch", "--skip-column-names"]
    return subprocess.run(command, input=statement, capture_output=True, text=True, check=check)


def test_a_plain_host_is_dumped_and_restored_with_its_database(host: Host, mariadb: Path, tmp_path: Path) -> None:
    host.run("data")
    [folder] = host.made("data")
    assert {path.name for path in folder.iterdir()} == {"database.sql.gz", "vmail.tar.gz", "SHA256SUMS"}
    watched = Watched(tmp_path, f"sets: {{data: {{path: {host.backups}/data}}}}")
    watched.settled("data")
    assert watched.read("data") == "good"

    sql(mariadb, "DROP DATABASE mail")
    host.run("restore", str(folder), str(tmp_path / "restored"))
    sql(mariadb, (tmp_path / "restored/database.sql").read_text())
    assert sql(mariadb, "SELECT COUNT(*) FROM mail.mailbox").stdout == "2\n"
    assert same(Path(f"{tmp_path}/restored{host.vmail}"), host.vmail)

    # A view of a table that is gone: the dump ends half way, after it has written a lot.
    sql(mariadb, "CREATE VIEW mail.v AS SELECT * FROM mail.mailbox; RENAME TABLE mail.mailbox TO mail.gone")
    _next_second(folder)
    assert "mariadb-dump failed" in host.run("data", status=1)
    assert host.made("data") == [folder]
    assert host.leftovers("data") == []
    mark = host.mark("data")
    assert mark.failed > mark.succeeded
