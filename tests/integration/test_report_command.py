"""``mailserver-exporter report``: now, for a look, and for cron."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.processes import free_port
from tests.support.report_post import PASSWORD, TO, Post, post
from tests.support.tools import ROOT


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Post]:
    with post(tmp_path) as found:
        yield found


def report(place: Post, *arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    config = place.folder / "config.yml"
    config.write_text(yaml.safe_dump({**place.settings(), **settings}))
    result = subprocess.run(
        [sys.executable, "-m", "mailserver_exporter", "report", f"--config.file={config}", *arguments],
        capture_output=True,
        check=False,
        text=True,
        timeout=100,
        env={**os.environ, "PYTHONPATH": str(ROOT / "exporter")},
    )
    assert PASSWORD not in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    return result


def test_one_is_sent_now_each_time_with_a_message_id_of_its_own(place: Post) -> None:
    for _ in range(2):
        result = report(place)
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.startswith(f"sent to {', '.join(TO)}: ")
    first, second = place.messages()
    assert first["Message-ID"] != second["Message-ID"]
    assert not place.outbox.file.exists()


@pytest.mark.parametrize(
    ("settings", "answers", "told", "remedy"),
    [
        ({}, {"AUTH": "535 5.7.8 Username and Password not accepted. - gsmtp"}, "not accepted", "app password"),
        ({"port": True}, {}, "nothing listens on 127.0.0.1", "is it the right port?"),
        ({}, {TO[0]: "550 5.1.1 no such user"}, "no such user", "notifications.email.to"),
    ],
)
def test_what_keeps_it_from_being_sent_is_told_with_what_to_do(
    place: Post, settings: dict[str, object], answers: dict[str, str], told: str, remedy: str
) -> None:
    place.script.answers.update(answers)  # type: ignore[attr-defined]
    if settings:
        place.script.port = free_port()
    result = report(place)
    assert result.returncode == 1
    assert f"not sent to {TO[0]}: " in result.stderr
    assert told in result.stderr
    assert remedy in result.stderr.partition("to mend it: ")[2]


def test_it_is_written_for_a_look_and_nothing_is_sent(place: Post, tmp_path: Path) -> None:
    result = report(place, "--output", str(tmp_path / "a/b"), "--language", "de", "--from", "7d")
    assert (result.returncode, result.stderr) == (0, "")
    written = result.stdout.splitlines()
    assert [Path(name).name for name in written[:3]] == ["report.html", "report.txt", "report.eml"]
    assert all(Path(name).stat().st_size for name in written)
    assert sorted(map(str, (tmp_path / "a/b").iterdir())) == sorted(written)
    assert "Erstellt von mailserver-exporter" in (tmp_path / "a/b/report.txt").read_text()
    assert place.script.said == []


def test_it_is_written_where_no_mail_server_is_configured(place: Post, tmp_path: Path) -> None:
    result = report(place, "--output", str(tmp_path / "out"), notifications={})
    assert result.returncode == 0
    assert [Path(name).name for name in result.stdout.splitlines()[:2]] == ["report.html", "report.txt"]


def test_it_cannot_be_written_onto_a_file(place: Post, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = report(place, "--output", str(tmp_path / "file"))
    assert result.returncode == 2
    assert result.stderr.startswith("no report: ")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--from", "2026-11-20", "--to", "2026-11-19"], "--from (2026-11-20 00:00) must be before --to (2026-11-19"),
        (["--from", "40d"], "a report is of 5 minutes to 31 days, not of 40 days"),
        (["--from", "10s"], "a report is of 5 minutes to 31 days, not of 0:00:10"),
        (["--from", "yesterday"], "--from: 'yesterday' is not "),
        (["--from", "99999999999999d"], "--from: '99999999999999d' is not "),
        (["--to", "2999-01-01"], "--to: '2999-01-01' is in the future"),
        (["--if-due", "--from", "7d"], "--if-due is for the daily report as it is configured"),
        (["--if-due", "--output", "/nowhere"], "--if-due is for the daily report as it is configured"),
        (["--language", "fr"], "invalid choice: 'fr'"),
        (["--prometheus.url", "localhost"], "'localhost' is not a URL"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_done(place: Post, arguments: list[str], told: str) -> None:
    result = report(place, *arguments)
    assert result.returncode == 2
    assert told in result.stderr
    assert place.script.said == []


def test_without_a_mail_server_it_is_told_what_to_set(place: Post) -> None:
    result = report(place, notifications={})
    assert result.returncode == 2
    assert "set notifications.email" in result.stderr


def test_cron_sends_the_daily_one_once(place: Post) -> None:
    assert report(place, "--if-due").stdout.startswith("no report is due yet; the next one is due at 2")
    place.make_due()
    assert report(place, "--if-due").stdout.startswith(f"sent to {', '.join(TO)}; the next one is due at")
    for _ in range(2):
        result = report(place, "--if-due")
        assert result.returncode == 0
        assert result.stdout.startswith("no report is due: the newest one was sent; the next one is due at")
    assert len(place.messages()) == 1


def test_cron_and_the_exporter_share_what_was_sent(place: Post) -> None:
    place.make_due()
    assert place.run()["state"]["letter"]["done"]
    assert report(place, "--if-due").returncode == 0
    assert len(place.messages()) == 1


def test_cron_is_told_what_was_not_sent_and_tries_again_each_time(place: Post) -> None:
    place.make_due()
    place.script.answers["MAIL"] = "451 4.3.0 Try again later"  # type: ignore[index]
    result = report(place, "--if-due")
    assert result.returncode == 1
    assert f"not sent to {TO[0]}: 451 4.3.0 Try again later" in result.stderr
    del place.script.answers["MAIL"]  # type: ignore[attr-defined]
    assert report(place, "--if-due").returncode == 0
    assert len(place.messages()) == 1


def test_cron_sends_nothing_where_that_cannot_be_noted(place: Post, tmp_path: Path) -> None:
    """It would send it each time."""
    place.make_due()
    (tmp_path / "file").touch()
    result = report(place, "--if-due", state_directory=str(tmp_path / "file"))
    assert result.returncode == 2
    assert "Not a directory" in result.stderr
    assert place.script.said == []


def test_on_a_terminal_it_says_what_it_does(place: Post) -> None:
    leader, follower = os.openpty()
    config = place.folder / "config.yml"
    config.write_text(yaml.safe_dump(place.settings()))
    command = [sys.executable, "-m", "mailserver_exporter", "report", f"--config.file={config}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "exporter")}
    try:
        subprocess.run(command, stderr=follower, stdout=subprocess.DEVNULL, timeout=100, env=environment, check=True)
        said = os.read(leader, 65536).decode()
    finally:
        os.close(leader)
        os.close(follower)
    assert f"asking Prometheus at {place.prometheus.url} about mail.example.org" in said
    assert f"{place.script.address}: auth" in said
