"""What `mailserver-exporter alerts` shows, on a wide screen, on a phone and to scripts."""

from __future__ import annotations

import json
import os
import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mailserver_exporter import alert_listing, cli
from mailserver_exporter.alert_history import Episode, History
from mailserver_exporter.host import Host
from mailserver_exporter.host_zone import host_zone

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 6, 50, tzinfo=BERLIN)
START = NOW - timedelta(hours=24)


def episode(minutes: float, lasted: float | None = None, **more: object) -> Episode:
    started = (NOW - timedelta(minutes=minutes)).astimezone(timezone.utc)
    ended = None if lasted is None else started + timedelta(minutes=lasted)
    values = {
        "alertname": "PortDown",
        "severity": "critical",
        "summary": "mail.example.org: 127.0.0.1:25 (smtp) does not work",
        "labels": {"alertname": "PortDown", "instance": "mail.example.org"},
        **more,
    }
    return Episode(started=started, ended=ended, told=ended or started, **values)  # type: ignore[arg-type]


EPISODES = (
    episode(1200, 12),
    episode(160, alertname="MailQueueHigh", severity="warning", summary="mail.example.org: 12 messages are queued"),
    episode(30, 5, alertname="LoadHigh", severity="info", summary="", labels={"alertname": "LoadHigh", "cpu": "0"}),
)


def test_each_alert_is_shown_with_when_how_long_how_grave_and_what() -> None:
    assert (
        alert_listing.as_text(EPISODES, START, NOW)
        == """\
2026-11-21 10:50  12m           critical  PortDown
  mail.example.org: 127.0.0.1:25 (smtp) does not work
2026-11-22 04:10  firing 2h40m  warning   MailQueueHigh
  mail.example.org: 12 messages are queued
2026-11-22 06:20  5m            info      LoadHigh
  cpu=0

3 alerts since 2026-11-21 06:50 CET, 1 still firing"""
    )


def test_a_phone_shows_no_line_that_is_wider_than_it_is() -> None:
    long = episode(10, 5, alertname="CertificateNotYetValid", summary="mail.example.org: " + "word " * 30 + "x" * 100)
    for width in (20, 34, 40, 48, 79, 200):
        text = alert_listing.as_text((*EPISODES, long), START, NOW, width)
        assert max(map(len, text.splitlines())) <= min(max(width, 36), 110)
        assert "MailQueueHigh" in text
        assert "x" * 100 in text.replace("\n  ", "")
    assert alert_listing.as_text(EPISODES, START, NOW, 40).splitlines()[4:6] == [
        "11-22 04:10  firing 2h40m  warning",
        "  MailQueueHigh",
    ]


def test_nothing_found_is_said() -> None:
    assert alert_listing.as_text((), START, NOW) == "no alert since 2026-11-21 06:50 CET"
    assert alert_listing.as_text((), START, NOW, 80, ["critical", "info"]).startswith("no critical or info alert since")


def test_a_guessed_end_is_not_told_as_if_it_was_known() -> None:
    assert "  about 12m  " in alert_listing.as_text((episode(60, 12, end_known=False),), START, NOW)


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b[2J\x1b[31mred",
        "\x1b]0;title\x07",
        "a\rb",
        "line\nbreak",
        "\u202egnirts",
        "\u2066isolate\u2069",
        "\u200eleft",
        "\u2028",
        "\x9b31m",
        "\x00\x08\x7f",
        "\ud800",
        "\ue000",
    ],
)
def test_no_text_of_a_label_reaches_the_terminal_as_more_than_a_text(hostile: str) -> None:
    found = (
        episode(10, 5, alertname=hostile, severity=hostile, summary=hostile),
        episode(9, labels={hostile: hostile}),
    )
    text = alert_listing.as_text((*found, episode(8, summary="", labels={hostile: hostile})), START, NOW)
    assert all(character.isprintable() or character == "\n" for character in text)
    assert len(text.splitlines()) == 8
    text.encode()


def test_a_summary_of_thousands_of_characters_is_cut() -> None:
    text = alert_listing.as_text((episode(10, 5, summary="word " * 800),), START, NOW)
    assert len(text) < 800
    assert "..." in text


def test_scripts_get_everything_as_it_was() -> None:
    told = json.loads(alert_listing.as_json((*EPISODES, episode(1, summary="\x1b[2J\ud800")), NOW))
    assert told[0] == {
        "alertname": "PortDown",
        "severity": "critical",
        "summary": "mail.example.org: 127.0.0.1:25 (smtp) does not work",
        "labels": {"alertname": "PortDown", "instance": "mail.example.org"},
        "started": "2026-11-21T09:50:00+00:00",
        "ended": "2026-11-21T10:02:00+00:00",
        "end_known": True,
        "seconds": 720,
    }
    assert (told[1]["ended"], told[1]["seconds"]) == (None, 9600)
    assert told[3]["summary"] == "\x1b[2J\ud800"


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("24h", START),
        ("90m", NOW - timedelta(minutes=90)),
        ("1h30m", NOW - timedelta(minutes=90)),
        ("7d", NOW - timedelta(days=7)),
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=BERLIN)),
        ("2026-11-20 14:05", datetime(2026, 11, 20, 14, 5, tzinfo=BERLIN)),
        ("2026-11-20T14:05:30", datetime(2026, 11, 20, 14, 5, 30, tzinfo=BERLIN)),
        ("06:05", datetime(2026, 11, 22, 6, 5, tzinfo=BERLIN)),
        ("14:05", datetime(2026, 11, 21, 14, 5, tzinfo=BERLIN)),
        # Summer time: the same clock, another offset.
        ("2026-07-01", datetime(2026, 6, 30, 22, tzinfo=timezone.utc)),
    ],
)
def test_since_is_a_duration_a_date_or_a_time_of_the_host(text: str, start: datetime) -> None:
    assert alert_listing.since(text, NOW) == start


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "24",
        "-1h",
        "0s",
        "2026-02-31",
        "25:00",
        "14:5",
        "2026-11-23",
        "9999999w",
        "1" * 400 + "d",
    ],
)
def test_since_says_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration such as .* or a time|is in the future"):
        alert_listing.since(text, NOW)


def test_a_day_over_the_change_of_the_clocks_has_its_hours() -> None:
    now = datetime(2026, 10, 25, 12, tzinfo=BERLIN)  # 25 h after the noon before
    assert alert_listing.since("24h", now).isoformat() == "2026-10-24T13:00:00+02:00"


def test_what_has_to_be_known_besides_is_remarked() -> None:
    file = Path("/var/lib/mailserver-exporter/alerts.jsonl")
    assert list(alert_listing.remarks(History(files=1), file)) == []
    [missing] = alert_listing.remarks(History(), file)
    assert str(file) in missing
    assert "docker compose exec exporter mailserver-exporter alerts" in missing
    damaged, left_out = alert_listing.remarks(History(files=1, damaged=1, left_out=3), file)
    assert damaged == f"1 line of {file} cannot be understood and are left out"
    assert "3 oldest alerts are left out" in left_out


def test_the_zone_is_the_hosts_unless_the_environment_names_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zones = tmp_path / "usr/share/zoneinfo"
    for name in ("Europe/Berlin", "Asia/Tokyo"):
        (zones / name).parent.mkdir(parents=True)
        shutil.copy(f"/usr/share/zoneinfo/{name}", zones / name)
    (tmp_path / "etc").mkdir()
    # As in Debian; seen from a container, the link must not lead to the container's own zones.
    (tmp_path / "etc/localtime").symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    host = Host(str(tmp_path))
    for given, expected in {
        "": "CET",
        "Asia/Tokyo": "JST",
        ":Asia/Tokyo": "JST",
        "Mars/Olympus": "CET",
        "../../etc/passwd": "CET",
        "CET-1CEST": "CET",
    }.items():
        monkeypatch.setenv("TZ", given)
        assert NOW.astimezone(host_zone(host)).tzname() == expected
    monkeypatch.delenv("TZ")
    (tmp_path / "etc/localtime").unlink()
    assert host_zone(host) == timezone.utc
    (tmp_path / "etc/localtime").write_bytes(b"no zone")
    assert host_zone(host) == timezone.utc


def test_the_command_says_where_it_has_looked_for_a_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.yml"
    config.write_text(f"state_directory: {tmp_path}\n")
    arguments = ["alerts", f"--config.file={config}"]
    assert cli.main(arguments) == 1
    out, err = capsys.readouterr()
    assert (out, f"there is no alert log {tmp_path}/alerts.jsonl: " in err) == ("", True)

    (tmp_path / "alerts.jsonl").write_text("")
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out.startswith("no alert since ")
    assert cli.main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []

    assert cli.main([*arguments, "--since=tomorrow"]) == 2
    assert "--since: 'tomorrow' is not a duration such as" in capsys.readouterr().err

    (tmp_path / "alerts.jsonl").unlink()
    os.mkfifo(tmp_path / "alerts.jsonl")
    assert cli.main(arguments) == 2
    assert capsys.readouterr().err == f"cannot read the alert log {tmp_path}/alerts.jsonl: is not a regular file\n"
