"""Alertmanager's and Prometheus' files from config.yml."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from mailserver_exporter import cli, render, resources
from mailserver_exporter.config import Config, ConfigError
from mailserver_exporter.schema import read_text
from tests.support.tools import ROOT

TOKEN = "123456789:AAabc-def_ghi"
FULL = """
hostname: mail.example.org
notifications:
  throttle: {throttle}
  telegram: {{bot_token_file: {folder}/token, chat_id: -1001234567890}}
  email:
    to: [admin@example.net, second@example.net]
    sender: watch@example.net
    smarthost: {smarthost}
    username: watch@example.net
    password_file: {folder}/password
  heartbeat: {{url_file: {folder}/heartbeat}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text(TOKEN + "\n")
    (tmp_path / "password").write_text("abcd efgh: {{x}} #'\"\n")
    (tmp_path / "heartbeat").write_text("https://heartbeat.example/ping/0123\n")
    return tmp_path


def full(folder: Path, throttle: str = "1h", smarthost: str = "smtp.gmail.com:587") -> str:
    return FULL.format(folder=folder, throttle=throttle, smarthost=smarthost)


def alertmanager(text: str) -> dict[str, Any]:
    config = read_text(text, "config.yml", Config())
    secrets = render.read_secrets(config.notifications, "config.yml")
    return render.alertmanager(config, "mail.example.org", render.Urls(), secrets)


def receivers(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {receiver["name"]: receiver for receiver in content["receivers"]}


def routes(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {route["receiver"]: route for route in content["route"]["routes"]}


def test_fills_in_every_channel(folder: Path) -> None:
    found = receivers(alertmanager(full(folder)))
    assert list(found) == ["log", "heartbeat", "telegram", "email"]
    assert found["log"]["webhook_configs"] == [{"url": "http://127.0.0.1:9925/alerts", "send_resolved": True}]
    assert found["heartbeat"]["webhook_configs"] == [
        {"url": "https://heartbeat.example/ping/0123", "send_resolved": False}
    ]
    [telegram] = found["telegram"]["telegram_configs"]
    assert telegram["bot_token"] == TOKEN
    assert telegram["chat_id"] == -1001234567890
    assert telegram["api_url"] == "https://api.telegram.org"
    [email] = found["email"]["email_configs"]
    assert email["to"] == "admin@example.net, second@example.net"
    assert email["from"] == email["auth_username"] == "watch@example.net"
    assert email["auth_password"] == "abcd efgh: {{x}} #'\""
    assert (email["smarthost"], email["hello"]) == ("smtp.gmail.com:587", "mail.example.org")
    assert email["require_tls"] is True
    assert "filled-in-by-render" not in str(found)


def test_without_channels_everything_is_only_logged() -> None:
    content = alertmanager("")
    assert list(receivers(content)) == ["log", "heartbeat"]
    assert "webhook_configs" not in receivers(content)["heartbeat"]
    assert list(routes(content)) == ["heartbeat", "log"]
    assert content["route"]["receiver"] == "log"


def test_on_port_465_alertmanager_is_not_told_to_ask_for_starttls(folder: Path) -> None:
    [email] = receivers(alertmanager(full(folder, smarthost="smtp.gmail.com:465")))["email"]["email_configs"]
    assert email["require_tls"] is False


@pytest.mark.parametrize(
    ("throttle", "interval", "warning", "critical"),
    [
        ("1h", "1h", "11h59m", "59m"),
        ("30m", "30m", "11h59m30s", "29m30s"),
        ("6s", "6s", "11h59m59s900ms", "5s900ms"),
        ("24h", "24h", "23h36m", "23h36m"),
    ],
)
def test_the_throttle_is_one_setting(folder: Path, throttle: str, interval: str, warning: str, critical: str) -> None:
    found = routes(alertmanager(full(folder, throttle)))
    for name in ("telegram", "email"):
        assert found[name]["group_interval"] == interval
        assert found[name]["repeat_interval"] == warning
        assert [child["repeat_interval"] for child in found[name]["routes"]] == [critical]
        assert found[name]["group_wait"] == "15s"
    assert found["heartbeat"]["repeat_interval"] == "50s"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (0.0004, "0s"), (1.5, "1s500ms"), (59.9999, "1m"), (90061, "25h1m1s")]
)
def test_durations_are_written_as_prometheus_reads_them(seconds: float, text: str) -> None:
    assert render.duration(seconds) == text


def test_every_secret_that_cannot_be_used_is_told_at_once(folder: Path) -> None:
    (folder / "token").unlink()
    (folder / "password").write_text("\n")
    (folder / "heartbeat").write_text("ftp://heartbeat.example\n")
    with pytest.raises(ConfigError) as error:
        alertmanager(full(folder))
    assert [str(problem) for problem in error.value.problems] == [
        f"config.yml: notifications.telegram.bot_token_file: {folder}/token cannot be read: No such file or directory",
        f"config.yml: notifications.email.password_file: {folder}/password is empty",
        f"config.yml: notifications.heartbeat.url_file: {folder}/heartbeat must hold one URL that begins with http:// "
        "or https://",
    ]


@pytest.mark.parametrize(
    "content", [b"not a token", b"123:", b":abc", b"123:a\n456:b", b"\xff\xfe", b"123:a b", b"x" * 100_000, b"1:\x00"]
)
def test_what_is_no_bot_token_is_refused_without_being_told(folder: Path, content: bytes) -> None:
    (folder / "token").write_bytes(content)
    with pytest.raises(ConfigError, match="must hold a bot token") as error:
        alertmanager(full(folder))
    assert content.decode(errors="replace")[:50] not in str(error.value).replace("bot token", "")


def test_no_value_can_change_what_the_file_means(tmp_path: Path, folder: Path) -> None:
    evil = 'x"\n  - name: y\n#: {{ template "a" }} & *b !!python/object'
    text = yaml.safe_dump(
        {"notifications": {"email": {"to": [evil + "@example.net"], "sender": "a@b", "smarthost": "x:25"}}}
    )
    config = read_text(text, "config.yml", Config())
    render.write(tmp_path / "out", config, "host", render.Urls(), render.Secrets())
    content = yaml.safe_load((tmp_path / "out" / "alertmanager.yml").read_text())
    assert receivers(content)["email"]["email_configs"][0]["to"] == evil + "@example.net"
    assert list(receivers(content)) == ["log", "heartbeat", "email"]


def test_prometheus_gets_the_name_of_the_host_and_the_addresses() -> None:
    urls = render.Urls("http://[::1]:1", "https://prometheus.example/p/", "http://127.0.0.1:3/am")
    content = render.prometheus("mail.example.org", urls)
    jobs = {job["job_name"]: job for job in content["scrape_configs"]}
    assert {
        name: (job["scheme"], job["static_configs"][0]["targets"], job["metrics_path"]) for name, job in jobs.items()
    } == {
        "mailserver-exporter": ("http", ["[::1]:1"], "/metrics"),
        "prometheus": ("https", ["prometheus.example"], "/p/metrics"),
        "alertmanager": ("http", ["127.0.0.1:3"], "/am/metrics"),
    }
    for job in jobs.values():
        assert job["static_configs"][0]["labels"] == {"instance": "mail.example.org"}
    [told] = content["alerting"]["alertmanagers"]
    assert (told["scheme"], told["path_prefix"]) == ("http", "/am")
    assert told["static_configs"] == [{"targets": ["127.0.0.1:3"]}]
    assert content["global"]["scrape_interval"] == "10s"
    assert content["global"]["evaluation_interval"] == "5s"


def test_the_command_writes_a_folder_that_is_complete(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "config.yml").write_text(full(folder))
    output = folder / "deep" / "out"
    old = os.umask(0o077)
    try:
        assert cli.main(["render", f"--config.file={folder / 'config.yml'}", f"--output={output}"]) == 0
        assert cli.main(["render", f"--config.file={folder / 'config.yml'}", f"--output={output}"]) == 0
    finally:
        os.umask(old)
    written = {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}
    assert {"alertmanager.yml", "prometheus.yml", "templates/telegram.tmpl", "templates/email.tmpl"} <= written
    assert {f"rules/{path.name}" for path in (ROOT / "rules").glob("*.rules.yml")} <= written
    assert set(capsys.readouterr().out.split()) == {str(output / name) for name in written}
    for name in written:
        mode = stat.S_IMODE((output / name).stat().st_mode)
        assert mode == (0o600 if name == "alertmanager.yml" else 0o644), name
    for path in (output, output / "rules", output / "templates"):
        # Prometheus and Alertmanager run as users of their own.
        assert stat.S_IMODE(path.stat().st_mode) == 0o755


def test_without_secrets_every_file_can_be_read_by_all(tmp_path: Path) -> None:
    assert cli.main(["render", f"--output={tmp_path / 'out'}"]) == 0
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").rglob("*.*ml")} == {0o644}


def test_the_files_can_be_given_to_another_user(folder: Path) -> None:
    (folder / "config.yml").write_text(full(folder))
    arguments = ["render", f"--config.file={folder / 'config.yml'}", f"--output={folder / 'out'}"]
    assert cli.main([*arguments, "--owner=65534:65534"]) == 0
    found = (folder / "out" / "alertmanager.yml").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (65534, 65534, 0o600)
    assert cli.main([*arguments, "--owner=nobody-of-that-name"]) == 2


def test_a_missing_secret_is_exit_status_2_and_leaves_what_was_there(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "config.yml").write_text(full(folder))
    arguments = ["render", f"--config.file={folder / 'config.yml'}", f"--output={folder / 'out'}"]
    assert cli.main(arguments) == 0
    before = (folder / "out" / "alertmanager.yml").read_bytes()
    (folder / "token").unlink()
    (folder / "heartbeat").unlink()
    capsys.readouterr()
    assert cli.main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "notifications.telegram.bot_token_file: " in said.err
    assert "notifications.heartbeat.url_file: " in said.err
    assert (folder / "out" / "alertmanager.yml").read_bytes() == before


def test_an_output_that_cannot_be_written_is_exit_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert cli.main(["render", f"--output={tmp_path / 'file'}"]) == 2
    assert "cannot write below" in capsys.readouterr().err


def test_what_is_shipped_is_found_in_the_installed_package_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resources.shipped("rules") == ROOT / "rules"
    package = tmp_path / "site-packages" / "mailserver_exporter"
    (package / "shipped" / "rules").mkdir(parents=True)
    monkeypatch.setattr(resources, "_PACKAGE", package)
    assert resources.shipped("rules") == package / "shipped" / "rules"
    with pytest.raises(FileNotFoundError, match=r"alertmanager/alertmanager\.yml is missing"):
        resources.shipped("alertmanager/alertmanager.yml")


def test_inhibition_knows_every_label_that_tells_two_alerts_apart() -> None:
    content = alertmanager("")
    known = {tuple(rule["equal"]) for rule in content["inhibit_rules"] if "alertname" in rule["equal"]}
    assert len(known) == 1
    used = {
        label.strip()
        for file in (ROOT / "rules").glob("*.rules.yml")
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
        for labels in re.findall(r"\b(?:by|on|group_left|group_right) \(([^)]*)\)", rule["expr"])
        for label in labels.split(",")
        if label.strip()
    }
    # Which mail stack a host has tells no two alerts of the host apart.
    assert used - {"severity", "mail_stack"} <= set(*known)
    assert {"instance", "mountpoint"} <= used


def test_inhibition_names_alerts_that_exist() -> None:
    names = {
        rule["alert"]
        for file in (ROOT / "rules").glob("*.rules.yml")
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    matchers = [
        matcher
        for rule in alertmanager("")["inhibit_rules"]
        for matcher in (*rule["source_matchers"], *rule["target_matchers"])
    ]
    matchers += [m for route in alertmanager("")["route"]["routes"] for m in route.get("matchers", ())]
    named = {name for m in matchers for name in re.findall(r'alertname!?[=~]+"(.*)"', m)}
    assert named
    assert {name for names_ in named for name in names_.split("|")} <= names
