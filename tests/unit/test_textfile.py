"""Text files of other jobs: what is taken of them, and what is said of the rest."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import pytest

from mailserver_exporter import app, check
from mailserver_exporter.collectors.load import LoadCollector
from mailserver_exporter.collectors.textfile import TextfileCollector
from mailserver_exporter.config import Config
from mailserver_exporter.host import Host
from mailserver_exporter.schema import read_text
from mailserver_exporter.sources import SourceError, textfile
from tests.support.contexts import context
from tests.support.metrics import Exposition

GOOD = b"""\
# A comment, and below it what the format allows.
# HELP backup_size_bytes Size of the \\"newest\\" backup.
# TYPE backup_size_bytes gauge
backup_size_bytes{name="vmail",note="a \\"b\\" \\\\ c\\nd"} 1.5e+09

  backup_size_bytes { name = "db" , } 12
# TYPE run histogram
run_bucket{le="1"} 1
run_bucket{le="+Inf"} 2
run_sum 3
run_count 2
# TYPE wait summary
wait{quantile="0.5"} NaN
wait_sum 1
wait_count 1
plain_count -Inf
empty{} 0
"""


def families(data: bytes) -> dict[str, list[str]]:
    return {family.name: list(family.samples) for family in textfile.parse(data).families}


def test_reads_all_that_the_format_allows() -> None:
    assert families(GOOD) == {
        "backup_size_bytes": [
            'backup_size_bytes{name="vmail",note="a \\"b\\" \\\\ c\\nd"}',
            'backup_size_bytes{name="db"}',
        ],
        "run": ['run_bucket{le="1"}', 'run_bucket{le="+Inf"}', "run_sum", "run_count"],
        "wait": ['wait{quantile="0.5"}', "wait_sum", "wait_count"],
        "plain_count": ["plain_count"],
        "empty": ["empty"],
    }


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"a 1 1700000000000\n", "line 1: has a timestamp"),
        (b"a 1\nb 2", "ends in the middle of a line"),
        (b"a 1\r\n", r"line 1: '1\\r' is no number"),
        (b"metric1\n", "is no sample"),
        (b"a 1 x\ty\n", "is no sample"),
        (b"a \xd9\xa3\n", "is no number"),
        (b"a +NaN\n", "is no number"),
        (b"a 1e999\n", "is no number"),
        (b"a\n", "is no sample"),
        (b"a one\n", "'one' is no number"),
        (b"a 1_0\n", "'1_0' is no number"),
        (b"1a 1\n", "is no sample"),
        (b'a{b="c} 1\n', "is no sample|is no label"),
        (b'a{b="\\t"} 1\n', "is no label"),
        (b'a{b="1",b="2"} 1\n', "the label b is there twice"),
        (b'a{b="1" c="2"} 1\n', "is no label"),
        (b"# TYPE a gauge\n# TYPE a gauge\na 1\n", "line 2: a second TYPE"),
        (b"a 1\n# TYPE a gauge\n", "line 2: a second TYPE of a, or one after its samples"),
        (b"# HELP a x\n# HELP a x\na 1\n", "a second HELP"),
        (b"# TYPE a number\na 1\n", "'number' is no type"),
        (b"# TYPE a-b gauge\n", "no name of a metric"),
        (b"a\xff 1\n", "is not UTF-8 at byte 1"),
        (b"<html>502 Bad Gateway</html>\n", "is no sample"),
        (b"\0" * 1000 + b"\n", "holds a NUL"),
    ],
)
def test_refuses_what_node_exporter_refuses_and_says_where(data: bytes, complaint: str) -> None:
    with pytest.raises(SourceError, match=complaint):
        textfile.parse(data)


@pytest.mark.parametrize(
    "line",
    [
        b"a" * 1_000_000 + b" {",
        b"a" + b" " * 1_000_000 + b"{",
        b"a" + b"{" * 500_000 + b"}" * 500_000,
        b"a " + b"1" * 1_000_000 + b"x",
        b"a{" + b",".join(b'l%d="x"' % number for number in range(60_000)) + b" " * 300_000 + b"} 1 2 3",
    ],
    ids=["name", "blanks", "braces", "digits", "labels"],
)
def test_a_line_of_a_megabyte_is_refused_at_once(line: bytes) -> None:
    started = time.thread_time()
    with pytest.raises(SourceError):
        textfile.parse(line + b"\n")
    assert time.thread_time() - started < 5


def test_the_help_text_is_taken_as_it_was_meant(tmp_path: Path) -> None:
    write(tmp_path / "files", a=b'# HELP a C:\\\\temp\\n and "more"\n# TYPE a gauge\na 1\n')
    found = Exposition.of(collector(tmp_path).collect())
    assert found.text.startswith('# HELP a C:\\\\temp\\n and "more"\n')


def test_of_a_series_that_is_there_twice_the_first_is_taken() -> None:
    found = textfile.parse(b'a{x="1",y="2"} 1\na{y="2",x="1"} 2\nb 3\n')
    assert [line for family in found.families for line in family.samples.values()] == ['a{x="1",y="2"} 1\n', "b 3\n"]
    assert found.left_out == ['a{x="1",y="2"} is there twice']


def collector(tmp_path: Path, *directories: str | Path) -> TextfileCollector:
    shown = ", ".join(f'"{directory}"' for directory in directories or (tmp_path / "files",))
    return TextfileCollector(context(tmp_path / "state", f"textfile: {{directories: [{shown}]}}"))


def write(folder: Path, **contents: bytes) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.prom").write_bytes(content)


def test_one_bad_file_takes_no_other_along(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "files"
    write(folder, a=b"a 1\n", b=b"b 1 1700000000000\n", c=b"c 1\n")
    (folder / "d.prom").symlink_to("nowhere")
    (folder / "e.prom").mkdir()
    os.mkfifo(folder / "f.prom")
    (folder / "g.prom").write_bytes(b"g 1\n" * 300_000)
    (folder / "other.txt").write_bytes(b"other 1\n")
    subject = collector(tmp_path)

    found = Exposition.of(subject.collect())

    assert found.names() == {"a", "c", "node_textfile_mtime_seconds", "node_textfile_scrape_error"}
    assert found.value("node_textfile_scrape_error") == 1
    assert {s.labels["file"] for s in found.all("node_textfile_mtime_seconds")} == {
        str(folder / "a.prom"),
        str(folder / "c.prom"),
    }
    details = {finding.detail.rpartition("/")[2] for finding in subject.findings()}
    assert details == {
        "b.prom: line 1: has a timestamp, which text files must not have",
        "d.prom: No such file or directory",
        "e.prom: is not a file",
        "f.prom: is not a file",
        "g.prom: is larger than 1048576 bytes",
    }
    told = len(caplog.records)
    assert told == 5
    list(subject.collect())
    assert len(caplog.records) == told


def test_a_file_whose_name_is_no_text_takes_no_other_along(tmp_path: Path) -> None:
    write(tmp_path / "files", good=b"good 1\n")
    (tmp_path / "files" / os.fsdecode(b"bad\xff.prom")).write_bytes(b"bad 1\n")
    watched = collector(tmp_path)
    found = Exposition.of(watched.collect())
    assert found.value("good") == 1
    assert found.value("node_textfile_scrape_error") == 1
    assert [finding.detail for finding in watched.findings()] == [
        f"{tmp_path}/files/bad\ufffd.prom: its name is not UTF-8"
    ]


def test_a_file_is_read_again_when_it_has_changed_and_not_before(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    write(folder, a=b"a 1\n")
    old = 1_700_000_000
    os.utime(folder / "a.prom", (old, old))
    os.utime(folder, (old, old))
    subject = collector(tmp_path)
    assert Exposition.of(subject.collect()).value("a") == 1

    # The same size and time, and the same inode: as if nothing had happened.
    (folder / "a.prom").write_bytes(b"a 2\n")
    os.utime(folder / "a.prom", (old, old))
    assert Exposition.of(subject.collect()).value("a") == 1

    (folder / "a.prom").write_bytes(b"a 3\n")
    assert Exposition.of(subject.collect()).value("a") == 3
    # Within one tick of the clock, with the same size.
    status = (folder / "a.prom").stat()
    (folder / "a.prom").write_bytes(b"a 4\n")
    os.utime(folder / "a.prom", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert Exposition.of(subject.collect()).value("a") == 4

    (folder / "b.prom").write_bytes(b"b 1\n")
    (folder / "a.prom").unlink()
    found = Exposition.of(subject.collect())
    assert found.all("a") == []
    assert found.value("b") == 1


def test_the_families_of_several_files_become_one(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    write(
        folder,
        a=b'# HELP a First.\n# TYPE a gauge\na{x="1"} 1\n',
        b=b'# HELP a Second.\n# TYPE a gauge\na{x="2"} 2\na{x="1"} 3\n',
        c=b'# TYPE a counter\na{x="4"} 4\n',
    )
    subject = collector(tmp_path)

    found = Exposition.of(subject.collect())

    assert found.text.count("# TYPE a gauge\n") == 1
    assert [(s.labels["x"], s.value) for s in found.all("a")] == [("1", 1), ("2", 2)]
    assert found.families["a"].documentation == "First."
    assert found.value("node_textfile_scrape_error") == 1
    assert [finding.detail.rpartition("/")[2] for finding in subject.findings()] == [
        'b.prom: left out: a{x="1"} is in another file, too',
        "c.prom: left out: a is a counter here and a gauge in another file",
    ]


def test_reads_several_directories_and_patterns(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        write(tmp_path / name, **{name: f"{name} 1\n".encode()})
    subject = collector(tmp_path, tmp_path / "t*", tmp_path / "one", tmp_path / "gone")

    found = Exposition.of(subject.collect())

    assert {"one", "two", "three"} <= found.names()
    assert found.value("node_textfile_scrape_error") == 1
    [finding] = subject.findings()
    assert finding.detail == f"{tmp_path}/gone: No such file or directory"


def test_from_a_container_files_have_the_host_s_own_names(tmp_path: Path) -> None:
    folder = tmp_path / "host/var/lib/prometheus/node-exporter"
    folder.parent.mkdir(parents=True)
    write(folder, a=b"a 1\n")
    (folder / "link.prom").symlink_to("/srv/link.prom")
    (tmp_path / "host/srv").mkdir()
    (tmp_path / "host/srv/link.prom").write_bytes(b"linked 1\n")
    subject = TextfileCollector(context(tmp_path / "state", "", tmp_path / "host"))

    found = Exposition.of(subject.collect())

    assert subject.detect().found
    assert {s.labels["file"] for s in found.all("node_textfile_mtime_seconds")} == {
        "/var/lib/prometheus/node-exporter/a.prom",
        "/var/lib/prometheus/node-exporter/link.prom",
    }
    assert found.value("linked") == 1


def test_is_not_watched_where_nobody_writes_files(tmp_path: Path) -> None:
    assert not TextfileCollector(context(tmp_path, "", tmp_path)).detect().found


def test_100000_other_entries_are_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "files"
    write(folder, a=b"a 1\n")
    for number in range(100_000):
        os.close(os.open(folder / f"{number}.tmp", os.O_CREAT | os.O_WRONLY))
    os.utime(folder, (1_700_000_000, 1_700_000_000))
    subject = collector(tmp_path)
    assert Exposition.of(subject.collect()).value("a") == 1

    monkeypatch.setattr(os, "listdir", None)

    assert Exposition.of(subject.collect()).value("a") == 1


def test_what_the_exporter_has_itself_is_left_out_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(
        tmp_path / "files",
        a=b"# HELP node_load1 mine\n# TYPE node_load1 gauge\nnode_load1 77\n# HELP mine a # HELP b\nmine 1\n",
        b=b"# TYPE process_open_fds gauge\nprocess_open_fds 77\nmailserver_collector_success 77\nlast 1\n",
    )
    caplog.set_level(logging.WARNING)
    config = read_text(
        f"state_directory: {tmp_path}/state\ntextfile: {{directories: [{tmp_path}/files]}}", "config.yml", Config()
    )
    setup = app.build(config, Host(), (TextfileCollector, LoadCollector))

    found = Exposition(setup.collection.scrape(9, {"process_open_fds"}).decode())

    assert found.value("mine") == 1
    assert found.value("last") == 1
    assert found.value("node_load1") != 77
    assert found.all("process_open_fds") == []
    assert found.text.count("# TYPE mailserver_collector_success gauge") == 1
    assert found.value("node_textfile_scrape_error") == 0
    assert sum("node_load1 is left out" in record.getMessage() for record in caplog.records) == 1
    details = [finding.detail for finding in check.check(setup) if finding.subject == "textfile"]
    assert "node_load1 is not passed on, the exporter has it itself" in details
    setup.collection.close()
