"""Programs of unpacked packages find their files where they were unpacked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import relocate


def unpacked(root: Path) -> Path:
    """Make what dpkg -x leaves; the program is a script that reads the compiled-in path, as the real one does."""
    program = root / "usr/bin/prometheus"
    program.parent.mkdir(parents=True)
    program.write_bytes(b"\x7fELF" + b"\0" * 100 + b"/usr/share/prometheus/web\0" * 2)
    files = root / "usr/share/prometheus"
    files.mkdir(parents=True)
    (files / "page.html").write_text("the page")
    return program


def test_the_path_is_replaced_by_one_of_the_same_length(tmp_path: Path) -> None:
    before = unpacked(tmp_path).read_bytes()
    relocate.relocate(tmp_path)
    after = (tmp_path / "usr/libexec/relocated/prometheus").read_bytes()
    assert len(after) == len(before)
    assert after == before.replace(b"/usr/share/prometheus", b"/proc/self/fd/7//////")


def test_the_script_opens_the_folder_for_the_program_wherever_it_is_moved_to(tmp_path: Path) -> None:
    first, second = tmp_path / "a folder", tmp_path / "another"
    program = unpacked(first)
    relocate.relocate(first)
    (first / "usr/libexec/relocated/prometheus").write_text(
        '#!/bin/sh\ncat /proc/self/fd/7//////page.html; echo "$@"\n'
    )
    first.rename(second)
    program = second / "usr/bin/prometheus"
    done = subprocess.run([program, "one", "two words"], capture_output=True, text=True, check=True)
    assert done.stdout == "the pageone two words\n"


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    program = unpacked(tmp_path)
    relocate.relocate(tmp_path)
    first = program.read_bytes()
    relocate.relocate(tmp_path)
    assert program.read_bytes() == first
    assert (tmp_path / "usr/libexec/relocated/prometheus").read_bytes().startswith(b"\x7fELF")
