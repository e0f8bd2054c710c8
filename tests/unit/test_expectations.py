"""What was once seen is expected, across restarts and whatever happens to the file."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mailserver_exporter.expectations import Expectations


def test_remembers_across_restarts_by_kind(tmp_path: Path) -> None:
    Expectations(tmp_path).expect("jail", ["sshd", "postfix"])
    again = Expectations(tmp_path)
    assert again.expect("jail", ["sshd"]) == {"sshd", "postfix"}
    assert again.expect("mountpoint", []) == set()


def test_forgets_what_was_removed_on_purpose_while_the_exporter_runs(tmp_path: Path) -> None:
    exporter, command = Expectations(tmp_path), Expectations(tmp_path)
    exporter.expect("jail", ["sshd", "old"])
    exporter.expect("service", ["old"])

    assert command.forget("old", "jail") == ["jail"]
    assert exporter.expect("jail", ["sshd"]) == {"sshd"}
    assert exporter.expect("service", []) == {"old"}
    assert command.forget("never seen") == []


@pytest.mark.parametrize(
    "content", ["", "{", "x" * 5_000_000, "[]", '{"jail": 5}', "\x00" * 1000, "[" * 10**6, '{"jail": {"a": [1]}}']
)
def test_a_damaged_file_is_told_and_learnt_anew(tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "expected.json").write_text(content)
    expectations = Expectations(tmp_path)
    assert "sshd" in expectations.expect("jail", ["sshd"])
    assert json.loads((tmp_path / "expected.json").read_text())["jail"]
    if "expected.json" in caplog.text:
        assert (tmp_path / "expected.json.damaged").read_text() == content
    assert "expected.json" in caplog.text or content == '{"jail": {"a": [1]}}'


def test_a_state_directory_that_cannot_be_written_is_told_once_and_memory_serves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a directory")
    expectations = Expectations(tmp_path / "file")
    assert expectations.expect("jail", ["a"]) == {"a"}
    assert expectations.expect("jail", ["b"]) == {"a", "b"}
    assert expectations.expect("jail", []) == {"a", "b"}
    assert "cannot" in expectations.problem
    assert len(caplog.records) <= 2
    with pytest.raises(OSError, match="cannot"):
        expectations.forget("a")


def test_what_could_not_be_written_is_written_once_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailserver_exporter.expectations._RETRY_SECONDS", 0.0)
    Expectations(tmp_path).expect("jail", ["old"])
    (tmp_path / "expected.lock").unlink()
    (tmp_path / "expected.lock").mkdir()
    expectations = Expectations(tmp_path)
    assert expectations.expect("jail", ["new"]) == {"old", "new"}
    assert "cannot remember" in expectations.problem

    (tmp_path / "expected.lock").rmdir()

    assert expectations.expect("port", []) == set()
    assert expectations.problem == ""
    assert Expectations(tmp_path).everything() == {"jail": ["new", "old"]}


def test_a_file_that_is_damaged_while_the_exporter_runs_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailserver_exporter.expectations._RETRY_SECONDS", 0.0)
    expectations = Expectations(tmp_path)
    expectations.expect("jail", ["sshd"])

    (tmp_path / "expected.json").write_text("half a")

    assert expectations.expect("jail", []) == {"sshd"}
    assert expectations.problem == ""
    assert Expectations(tmp_path).everything() == {"jail": ["sshd"]}


def test_nothing_is_written_when_nothing_changes(tmp_path: Path) -> None:
    expectations = Expectations(tmp_path)
    expectations.expect("jail", ["a"])
    before = (tmp_path / "expected.json").stat()
    for _ in range(3):
        expectations.expect("jail", ["a"])
    after = (tmp_path / "expected.json").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_two_processes_and_many_threads_lose_nothing(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from mailserver_exporter.expectations import Expectations\n"
        "e = Expectations(Path(sys.argv[1]))\n"
        "for n in range(60): e.expect('other', [f'o{n}'])\n"
    )
    exporter = Path(__file__).parents[2] / "exporter"
    other = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], env={"PYTHONPATH": str(exporter)})
    expectations = Expectations(tmp_path)
    threads = [
        threading.Thread(target=lambda k=k: [expectations.expect(f"kind{k}", [f"n{n}"]) for n in range(20)])
        for k in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert other.wait(30) == 0
    known = Expectations(tmp_path).everything()
    assert {kind: len(names) for kind, names in known.items()} == {"kind0": 20, "kind1": 20, "kind2": 20, "other": 60}
