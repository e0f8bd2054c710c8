"""Reading the alert log back: which alerts fired when, whatever became of their lines."""

from __future__ import annotations

import json
import os
import time
import tracemalloc
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from mailserver_exporter import alert_history
from mailserver_exporter.alert_history import Episode
from mailserver_exporter.alert_log import AlertLogFile, parse
from mailserver_exporter.settings.notifications import AlertLog

NOW = datetime.now(timezone.utc).replace(microsecond=0)
START, END = NOW - timedelta(hours=24), NOW
SETTINGS = AlertLog()


def ago(**since: float) -> datetime:
    return NOW - timedelta(**since)


def record(status: str, started: datetime, told: datetime, ended: datetime | None = None, **more: Any) -> bytes:
    """Return one line as alert_log.py writes it."""
    name = more.pop("alertname", "PortDown")
    entry = {
        "time": told.isoformat(timespec="milliseconds"),
        "status": status,
        "alertname": name,
        "severity": "critical",
        "starts_at": f"{started:%Y-%m-%dT%H:%M:%S}.606123456Z",
        "ends_at": f"{ended:%Y-%m-%dT%H:%M:%S}Z" if ended else None,
        "labels": {"alertname": name, "instance": "mail.example.org"},
        "annotations": {"summary": "port 25 does not work"},
        "fingerprint": name,
        **more,
    }
    return json.dumps(entry).encode() + b"\n"


def fired(started: datetime, **more: Any) -> bytes:
    return record("firing", started, more.pop("told", started), **more)


def resolved(started: datetime, ended: datetime, **more: Any) -> bytes:
    return record("resolved", started, more.pop("told", ended), ended, **more)


def history(folder: Path, *lines: bytes, start: datetime = START, end: datetime = END) -> alert_history.History:
    path = folder / "alerts.jsonl"
    path.write_bytes(b"".join(lines))
    return alert_history.read(path, SETTINGS, start, end)


def only(found: alert_history.History) -> Episode:
    [episode] = found.episodes
    return episode


def minutes(episode: Episode) -> float:
    return round(episode.lasted(NOW).total_seconds() / 60)


def test_the_first_command_to_run_is_kept(tmp_path: Path) -> None:
    told = {"summary": "port 25 does not work", "action": "docker ps"}
    assert only(history(tmp_path, fired(ago(hours=1), annotations=told))).action == "docker ps"
    assert only(history(tmp_path, fired(ago(hours=1)))).action == ""


def test_what_the_exporter_has_written_is_read_back(tmp_path: Path) -> None:
    labels = {"alertname": "PortDown", "instance": "mail.example.org", "severity": "critical", "target": "127.0.0.1:25"}
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": "port 25 does not work", "description": "no mail comes in"},
        "startsAt": ago(hours=3).isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "b4d0b1a2c3d4e5f6",
    }
    log = AlertLogFile(tmp_path / "alerts.jsonl", SETTINGS)
    log.append(parse(json.dumps({"alerts": [alert]}).encode()))
    over = {**alert, "status": "resolved", "endsAt": ago(hours=1).isoformat()}
    log.append(parse(json.dumps({"alerts": [over]}).encode()))

    [episode] = alert_history.episodes(log.path, SETTINGS, START, END)

    assert (episode.alertname, episode.severity, episode.labels) == ("PortDown", "critical", labels)
    assert episode.summary == "port 25 does not work"
    assert (episode.started, episode.ended, episode.end_known) == (ago(hours=3), ago(hours=1), True)
    assert episode.lasted(NOW) == timedelta(hours=2)


def test_one_that_fires_has_no_end_and_lasts_until_now(tmp_path: Path) -> None:
    episode = only(history(tmp_path, fired(ago(minutes=30))))
    assert episode.ended is None
    assert minutes(episode) == 30


def test_repetitions_of_one_firing_are_one_episode(tmp_path: Path) -> None:
    start = ago(hours=5)
    lines = [fired(start), fired(start, told=ago(hours=4)), fired(start, told=ago(hours=3))]
    episode = only(history(tmp_path, *lines))
    assert (episode.ended, episode.told) == (None, ago(hours=3))
    assert minutes(only(history(tmp_path, *lines, resolved(start, ago(hours=2))))) == 180


def test_the_end_tells_the_beginning_where_its_line_is_lost(tmp_path: Path) -> None:
    episode = only(history(tmp_path, resolved(ago(hours=2), ago(hours=1))))
    assert minutes(episode) == 60
    assert episode.summary == "port 25 does not work"


def test_what_was_said_when_it_fired_is_kept(tmp_path: Path) -> None:
    first = fired(ago(hours=2), annotations={"summary": "51 messages are queued"})
    last = resolved(ago(hours=2), ago(hours=1), annotations={"summary": "11 messages are queued"})
    assert only(history(tmp_path, first, last)).summary == "51 messages are queued"


def test_firing_anew_is_another_episode(tmp_path: Path) -> None:
    lines = [fired(ago(hours=4)), resolved(ago(hours=4), ago(hours=3)), fired(ago(hours=2))]
    first, second = history(tmp_path, *lines).episodes
    assert (first.ended, second.ended) == (ago(hours=3), None)


def test_an_end_that_was_not_told_is_no_later_than_the_next_beginning(tmp_path: Path) -> None:
    lines = [fired(ago(hours=4)), fired(ago(hours=2)), resolved(ago(hours=2), ago(hours=1))]
    first, second = history(tmp_path, *lines).episodes
    assert (minutes(first), first.end_known) == (120, False)
    assert (minutes(second), second.end_known) == (60, True)


def test_two_alerts_at_once_are_kept_apart_by_their_fingerprints(tmp_path: Path) -> None:
    start = ago(hours=2)
    lines = [fired(start), fired(start, alertname="LoadHigh"), resolved(start, ago(hours=1))]
    ended = {episode.alertname: episode.ended for episode in history(tmp_path, *lines).episodes}
    assert ended == {"PortDown": ago(hours=1), "LoadHigh": None}


def test_without_fingerprints_the_labels_tell_them_apart(tmp_path: Path) -> None:
    one, other = ({"alertname": "PortDown", "target": target} for target in ("a", "b"))
    lines = [
        fired(ago(hours=2), fingerprint="", labels=one),
        fired(ago(hours=2), fingerprint="", labels=other),
        resolved(ago(hours=2), ago(hours=1), fingerprint="", labels=dict(reversed(list(other.items())))),
    ]
    ended = {episode.labels["target"]: episode.ended for episode in history(tmp_path, *lines).episodes}
    assert ended == {"a": None, "b": ago(hours=1)}


def test_only_what_overlaps_the_period_is_returned_in_order(tmp_path: Path) -> None:
    spans = {
        "Before": (50, 25),
        "IntoIt": (30, 20),
        "Across": (40, 1),
        "Within": (10, 9),
        "After": (1, 0.5),
    }
    lines = []
    for name, (start, end) in spans.items():
        lines += [fired(ago(hours=start), alertname=name), resolved(ago(hours=start), ago(hours=end), alertname=name)]
    found = history(tmp_path, *lines, end=ago(hours=2)).episodes
    assert [episode.alertname for episode in found] == ["Across", "IntoIt", "Within"]


def test_the_watchdog_is_no_alert(tmp_path: Path) -> None:
    assert history(tmp_path, fired(ago(hours=2), alertname="Watchdog", severity="none")).episodes == ()


def test_one_that_began_before_the_period_and_goes_on_is_found_by_its_beginning(tmp_path: Path) -> None:
    assert minutes(only(history(tmp_path, fired(ago(days=5))))) == 5 * 24 * 60


def test_one_that_was_not_repeated_for_a_week_does_not_fire_any_more(tmp_path: Path) -> None:
    assert history(tmp_path, fired(ago(days=8))).episodes == ()
    episode = only(history(tmp_path, fired(ago(days=8)), start=ago(days=9)))
    assert (episode.ended, episode.end_known) == (ago(days=8) + timedelta(microseconds=606123), False)
    still = history(tmp_path, fired(ago(days=8)), fired(ago(days=8), told=ago(days=3))).episodes
    assert [episode.ended for episode in still] == [None]


@pytest.mark.parametrize(
    "line",
    [
        b'{"time": "2026-11-22T00:4',
        b"not JSON",
        b"\0" * 300,
        b"\xff\xfe{}",
        b"[]",
        b"17",
        b"null",
        b'{"status": "firing"}',
        b"[" * 100_000,
        fired(NOW, starts_at="yesterday").strip(),
        fired(NOW, starts_at=17).strip(),
        fired(NOW, starts_at="2026-02-31T00:00:00Z").strip(),
        record("pending", NOW, NOW).strip(),
        fired(NOW, labels=["alertname"]).strip(),
        fired(NOW, labels={"alertname": 1}).strip(),
        fired(NOW, annotations=None).strip(),
        record("firing", NOW, datetime(1, 1, 1, tzinfo=timezone.utc)).strip(),
    ],
)
def test_what_is_no_record_is_counted_and_hides_no_other(tmp_path: Path, line: bytes) -> None:
    found = history(tmp_path, fired(ago(hours=2)), line + b"\n", resolved(ago(hours=2), ago(hours=1)))
    assert found.damaged == 1
    assert minutes(only(found)) == 60


def test_a_line_of_many_megabytes_is_one_damaged_line(tmp_path: Path) -> None:
    tracemalloc.start()
    found = history(tmp_path, fired(ago(hours=2)), b'{"a": "' + b"x" * 20_000_000 + b'"}\n', fired(ago(hours=1)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found.damaged, len(found.episodes)) == (1, 2)
    assert peak < 50_000_000  # of which the test itself has 40


def test_the_last_line_needs_no_end(tmp_path: Path) -> None:
    found = history(tmp_path, fired(ago(hours=2)).strip())
    assert (found.damaged, len(found.episodes)) == (0, 1)


def test_times_are_read_as_alertmanager_writes_them(tmp_path: Path) -> None:
    for text, expected in {
        "2026-11-22T00:44:20Z": (2026, 11, 22, 0, 44, 20, 0),
        "2026-11-22T00:44:20.6Z": (2026, 11, 22, 0, 44, 20, 600000),
        "2026-11-22T00:44:20.606123456+01:00": (2026, 11, 21, 23, 44, 20, 606123),
        "2026-11-22T00:44:20-05:30": (2026, 11, 22, 6, 14, 20, 0),
    }.items():
        started = datetime(*expected, tzinfo=timezone.utc)
        line = fired(NOW, starts_at=text, told=started)
        found = history(tmp_path, line, start=started - timedelta(days=1), end=started + timedelta(days=1))
        assert only(found).started == started


def test_an_end_before_its_beginning_is_no_negative_time(tmp_path: Path) -> None:
    assert minutes(only(history(tmp_path, resolved(ago(hours=1), ago(hours=2), told=NOW)))) == 0


def test_rotated_files_are_read_oldest_first(tmp_path: Path) -> None:
    log = AlertLogFile(tmp_path / "alerts.jsonl", AlertLog(max_bytes=10_000, keep=5))
    for number in range(40, 0, -1):
        name = f"Alert{number}"
        log.append([json.loads(fired(ago(minutes=number), alertname=name, annotations={"summary": "x" * 500}))])
        log.append([json.loads(resolved(ago(minutes=number), ago(minutes=number - 1), alertname=name))])
    assert len(list(tmp_path.iterdir())) > 2
    found = alert_history.read(log.path, SETTINGS, START, END)
    assert [episode.alertname for episode in found.episodes] == [f"Alert{number}" for number in range(40, 0, -1)]
    assert all(minutes(episode) == 1 and episode.summary for episode in found.episodes)
    assert found.files == len(list(tmp_path.iterdir()))


def test_a_file_that_was_not_written_to_for_long_is_not_read(tmp_path: Path) -> None:
    old = tmp_path / "alerts.jsonl.1"
    old.write_bytes(b"damaged\n")
    found = history(tmp_path, fired(ago(hours=2)))
    assert (found.files, found.damaged) == (2, 1)
    long_ago = ago(days=8).timestamp()
    os.utime(old, (long_ago, long_ago))
    assert history(tmp_path, fired(ago(hours=2))).damaged == 0


def test_no_log_is_no_error_and_one_that_cannot_be_read_is(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    assert alert_history.read(path, SETTINGS, START, END) == alert_history.History()
    os.mkfifo(path)
    with pytest.raises(OSError, match="not a regular file"):
        alert_history.read(path, SETTINGS, START, END)
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        alert_history.read(path, SETTINGS, START, END)


def test_a_log_full_of_long_and_hostile_labels_is_read_within_bounds(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    with path.open("wb") as file:
        for number in range(3000):
            labels = {"alertname": "PortDown", "target": "\N{PILE OF POO}" * 4000}
            file.write(fired(ago(hours=2), alertname=str(number), labels=labels))
    assert path.stat().st_size > 60_000_000
    tracemalloc.start()
    began = time.process_time()
    found = alert_history.read(path, SETTINGS, START, END)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.episodes) + found.left_out == 3000
    assert found.episodes[-1].alertname == "2999"
    assert peak < 50_000_000
    assert time.process_time() - began < 60


def test_many_alerts_of_the_usual_kind_are_all_there(tmp_path: Path) -> None:
    lines = [fired(ago(seconds=number), alertname=str(number)) for number in range(4000, 0, -1)]
    found = history(tmp_path, *lines)
    assert (len(found.episodes), found.left_out) == (4000, 0)
