"""Log files that are rotated, emptied, deleted and written to by halves, with a reader that stays or comes back."""

from __future__ import annotations

import gzip
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailserver_exporter.sources import SourceError
from mailserver_exporter.sources.log_source import MAX_LINE
from mailserver_exporter.sources.logfile import LogFile

Rotate = Callable[[Path], None]


def rename(path: Path) -> None:
    """As logrotate does by default: mail.log.1 becomes mail.log.2, and so on."""
    _shift(path)
    path.rename(f"{path}.1")
    path.touch()


def rename_without_create(path: Path) -> None:
    _shift(path)
    path.rename(f"{path}.1")


def rename_and_compress(path: Path) -> None:
    """Compress at once, as without delaycompress."""
    _shift(path)
    path.rename(f"{path}.1")
    _compress(Path(f"{path}.1"))
    path.touch()


def delay_compress(path: Path) -> None:
    _shift(path)
    if Path(f"{path}.2").exists():
        _compress(Path(f"{path}.2"))
    path.rename(f"{path}.1")
    path.touch()


def copy_and_truncate(path: Path) -> None:
    _shift(path)
    shutil.copyfile(path, f"{path}.1")
    os.truncate(path, 0)


def copy_truncate_and_compress(path: Path) -> None:
    copy_and_truncate(path)
    _compress(Path(f"{path}.1"))


_DAYS = itertools.count(20261101)


def date(path: Path) -> None:
    path.rename(f"{path}-{next(_DAYS)}")
    path.touch()


ROTATIONS: list[Rotate] = [
    rename,
    rename_without_create,
    rename_and_compress,
    delay_compress,
    copy_and_truncate,
    copy_truncate_and_compress,
    date,
]


def _shift(path: Path) -> None:
    for number in range(30, 0, -1):
        for ending in ("", ".gz"):
            old = Path(f"{path}.{number}{ending}")
            if old.exists():
                old.rename(f"{path}.{number + 1}{ending}")


def _compress(path: Path) -> None:
    times = path.stat()
    packed = Path(f"{path}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    os.utime(packed, ns=(times.st_atime_ns, times.st_mtime_ns))
    path.unlink()


class Writer:
    """Writes numbered lines, as long as those of Postfix."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written: list[bytes] = []

    def write(self, count: int) -> None:
        with self.path.open("ab") as file:
            for _ in range(count):
                line = b"Nov 22 03:13:51 mail postfix/qmgr[7]: %07d: removed" % len(self.written)
                self.written.append(line)
                file.write(line + b"\n")


def everything(source: LogFile, max_bytes: int = 1000) -> list[bytes]:
    return list(_lines(source, max_bytes))


def _lines(source: LogFile, max_bytes: int) -> Iterator[bytes]:
    while True:
        batch = source.read(max_bytes)
        yield from batch.lines
        if not batch.more:
            return


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "mail.log"
    path.touch()
    return path


@pytest.fixture
def writer(path: Path) -> Writer:
    return Writer(path)


def source(path: Path, position: object = None) -> LogFile:
    made = LogFile("mail.log", str(path), position)
    if position is None:
        assert made.read(1000).lines == []
    return made


def test_begins_at_the_end_of_the_last_line(path: Path) -> None:
    path.write_bytes(b"old\nhalf")
    log = source(path)
    with path.open("ab") as file:
        file.write(b" and half\nnew\n")
    assert everything(log) == [b"half and half", b"new"]


def test_a_log_that_was_not_there_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = LogFile("mail.log", str(tmp_path / "mail.log"))
    with pytest.raises(FileNotFoundError):
        log.read(1000)
    Writer(tmp_path / "mail.log").write(3)
    assert len(everything(log)) == 3


def test_a_line_is_read_once_it_is_finished(path: Path) -> None:
    log = source(path)
    for part, lines in ((b"one", []), (b" line\ntwo\nthr", [b"one line", b"two"]), (b"ee\n", [b"three"])):
        with path.open("ab") as file:
            file.write(part)
        assert everything(log) == lines
    assert everything(log) == []


@pytest.mark.parametrize("rotate", ROTATIONS)
@pytest.mark.parametrize("between", [0, 1, 700], ids=lambda lines: f"{lines} lines after it")
def test_reads_through_a_rotation(path: Path, writer: Writer, rotate: Rotate, between: int) -> None:
    log = source(path)
    found = []
    for _ in range(4):
        writer.write(300)
        found += everything(log)
        writer.write(200)
        rotate(path)
        writer.write(between)
        found += everything(log)
    writer.write(1)
    assert found + everything(log) == writer.written


@pytest.mark.parametrize("rotate", ROTATIONS)
@pytest.mark.parametrize("read", [0, 1, 250, 300])
def test_comes_back_after_several_rotations(path: Path, writer: Writer, rotate: Rotate, read: int) -> None:
    log = source(path)
    writer.write(read)
    found = everything(log)
    position = log.position()
    writer.write(300 - read)
    for lines in (0, 5, 400):
        rotate(path)
        writer.write(lines)
    assert found + everything(LogFile("mail.log", str(path), position)) == writer.written


@pytest.mark.parametrize("rotate", ROTATIONS)
def test_goes_on_after_any_batch(path: Path, writer: Writer, rotate: Rotate) -> None:
    log = source(path)
    found = []
    for _ in range(6):
        writer.write(3000)
        rotate(path)
        writer.write(2)
        found += log.read(1000).lines
        log = source(path, log.position())
    writer.write(1)
    while len(found) < len(writer.written):
        batch = log.read(1000)
        assert batch.lines or batch.more
        found += batch.lines
        log = source(path, log.position())
    assert found == writer.written


def test_what_is_written_to_the_old_file_after_its_rotation_is_read(path: Path, writer: Writer) -> None:
    log = source(path)
    writer.write(5)
    with path.open("ab", buffering=0) as old:
        rename(path)
        assert len(everything(log)) == 5
        old.write(b"late\n")
        assert everything(log) == [b"late"]
        old.write(b"later\n")
        writer.write(1)
        assert everything(log) == [b"later", writer.written[-1]]


def test_the_unfinished_last_line_of_an_old_file_is_its_last_line(path: Path) -> None:
    log = source(path)
    path.write_bytes(b"whole\nhalf")
    rename(path)
    path.write_bytes(b"new\n")
    assert everything(log) == [b"whole", b"half", b"new"]


def test_a_file_that_was_emptied_and_has_grown_past_the_old_place_is_read_from_its_beginning(path: Path) -> None:
    log = source(path)
    path.write_bytes(b"a" * 10 + b"\n")
    assert everything(log) == [b"a" * 10]
    path.write_bytes(b"b" * 30 + b"\n")
    assert everything(log) == [b"b" * 30]


@pytest.mark.parametrize("back", [False, True], ids=["at once", "after a restart"])
def test_a_file_that_is_deleted_and_made_again_is_read_from_its_beginning(
    path: Path, writer: Writer, back: bool
) -> None:
    for _ in range(3):
        writer.write(200)
        rename(path)  # a month of history that must not be counted
    log = source(path)
    history = len(writer.written)
    writer.write(100)
    found = everything(log)
    path.unlink()
    writer.write(50)
    if back:
        log = source(path, log.position())
    assert found + everything(log) == writer.written[history:]


def test_a_log_that_is_gone_is_told_once_its_rest_was_read(path: Path, writer: Writer) -> None:
    log = source(path)
    writer.write(2)
    assert log.read(1).lines == writer.written
    with path.open("ab") as file:
        path.unlink()
        file.write(b"last\n")
    assert everything(log) == [b"last"]
    with pytest.raises(FileNotFoundError):
        log.read(1000)


def test_a_line_of_ten_megabytes_is_dropped_and_what_stands_in_it_is_no_line(path: Path) -> None:
    log = source(path)
    forged = b"x" * 10_000_000 + b" Nov 22 03:13:51 mail sshd[1]: Accepted password for root"
    path.write_bytes(b"before\n" + forged + b"\nafter\n")
    lines, dropped, reads = [], 0, 0
    while True:
        batch = log.read(1000)
        lines, dropped, reads = lines + batch.lines, dropped + batch.dropped, reads + 1
        log = source(path, log.position())
        if not batch.more:
            break
    assert (lines, dropped) == ([b"before", b"after"], 1)
    assert reads > 100


def test_a_line_that_is_just_not_too_long_is_read(path: Path) -> None:
    log = source(path)
    path.write_bytes(b"x" * MAX_LINE + b"\n" + b"y" * (MAX_LINE + 1) + b"\nz\n")
    batches = [log.read(1000) for _ in range(5)]
    assert [line[:1] for batch in batches for line in batch.lines] == [b"x", b"z"]
    assert sum(batch.dropped for batch in batches) == 1


def test_bytes_of_any_kind_come_through(path: Path) -> None:
    log = source(path)
    path.write_bytes(b"a\0b\n\xff\xfe\n\r\x1b[31m\n\n")
    assert everything(log) == [b"a\0b", b"\xff\xfe", b"\r\x1b[31m", b""]


def test_the_hole_that_a_writer_makes_who_did_not_notice_the_truncation_is_passed_over(path: Path) -> None:
    log = source(path)
    with path.open("wb", buffering=0) as file:
        file.write(b"a" * 60000 + b"\n")
        assert len(everything(log)) == 1
        for _ in range(3):
            file.write(b"b" * 60000 + b"\n")
        assert len(everything(log)) == 3
        os.truncate(path, 0)
        file.write(b"new\n")
        assert everything(log) == [b"new"]


def test_a_still_log_costs_two_system_calls(path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    writer.write(1000)
    log = source(path)
    writer.write(1)
    everything(log)
    everything(log)
    calls = []
    for name in ("stat", "fstat", "open", "pread", "scandir", "lstat"):
        original = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, n=name, o=original, **k: (calls.append(n), o(*a, **k))[1])
    assert log.read(100000).lines == []
    assert calls == ["stat", "fstat"]


def test_a_pipe_in_the_place_of_the_log_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    path.touch()
    log = source(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(SourceError, match="not a regular file"):
        log.read(1000)


def test_a_damaged_archive_is_named(path: Path, writer: Writer) -> None:
    log = source(path)
    writer.write(5)
    everything(log)
    position = log.position()
    writer.write(5)
    rename_and_compress(path)
    packed = Path(f"{path}.1.gz")
    content = packed.read_bytes()
    packed.write_bytes(content[:-40] + b"\xff" * 40)
    writer.write(5)
    with pytest.raises(SourceError, match=r"mail.log.1.gz is damaged"):
        everything(source(path, position))


def test_other_files_beside_the_log_are_left_alone(path: Path, writer: Writer) -> None:
    log = source(path)
    for name in ("mail.log.bak", "mail.log2", "mail.log.1.swp", "other.log.1"):
        (path.parent / name).write_bytes(b"not this\n")
    writer.write(5)
    rename(path)
    writer.write(5)
    assert everything(log) == writer.written
