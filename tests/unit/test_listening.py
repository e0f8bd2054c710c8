"""Which ports something listens on."""

from __future__ import annotations

import socket
from pathlib import Path

from mailserver_exporter.sources import listening

# $ cat /proc/self/net/tcp   (postfix on 25 and 587, an ssh session, shortened on the right)
TCP = b"""\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 23411 1 0 100 0 0 10 0
   1: 0100007F:024B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 23415 1 0 100 0 0 10 0
   2: 0F02000A:0016 0202000A:C6B8 01 00000000:00000000 02:0009B3C4 00000000     0        0 20133 2 0 20 4 30 10 -1
   3: 0100007F:03E1 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
"""


def test_reads_listeners_and_stops_at_the_first_connection() -> None:
    assert listening.parse(TCP.splitlines()) == ({25, 587}, True)


def test_broken_lines_add_nothing() -> None:
    lines = [b"", b"x", b" 0: zz:zz 0:0 0A 0", b" 0: nothing 0:0 0A 0", b"\xff\xff \xfe \xfd 0A 1"]

    assert listening.parse(lines) == (set(), False)


def test_missing_and_strange_files_add_nothing(tmp_path: Path) -> None:
    (tmp_path / "tcp").write_bytes(TCP)
    paths = [tmp_path / "missing", tmp_path, tmp_path / "tcp", tmp_path / "tcp6"]

    assert listening.ports(map(str, paths)) == {25, 587}


def test_an_endless_file_ends(tmp_path: Path) -> None:
    assert listening.ports(["/dev/zero"]) == set()


def test_finds_real_listeners_of_both_families() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as four,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as six,
    ):
        found = listening.ports(["/proc/self/net/tcp", "/proc/self/net/tcp6"])

        assert {four.getsockname()[1], six.getsockname()[1]} <= found
