"""The process table and what is counted in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mailserver_exporter.collectors.processes import ProcessesCollector
from mailserver_exporter.sources import SourceError, processes
from tests.support.contexts import context
from tests.support.metrics import Exposition

# cat /proc/self/stat, of Linux 6.18 on x86_64
CAT = (
    b"19737 (cat) R 19736 19737 19700 0 -1 4194304 94 0 0 0 12 34 0 0 20 0 1 0 167890 5832704 432 18446744073709551615"
    b" 94012 94032 140724 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 94048 94050 94310 140728 140728 140728 140729 0\n"
)
# cat /proc/9/stat: a kernel thread, which has no memory
KWORKER = (
    b"9 (kworker/0:1-events) I 2 0 0 0 -1 69238880 0 0 0 0 0 5 0 0 20 0 1 0 23 0 0 18446744073709551615"
    b" 0 0 0 0 0 0 0 2147483647 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
)


def stat_line(pid: int, name: bytes, state: str = "S", parent: int = 1, *, threads: int = 1) -> bytes:
    """Make a /proc/PID/stat of CAT's form."""
    fields = CAT[CAT.index(b")") + 2 :].split()
    fields[0], fields[1], fields[17] = state.encode(), str(parent).encode(), str(threads).encode()
    return b"%d (%b) " % (pid, name) + b" ".join(fields) + b"\n"


def write_proc(rootfs: Path, *lines: bytes) -> None:
    """Make a /proc below ``rootfs`` that holds exactly these processes, and init."""
    proc = rootfs / "proc"
    (proc / "sys/kernel").mkdir(parents=True, exist_ok=True)
    (proc / "sys/kernel/pid_max").write_text("32768\n")
    (proc / "sys/kernel/threads-max").write_text("192730\n")
    for old in proc.glob("[0-9]*/stat"):
        old.unlink()
    for line in (stat_line(1, b"init", parent=0), *lines):
        folder = proc / line.split()[0].decode()
        folder.mkdir(exist_ok=True)
        (folder / "stat").write_bytes(line)


def test_parses_what_the_kernel_writes() -> None:
    assert processes.parse(CAT) == processes.Process(
        name="cat",
        state="R",
        parent=19736,
        cpu_seconds=46 / os.sysconf("SC_CLK_TCK"),
        threads=1,
        started=167890,
        resident_bytes=432 * os.sysconf("SC_PAGESIZE"),
    )


def test_leaves_out_the_changing_part_of_a_kernel_threads_name() -> None:
    assert processes.parse(KWORKER).name == "kworker"


def test_keeps_the_slash_in_the_name_of_a_program() -> None:
    assert processes.parse(stat_line(5, b"a/b")).name == "a/b"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"tmux: server", "tmux: server"),
        (b"(sd-pam)", "(sd-pam)"),
        (b") Z 1 (", ") Z 1 ("),
        (b'a\nb\t"c\\', 'a\nb\t"c\\'),
        (b"\xff\xfeblob", "��blob"),
        (b"", ""),
    ],
)
def test_reads_any_name_a_process_may_give_itself(name: bytes, shown: str) -> None:
    process = processes.parse(stat_line(77, name, "D", 42))
    assert (process.name, process.state, process.parent) == (shown, "D", 42)


@pytest.mark.parametrize("data", [b"", b"1", b"1 (init", b"1 (init) S 0", CAT[:60], b"\x00" * 300, b"1 (a) S x" * 30])
def test_says_what_is_wrong_with_a_broken_file(data: bytes) -> None:
    with pytest.raises(SourceError, match="cannot be understood"):
        processes.parse(data)


def test_passes_over_processes_that_end_while_it_reads(tmp_path: Path) -> None:
    write_proc(tmp_path, stat_line(7, b"dovecot"))
    (tmp_path / "proc/8").mkdir()
    (tmp_path / "proc/self").symlink_to("7")

    assert set(processes.scan(str(tmp_path / "proc")).processes) == {1, 7}


def test_does_not_take_hidden_processes_for_none(tmp_path: Path) -> None:
    write_proc(tmp_path, stat_line(7, b"dovecot"))
    (tmp_path / "proc/1/stat").unlink()

    with pytest.raises(SourceError, match="does not show all processes"):
        processes.scan(str(tmp_path / "proc"))
    assert not ProcessesCollector(context(tmp_path, rootfs=tmp_path)).detect().found


def test_scans_once_for_all_who_ask_soon_after_each_other(tmp_path: Path) -> None:
    write_proc(tmp_path)
    table = context(tmp_path, rootfs=tmp_path).process_table

    first = table.snapshot(10)
    write_proc(tmp_path, stat_line(7, b"dovecot"))

    assert table.snapshot(10) is first
    assert 7 in table.snapshot(0).processes


def collect(rootfs: Path) -> Exposition:
    return Exposition.of(ProcessesCollector(context(rootfs, rootfs=rootfs)).collect())


def test_shows_every_state_with_zero_and_those_it_does_not_know(tmp_path: Path) -> None:
    write_proc(tmp_path, stat_line(7, b"a", "D"), stat_line(8, b"b", "Z"), stat_line(9, b"c", "W"))

    states = {s.labels["state"]: s.value for s in collect(tmp_path).all("node_processes_state")}

    assert states == {"R": 0, "S": 1, "D": 1, "T": 0, "t": 0, "X": 0, "Z": 1, "P": 0, "I": 0, "W": 1}


def test_counts_processes_and_their_threads(tmp_path: Path) -> None:
    write_proc(tmp_path, stat_line(7, b"a", threads=30), stat_line(8, b"b", threads=2))

    found = collect(tmp_path)

    assert found.value("node_processes_pids") == 3
    assert found.value("node_processes_threads") == 33
    assert found.value("node_processes_max_processes") == 32768
    assert found.value("node_processes_max_threads") == 192730


def zombies(exposition: Exposition) -> dict[str, float]:
    return {s.labels["parent"]: s.value for s in exposition.all("mailserver_zombie_processes")}


def test_shows_a_zero_where_there_are_no_zombies(tmp_path: Path) -> None:
    write_proc(tmp_path)
    assert zombies(collect(tmp_path)) == {"other": 0}


def test_names_the_parent_of_zombies_by_any_name(tmp_path: Path) -> None:
    write_proc(
        tmp_path,
        stat_line(7, b'bad "par\nent) Z'),
        stat_line(8, b"a", "Z", 7),
        stat_line(9, b"b", "Z", 7),
        stat_line(10, b"c", "Z", 999),
    )
    assert zombies(collect(tmp_path)) == {'bad "par\nent) Z': 2, "other": 1}


def test_does_not_call_a_process_a_zombie_that_lost_only_its_main_thread(tmp_path: Path) -> None:
    write_proc(tmp_path, stat_line(7, b"a", "Z", 1, threads=5))

    found = collect(tmp_path)

    assert zombies(found) == {"other": 0}
    assert found.value("node_processes_state", state="Z") == 1


def test_keeps_a_parent_at_zero_whose_zombies_are_gone(tmp_path: Path) -> None:
    write_proc(tmp_path, stat_line(7, b"careless"), stat_line(8, b"a", "Z", 7))
    collector = ProcessesCollector(context(tmp_path, rootfs=tmp_path))
    collector.max_age = -1
    assert zombies(Exposition.of(collector.collect())) == {"careless": 1, "other": 0}

    write_proc(tmp_path, stat_line(7, b"careless"))

    assert zombies(Exposition.of(collector.collect())) == {"careless": 0, "other": 0}


def test_names_ten_parents_and_counts_the_rest_together(tmp_path: Path) -> None:
    parents = [stat_line(100 + n, b"parent%d" % n) for n in range(13)]
    children = [stat_line(1000 + 20 * n + i, b"x", "Z", 100 + n) for n in range(13) for i in range(n + 1)]
    write_proc(tmp_path, *parents, *children)

    found = zombies(collect(tmp_path))

    assert found == {**{f"parent{n}": n + 1 for n in range(3, 13)}, "other": 1 + 2 + 3}


def test_a_parent_called_other_is_counted_with_the_others(tmp_path: Path) -> None:
    write_proc(tmp_path, stat_line(7, b"other"), stat_line(8, b"a", "Z", 7))
    assert zombies(collect(tmp_path)) == {"other": 1}
