"""No container more than once an hour, however many ask and whatever the clock and the file do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mailserver_exporter.restart_limit import HOUR, RestartLimit
from mailserver_exporter.sources import SourceError

NOW = 1_790_000_000.0


def test_the_first_claim_is_granted_and_the_next_after_an_hour(tmp_path: Path) -> None:
    limit = RestartLimit(tmp_path / "state")

    assert limit.claim("watchdog", NOW) == 0
    assert limit.claim("watchdog", NOW + 600) == HOUR - 600
    assert limit.claim("watchdog", NOW + HOUR - 1) == 1
    assert limit.claim("watchdog", NOW + HOUR) == 0
    assert limit.claim("watchdog", NOW + HOUR + 1) == HOUR - 1


def test_containers_have_an_hour_each(tmp_path: Path) -> None:
    limit = RestartLimit(tmp_path)

    assert limit.claim("watchdog", NOW) == 0
    assert limit.claim("acme", NOW + 5) == 0
    assert limit.claim("watchdog", NOW + 10) == HOUR - 10


def test_a_refused_claim_does_not_begin_the_hour_anew(tmp_path: Path) -> None:
    limit = RestartLimit(tmp_path)
    limit.claim("watchdog", NOW)
    for minute in range(1, 60):
        assert limit.claim("watchdog", NOW + 60 * minute) > 0

    assert limit.claim("watchdog", NOW + HOUR) == 0


def test_a_clock_that_was_set_back_costs_an_hour_and_not_a_year(tmp_path: Path) -> None:
    limit = RestartLimit(tmp_path)
    limit.claim("watchdog", NOW + 365 * 86400)

    assert limit.claim("watchdog", NOW) == HOUR
    assert limit.claim("watchdog", NOW + HOUR) == 0


def test_what_is_older_than_an_hour_is_forgotten(tmp_path: Path) -> None:
    limit = RestartLimit(tmp_path)
    for number in range(50):
        limit.claim(f"container-{number}", NOW + number * 1800)

    assert limit.file.read_text().count("container-") == 2


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": "soon"}', '{"a": null}', "[" * 100_000])
def test_a_damaged_file_grants_nothing_and_stays(content: str, tmp_path: Path) -> None:
    limit = RestartLimit(tmp_path)
    limit.file.write_text(content)

    with pytest.raises(SourceError, match="cannot use") as caught:
        limit.claim("watchdog", NOW)
    assert caught.value.remedy == f"rm {limit.file}"
    assert limit.file.read_text() == content


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    limit = RestartLimit(tmp_path)
    limit.claim("watchdog", NOW)

    assert limit.file.stat().st_mode & 0o777 == 0o600


def test_a_directory_that_cannot_be_made_grants_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        RestartLimit(tmp_path / "file" / "state").claim("watchdog", NOW)


def test_of_many_processes_one_is_granted(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from mailserver_exporter.restart_limit import RestartLimit\n"
        "sys.stdin.readline()\n"
        f"print(RestartLimit(pathlib.Path(sys.argv[1])).claim('watchdog', {NOW}))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    askers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    answers = [asker.communicate("go\n", timeout=60)[0].strip() for asker in askers]

    assert sorted(answers) == ["0.0", *["3600.0"] * 7]
