"""The alert log: what is taken, what a line holds, and how the file grows."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from mailserver_exporter.alert_log import AlertLogFile, PayloadError, parse
from mailserver_exporter.settings.notifications import AlertLog

# What Alertmanager 0.25 posts (webhook_config), recorded with `nc -l` behind a receiver, shortened.
PAYLOAD: dict[str, Any] = {
    "receiver": "log",
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "PortDown", "instance": "mail.example.org", "severity": "critical"},
            "annotations": {"summary": "mail.example.org: 127.0.0.1:25 (smtp) does not work"},
            "startsAt": "2026-11-22T00:44:20.606Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://localhost:9090/graph?g0.expr=x",
            "fingerprint": "b4d0b1a2c3d4e5f6",
        },
        {
            "status": "resolved",
            "labels": {"alertname": "LoadHigh", "instance": "mail.example.org"},
            "annotations": {},
            "startsAt": "2026-11-22T00:40:00Z",
            "endsAt": "2026-11-22T00:44:00Z",
        },
    ],
    "groupLabels": {},
    "commonLabels": {},
    "commonAnnotations": {},
    "externalURL": "http://localhost:9093",
    "version": "4",
    "groupKey": "{}:{}",
    "truncatedAlerts": 0,
}


def log(folder: Path, **settings: int) -> AlertLogFile:
    return AlertLogFile(folder / "log" / "alerts.jsonl", AlertLog(**settings))


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().split("\n") if line]


def test_makes_a_record_of_each_alert() -> None:
    firing, resolved = parse(json.dumps(PAYLOAD).encode())
    assert firing.pop("time").endswith("+00:00")
    assert firing == {
        "status": "firing",
        "alertname": "PortDown",
        "severity": "critical",
        "starts_at": "2026-11-22T00:44:20.606Z",
        "ends_at": None,
        "labels": {"alertname": "PortDown", "instance": "mail.example.org", "severity": "critical"},
        "annotations": {"summary": "mail.example.org: 127.0.0.1:25 (smtp) does not work"},
        "fingerprint": "b4d0b1a2c3d4e5f6",
    }
    assert (resolved["status"], resolved["severity"], resolved["ends_at"]) == ("resolved", "", "2026-11-22T00:44:00Z")


@pytest.mark.parametrize(
    "payload",
    [
        *(b"", b"\xff\xfe", b"null", b"[]", b"{}", b"[" * 100_000, b'{"alerts": {}', b'{"alerts": 5}'),
        *(b'{"alerts": [null]}', b'{"alerts": [{"status": "firing"}]}', b'{"alerts": ["x"]}'),
        json.dumps({"alerts": [{**PAYLOAD["alerts"][0], "labels": {"a": 1}}]}).encode(),
        json.dumps({"alerts": [{**PAYLOAD["alerts"][0], "annotations": None}]}).encode(),
        json.dumps({"alerts": [{**PAYLOAD["alerts"][0], "startsAt": {}}]}).encode(),
    ],
)
def test_refuses_what_alertmanager_does_not_send(payload: bytes) -> None:
    with pytest.raises(PayloadError, match="not an Alertmanager webhook payload"):
        parse(payload)


def test_a_record_is_one_line_whatever_is_in_it(tmp_path: Path) -> None:
    nasty = 'a\nb\r\n"\u2028\ud800\x00{' + "x" * 100_000
    alert = {**PAYLOAD["alerts"][0], "labels": {"alertname": nasty, nasty: nasty}, "annotations": {"summary": nasty}}
    file = log(tmp_path)
    file.append(parse(json.dumps({"alerts": [alert, alert]}).encode()))
    assert file.path.read_bytes().count(b"\n") == 2
    for record in read(file.path):
        assert record["alertname"].startswith('a\nb\r\n"\u2028?\x00{x')
        assert len(record["alertname"]) == 4000


def test_makes_its_folder_and_hides_the_file_from_strangers(tmp_path: Path) -> None:
    file = log(tmp_path)
    file.append([{"n": 1}])
    file.append([{"n": 2}, {"n": 3}])
    assert [record["n"] for record in read(file.path)] == [1, 2, 3]
    assert stat.S_IMODE(file.path.stat().st_mode) & 0o007 == 0


def test_old_files_are_kept_in_order_up_to_the_number_set(tmp_path: Path) -> None:
    file = log(tmp_path, max_bytes=10_000, keep=3)
    for number in range(600):
        file.append([{"n": number, "text": "x" * 80}])
    assert sorted(path.name for path in file.path.parent.iterdir()) == [
        "alerts.jsonl",
        "alerts.jsonl.1",
        "alerts.jsonl.2",
        "alerts.jsonl.3",
    ]
    for path in file.path.parent.iterdir():
        assert path.stat().st_size <= 10_000
    names = ("alerts.jsonl.3", "alerts.jsonl.2", "alerts.jsonl.1", "alerts.jsonl")
    numbers = [record["n"] for name in names for record in read(file.path.with_name(name))]
    assert numbers == list(range(numbers[0], 600))
    assert len(numbers) > 300


def test_what_is_larger_than_a_file_may_be_is_kept_all_the_same(tmp_path: Path) -> None:
    file = log(tmp_path, max_bytes=10_000)
    file.append([{"n": 1, "text": "x" * 50_000}])
    file.append([{"n": 2}])
    assert [record["n"] for record in read(file.path)] == [2]
    assert [record["n"] for record in read(file.path.with_name("alerts.jsonl.1"))] == [1]


def test_a_line_that_was_cut_short_does_not_spoil_the_next(tmp_path: Path) -> None:
    file = log(tmp_path)
    file.append([{"n": 1}])
    with file.path.open("ab") as torn:
        torn.write(b'{"n": 2, "tex')
    file.append([{"n": 3}])
    assert file.path.read_text() == '{"n": 1}\n{"n": 2, "tex\n{"n": 3}\n'


def test_what_could_not_be_flushed_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = log(tmp_path)
    file.append([{"n": 1}])

    def broken_disk(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", broken_disk)
        with pytest.raises(OSError, match="Input/output error"):
            file.append([{"n": 2}])
    file.append([{"n": 3}])
    assert [record["n"] for record in read(file.path)] == [1, 3]


def test_returns_only_after_the_line_is_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = log(tmp_path)
    flushed = []
    real = os.fsync

    def watched(descriptor: int) -> None:
        real(descriptor)
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        flushed.append((path.name, path.read_text() if path.is_file() else ""))

    monkeypatch.setattr(os, "fsync", watched)
    file.append([{"n": 1}])
    assert flushed == [("log", ""), ("alerts.jsonl", '{"n": 1}\n')]
