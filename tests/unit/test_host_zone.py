"""The host's time zone, whatever its file holds."""

from __future__ import annotations

import os
import random
from datetime import datetime, timezone
from pathlib import Path

import pytest

from mailserver_exporter import host_zone
from mailserver_exporter.host import Host
from mailserver_exporter.report import zone
from mailserver_exporter.settings.report import ZoneName
from mailserver_exporter.sources import SourceError

BERLIN = Path("/usr/share/zoneinfo/Europe/Berlin").read_bytes()
WINTER = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


@pytest.fixture
def localtime(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    return tmp_path / "etc/localtime"


def hours(root: Path) -> float:
    offset = WINTER.astimezone(host_zone.own_zone(Host(str(root)))).utcoffset()
    assert offset is not None
    return offset.total_seconds() / 3600


def test_the_hosts_own_zone(tmp_path: Path, localtime: Path) -> None:
    assert hours(tmp_path) == 0
    localtime.write_bytes(BERLIN)
    assert hours(tmp_path) == 1


@pytest.mark.parametrize("length", [0, 3, 5, 40, 44, 100, 500, len(BERLIN) - 10])
def test_a_file_that_was_cut_is_utc(tmp_path: Path, localtime: Path, length: int) -> None:
    localtime.write_bytes(BERLIN[:length])
    assert hours(tmp_path) == 0


def test_a_damaged_file_is_a_zone_or_utc_and_never_an_error(tmp_path: Path, localtime: Path) -> None:
    chance = random.Random(1)
    for _ in range(500):
        damaged = bytearray(BERLIN)
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(4, len(damaged))] = chance.randrange(256)
        localtime.write_bytes(damaged)
        assert abs(hours(tmp_path)) < 24


def test_what_is_no_file_or_endless_is_utc(tmp_path: Path, localtime: Path) -> None:
    localtime.mkdir()
    assert hours(tmp_path) == 0
    localtime.rmdir()
    localtime.symlink_to("/dev/zero")
    assert hours(tmp_path) == 0


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "Europe/../../passwd", "Europe/Berlin\n", "", "..", "\0"]
)
def test_a_name_leads_nowhere_else(name: str, tmp_path: Path, localtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="a time zone such as Europe/Berlin"):
        ZoneName().convert(name)
    if "\0" not in name:
        monkeypatch.setenv("TZ", name)
        assert WINTER.astimezone(host_zone.host_zone(Host(str(tmp_path)))).utcoffset() == WINTER.utcoffset()


def test_a_damaged_zone_of_the_configuration_is_told(tmp_path: Path) -> None:
    place = tmp_path / "usr/share/zoneinfo/Here/There"
    place.parent.mkdir(parents=True)
    place.write_bytes(BERLIN[:100])
    with pytest.raises(SourceError, match="there is no time zone Here/There"):
        zone.find(Host(str(tmp_path)), "Here/There")
    place.write_bytes(BERLIN)
    assert zone.find(Host(str(tmp_path)), "Here/There")[1] == "Here/There"
    assert os.listdir(place.parent) == ["There"]
