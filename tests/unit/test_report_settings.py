"""What the configuration may say of the daily report, and where its time zone comes from."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import pytest

from mailserver_exporter.config import Config, ConfigError
from mailserver_exporter.host import Host
from mailserver_exporter.report import ordering, zone
from mailserver_exporter.schema import read_text
from mailserver_exporter.sources import SourceError

EMAIL = "notifications: {email: {to: [you@example.net], sender: watch@example.net}}\n"


def read(text: str) -> Config:
    return read_text(text, "config.yml", Config())


def problem(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text)
    [found] = caught.value.problems
    return str(found)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("02:00", "02:00"), ("6:30", "06:30"), ("12:30", "12:30"), ("'23:59'", "23:59"), ("00:00", "00:00")],
)
def test_a_time_of_day_may_be_written_as_people_do(written: str, meant: str) -> None:
    """YAML 1.1 takes 12:30 for the number 750."""
    assert read(f"report: {{at: {written}}}").report.at == meant


@pytest.mark.parametrize("written", ["24:00", "2", "0200", "750", "02:60", "2:00pm", "''", "02:00:00", "true"])
def test_what_is_no_time_of_day_is_told(written: str) -> None:
    assert "must be a time of day from 00:00 to 23:59, not" in problem(f"report: {{at: {written}}}")


def test_a_time_zone_that_does_not_exist_is_told_when_the_file_is_read() -> None:
    told = problem("report:\n  time_zone: Europe/Bonn\n")
    assert told == (
        "config.yml:2: report.time_zone: must be a time zone such as Europe/Berlin, "
        "as `timedatectl list-timezones` lists them, not 'Europe/Bonn'"
    )


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/localtime", "Europe", "CEST", "zone.tab", "''", "5"])
def test_what_is_no_name_of_a_zone_is_refused(name: str) -> None:
    assert "must be a time zone such as Europe/Berlin" in problem(f"report: {{time_zone: {name}}}")


def test_the_zones_of_the_host_serve_where_the_container_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "usr/share/zoneinfo/Middle-earth"
    folder.mkdir(parents=True)
    shutil.copyfile("/usr/share/zoneinfo/Asia/Kathmandu", folder / "Rivendell")
    monkeypatch.setenv("MAILSERVER_EXPORTER_PATH_ROOTFS", str(tmp_path))
    name = read("report: {time_zone: Middle-earth/Rivendell}").report.time_zone
    found, called = zone.find(Host(str(tmp_path)), name)
    assert called == name
    assert f"{datetime(2026, 11, 22, tzinfo=found):%z}" == "+0545"


def test_a_zone_that_has_vanished_since_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no time zone Europe/Bonn") as caught:
        zone.find(Host(str(tmp_path)), "Europe/Bonn")
    assert caught.value.remedy == "apt-get install tzdata, or see report.time_zone"


def test_without_a_zone_it_is_the_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TZ", raising=False)
    (tmp_path / "etc").mkdir()
    (tmp_path / "usr/share/zoneinfo/Asia").mkdir(parents=True)
    shutil.copyfile("/usr/share/zoneinfo/Asia/Kathmandu", tmp_path / "usr/share/zoneinfo/Asia/Kathmandu")
    (tmp_path / "etc/localtime").symlink_to("/usr/share/zoneinfo/Asia/Kathmandu")
    found, called = zone.find(Host(str(tmp_path)), None)
    assert called == "Asia/Kathmandu"
    assert f"{datetime(2026, 11, 22, tzinfo=found):%z}" == "+0545"


def test_the_report_goes_to_its_own_addressees_or_to_those_of_the_alerts() -> None:
    assert ordering.settings(read(EMAIL)).to == ("you@example.net",)
    assert ordering.settings(read(f"{EMAIL}report: {{to: [other@example.net]}}")).to == ("other@example.net",)
    assert "report.to: must be an e-mail address, not 'nobody'" in problem(f"{EMAIL}report: {{to: [nobody]}}")


def test_without_a_mail_server_it_is_told_what_to_set() -> None:
    with pytest.raises(SourceError, match="no mail server") as caught:
        ordering.settings(Config())
    assert caught.value.remedy == "set notifications.email, or report.enabled: false"


def test_prometheus_is_where_the_configuration_says_then_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAILSERVER_EXPORTER_PROMETHEUS_URL", raising=False)
    assert ordering.prometheus_url(Config()) == "http://127.0.0.1:9090"
    monkeypatch.setenv("MAILSERVER_EXPORTER_PROMETHEUS_URL", "http://127.0.0.1:1234")
    assert ordering.prometheus_url(Config()) == "http://127.0.0.1:1234"
    told = read("report: {prometheus_url: 'https://prometheus.example.org/x'}")
    assert ordering.prometheus_url(told) == "https://prometheus.example.org/x"
