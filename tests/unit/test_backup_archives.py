"""Archives: those that are whole, and those that end early, are damaged, never end or cannot be read here."""

from __future__ import annotations

import io
import lzma
import os
import subprocess
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from mailserver_exporter import errand
from mailserver_exporter.errands import archives
from mailserver_exporter.sources import archive
from tests.support.backups import packed, tar
from tests.support.mounts import mounted

TAR = tar()
DUMP = b"-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB\n" + b"INSERT INTO t VALUES (1);\n" * 9000
# mariadb-dump since 10.11.8 begins with this line.
SANDBOX = b"/*M!999999\\- enable the sandbox mode */ \n"
COMPLETE = DUMP + b"-- Dump completed on 2026-01-31  3:00:04\n"
POSTGRES = b"--\n-- PostgreSQL database dump\n--\n" + b"SELECT 1;\n" * 5000


def zipped() -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(3):
            file.writestr(f"{number}", os.urandom(20_000))
    return output.getvalue()


WHOLE: dict[str, bytes] = {
    "a.tar": TAR,
    "a.tar.gz": packed("gzip", TAR),
    "a.tgz": packed("gzip", TAR),
    "a.tar.bz2": packed("bzip2", TAR),
    "a.tar.xz": packed("xz", TAR),
    "a.tar.zst": packed("zstd", TAR),
    "a.zip": zipped(),
    "a.sql": COMPLETE,
    "a.sql.gz": packed("gzip", SANDBOX + COMPLETE),
    "a.sql.zst": packed("zstd", COMPLETE),
    "pg.sql.gz": packed("gzip", POSTGRES + b"--\n-- PostgreSQL database dump complete\n--\n"),
    "other.sql": b"CREATE TABLE t (i int);\n",
    "a.gz": packed("gzip", b"anything"),
}


def check(path: Path, seconds: float = 60) -> None:
    archive.check(str(path), time.monotonic() + seconds)


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_archive_is_read_to_its_end(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(WHOLE[name])
    check(tmp_path / name)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.85])
@pytest.mark.parametrize("name", [name for name in WHOLE if name not in ("other.sql", "a.sql", "a.gz")])
def test_an_archive_that_ends_early_is_broken(tmp_path: Path, name: str, share: float) -> None:
    (tmp_path / name).write_bytes(WHOLE[name][: int(len(WHOLE[name]) * share)])
    with pytest.raises(archive.BrokenError):
        check(tmp_path / name)


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tar.bz2", "a.tar.xz", "a.tar.zst", "a.zip", "a.sql.gz"])
def test_a_flipped_byte_is_found(tmp_path: Path, name: str) -> None:
    data = bytearray(WHOLE[name])
    data[len(data) // 2] ^= 0xFF
    (tmp_path / name).write_bytes(data)
    with pytest.raises(archive.BrokenError):
        check(tmp_path / name)


def test_a_tar_file_that_ends_between_two_members_is_broken(tmp_path: Path) -> None:
    # 3 members of a header and 20,000 bytes each, padded to 512: GNU tar lists it without a word.
    (tmp_path / "a.tar").write_bytes(TAR[: 2 * (512 + 20_480)])
    assert subprocess.run(["tar", "-tf", tmp_path / "a.tar"], capture_output=True, check=False).returncode == 0
    with pytest.raises(archive.BrokenError, match="ends early, after 2 members"):
        check(tmp_path / "a.tar")


def test_a_damaged_header_in_the_middle_is_found(tmp_path: Path) -> None:
    data = bytearray(TAR)
    data[512 + 20_480 + 10] ^= 0xFF
    (tmp_path / "a.tar").write_bytes(data)
    with pytest.raises(archive.BrokenError, match="member 2 has a damaged header"):
        check(tmp_path / "a.tar")


@pytest.mark.parametrize("form", ["gnu", "oldgnu", "pax", "posix", "ustar", "v7"])
def test_every_form_that_gnu_tar_writes_is_understood(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    long = "n" * (90 if form in ("v7", "ustar") else 200)
    (folder / long).write_bytes(b"x" * 5000)
    (folder / "ä").write_bytes(b"")
    (folder / "link").symlink_to(long)
    os.link(folder / long, folder / "hard")
    with (folder / "sparse").open("wb") as file:
        for place in range(0, 40_000_000, 1_000_000):
            file.seek(place)
            file.write(b"y" * 5000)
    sparse = [] if form in ("v7", "ustar") else ["--sparse"]
    command = ["tar", *sparse, f"--format={form}", "-cf", tmp_path / "a.tar", "-C", tmp_path, "folder"]
    subprocess.run(command, check=True)
    check(tmp_path / "a.tar")


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_members_of_more_than_eight_gigabytes_are_understood(form: int) -> None:
    # The size is then in a pax header, or in base 256.
    member = tarfile.TarInfo("large")
    member.size = 9 << 30
    head, rest, end = member.tobuf(form), member.size, bytes(10_240)

    def read(size: int) -> bytes:
        nonlocal head, rest, end
        if head:
            data, head = head[:size], head[size:]
        elif rest:
            data = bytes(min(size, rest))
            rest -= len(data)
        else:
            data, end = end[:size], end[size:]
        return data

    archive._check_tar(read)
    assert (head, rest, end) == (b"", 0, b"")


@pytest.mark.parametrize(("name", "data"), [("a.sql.gz", packed("gzip", DUMP)), ("a.sql", DUMP), ("p.sql", POSTGRES)])
def test_a_dump_that_died_half_way_is_broken_though_its_archive_is_whole(
    tmp_path: Path, name: str, data: bytes
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(archive.BrokenError, match="before its last line"):
        check(tmp_path / name)


def test_a_bomb_is_given_up_in_time(tmp_path: Path) -> None:
    # A terabyte of zeros in few bytes: 1,000 gzip members of a gigabyte would be too slow to make, so one file often.
    piece = packed("gzip", bytes(64 << 20))
    (tmp_path / "a.gz").write_bytes(piece * 2000)
    started = time.monotonic()
    with pytest.raises(archive.UnfinishedError):
        check(tmp_path / "a.gz", 0.5)
    assert time.monotonic() - started < 10


def test_a_pipe_in_place_of_an_archive_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "2026").mkdir()
    os.mkfifo(tmp_path / "2026/a.tar.gz")
    answer = run([tmp_path / "2026"], tmp_path)
    assert answer["result"] == "impossible"


def test_without_zstd_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.tar.zst").write_bytes(WHOLE["a.tar.zst"])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run([tmp_path], tmp_path) == {
        "result": "impossible",
        "detail": "a.tar.zst: reading .zst needs the program zstd: apt install zstd",
    }


def test_in_a_container_the_zstd_of_the_host_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.tar.zst").write_bytes(WHOLE["a.tar.zst"])
    (tmp_path / "b.tar.zst").write_bytes(WHOLE["a.tar.zst"][:-100])
    with mounted(tmp_path / "host", "--bind", "/"):
        monkeypatch.setenv("PATH", "/nowhere")
        answers = [run([tmp_path / name], tmp_path, rootfs=tmp_path / "host") for name in ("a.tar.zst", "b.tar.zst")]
        monkeypatch.undo()
    assert [answer["result"] for answer in answers] == ["good", "broken"]


def test_an_encrypted_zip_is_not_called_broken(tmp_path: Path) -> None:
    data = bytearray(zipped())
    # The flag that says "encrypted", in the local header and in the directory of the first member.
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    assert run([tmp_path], tmp_path)["result"] == "impossible"


def greedy_xz() -> bytes:
    """Return a whole .xz file whose header asks for a dictionary of 4 GiB (tukaani.org/xz/xz-file-format.txt)."""
    data = bytearray(lzma.compress(TAR, lzma.FORMAT_XZ))
    begin, end = 12, 12 + (data[12] + 1) * 4
    assert data[begin + 2 : begin + 4] == b"\x21\x01"
    data[begin + 4] = 40
    data[end - 4 : end] = zlib.crc32(data[begin : end - 4]).to_bytes(4, "little")
    return bytes(data)


def greedy_zstd(window_log: int) -> bytes:
    """Return a whole .zst file of one raw block whose header asks for a window of that size (RFC 8878)."""
    block = TAR[:1000] + b"\0"
    return b"\x28\xb5\x2f\xfd\0" + bytes([(window_log - 10) << 3]) + (len(block) << 3 | 1).to_bytes(3, "little") + block


@pytest.mark.parametrize(
    ("name", "data"), [("a.tar.xz", greedy_xz()), ("a.sql.zst", greedy_zstd(30)), ("a.sql.zst", greedy_zstd(31))]
)
def test_an_archive_for_which_memory_does_not_suffice_is_not_called_broken(
    tmp_path: Path, name: str, data: bytes
) -> None:
    (tmp_path / name).write_bytes(data)
    detail = f"{name}: needs more memory than there is for it here"
    assert run([tmp_path], tmp_path) == {"result": "impossible", "detail": detail}


def run(paths: list[Path], folder: Path, seconds: float = 60, rootfs: Path | str = "/") -> dict[str, str]:
    """Send the errand."""
    request = {
        "paths": [str(path) for path in paths],
        "seconds": seconds,
        "lock": str(folder / "lock"),
        "rootfs": str(rootfs),
    }
    answer: dict[str, str] = errand.send("archives", request, seconds + 60)
    return answer


def test_all_archives_of_a_backup_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "2026-01-31"
    (folder / "deeper").mkdir(parents=True)
    for name in ("a.tar.gz", "a.tar.zst", "deeper/a.zip"):
        (folder / name).write_bytes(WHOLE[name.rpartition("/")[2]])
    (folder / "notes.txt").write_text("no archive")
    (folder / "link.tar.gz").symlink_to("/nowhere.tar.gz")
    assert run([folder], tmp_path) == {"result": "good", "detail": "3 archives"}

    (folder / "deeper/b.tar.gz").write_bytes(WHOLE["a.tar.gz"][:-9])
    answer = run([folder], tmp_path)
    assert answer["result"] == "broken"
    assert answer["detail"].startswith("b.tar.gz: ")


def test_a_time_that_is_up_is_no_verdict(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(WHOLE["a.tar.gz"])
    assert run([tmp_path / "a.tar.gz"], tmp_path, 0)["result"] == "unfinished"


def test_what_was_removed_meanwhile_is_no_verdict(tmp_path: Path) -> None:
    assert run([tmp_path / "2026-01-31"], tmp_path)["result"] == "unfinished"


def test_only_one_check_runs_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[dict[str, str]] = []
    request = {"paths": [], "seconds": 1, "lock": str(tmp_path / "lock")}
    monkeypatch.setattr(archives, "give_way", lambda: None)
    inner: Callable[..., dict[str, str]] = archives._verdict

    def verdict(*given: object) -> dict[str, str]:
        answers.append(run([], tmp_path))
        return inner(*given)

    monkeypatch.setattr(archives, "_verdict", verdict)
    archives.run(request)
    assert [answer["result"] for answer in answers] == ["busy"]


def test_it_gives_way_to_everybody() -> None:
    code = (
        "import os, subprocess; from mailserver_exporter.errands import archives; archives.give_way();"
        "print(os.sched_getscheduler(0) == os.SCHED_IDLE, flush=True);"
        "subprocess.run(['ionice', '-p', str(os.getpid())])"
    )
    root = str(Path(archives.__file__).parents[2])
    said = subprocess.run(
        [os.sys.executable, "-c", code],  # type: ignore[attr-defined]
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
        check=True,
    )
    assert said.stdout.split() == ["True", "idle"]
