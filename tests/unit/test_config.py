"""The configuration file: what it changes, and what it says when it is wrong."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from mailserver_exporter.collectors import COLLECTORS
from mailserver_exporter.config import Config, ConfigError, load
from mailserver_exporter.schema import read_text
from mailserver_exporter.settings.limits import Limits
from mailserver_exporter.settings.types import Section
from tests.support.contexts import context


def read(text: str) -> Config:
    return read_text(text, "config.yml", Config())


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_text(text, "config.yml", Config())
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "limits:\n", "limits: {}\nports: {}"])
def test_an_empty_file_is_the_defaults(text: str) -> None:
    assert read(text) == Config()


def test_the_defaults_are_the_admins_stated_wishes() -> None:
    limits = {f.name: dict(getattr(Limits(), f.name).severities()) for f in fields(Limits)}
    assert limits == {
        "cpu_usage_ratio": {"warning": 0.8, "critical": 0.9},
        "memory_usage_ratio": {"warning": 0.8, "critical": 0.9},
        "filesystem_usage_ratio": {"warning": 0.8, "critical": 0.9},
        "load_per_core": {"info": 1.0, "critical": 1.7},
        "queue_messages": {"warning": 10, "critical": 50},
        "queue_oldest_message_age_seconds": {"warning": 3600, "critical": 14400},
        "roundtrip_duration_seconds": {"warning": 30},
        "roundtrip_failed_ratio": {"warning": 0.06, "critical": 0.144},
        "certificate_remaining_seconds": {"warning": 1814400, "critical": 604800},
        "sshd_failures": {"info": 100, "warning": 500},
        "dovecot_login_failures": {"warning": 300},
        "dovecot_errors": {"warning": 10},
        "sogo_login_failures": {"warning": 100},
        "mailcow_ui_login_failures": {"warning": 30},
        "log_silence_seconds": {"warning": 21600},
        "backup_age_seconds": {"warning": 93600, "critical": 180000},
        "backup_size_ratio": {"warning": 0.5},
        "backup_copy_age_seconds": {"warning": 180000},
        "backup_rehearsal_age_seconds": {"info": 15552000},
        "bounced_ratio": {"warning": 0.1, "critical": 0.5},
        "deferred_ratio": {"warning": 0.5},
        "sasl_failures": {"warning": 300},
        "remote_rejections": {"warning": 5, "critical": 50},
        "clock_offset_seconds": {"warning": 0.1},
        "security_update_age_seconds": {"warning": 172800},
        "reboot_required_age_seconds": {"warning": 259200},
        "package_lists_age_seconds": {"info": 604800},
        "report_overdue_seconds": {"warning": 3600},
        "container_image_age_seconds": {"info": 7776000},
    }
    assert Config().notifications.throttle == 3600


def test_giving_one_key_leaves_its_neighbours_alone() -> None:
    limit = read("limits: {filesystem_usage_ratio: {warning: 0.7}}").limits.filesystem_usage_ratio
    assert (limit.warning, limit.critical) == (0.7, 0.9)


def test_an_override_starts_from_the_limit_it_overrides() -> None:
    text = "limits: {filesystem_usage_ratio: {warning: 0.6, overrides: {/var/vmail: {critical: 0.95}}}}"
    limit = read(text).limits.filesystem_usage_ratio
    assert dict(limit.of("/var/vmail").severities()) == {"warning": 0.6, "critical": 0.95}
    assert dict(limit.of("/").severities()) == {"warning": 0.6, "critical": 0.9}


def test_null_switches_a_severity_off_and_it_is_told() -> None:
    config = read("limits: {load_per_core: {info: null}, queue_messages: {warning: null, critical: null}}")
    assert config.switched_off() == [
        "limits.load_per_core.info",
        "limits.queue_messages.critical",
        "limits.queue_messages.warning",
    ]


def test_a_severity_that_an_override_switches_off_is_told() -> None:
    config = read("limits: {filesystem_usage_ratio: {overrides: {/boot: {warning: null}}}}")
    assert config.switched_off() == ["limits.filesystem_usage_ratio.overrides./boot.warning"]


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1h30m", 5400), ("21d", 1814400), ("0.5h", 1800)])
def test_durations(text: str, seconds: float) -> None:
    assert read(f"notifications: {{throttle: {text}}}").notifications.throttle == seconds


def test_every_collector_is_switched_off_by_a_section(tmp_path: Path) -> None:
    off = "".join(f"{f.name}: {{enabled: false}}\n" for f in fields(Config) if isinstance(f.default, Section))
    given = context(tmp_path, off)
    assert [collector.name for collector in COLLECTORS if collector(given).section.enabled is not False] == []


def test_every_error_at_once_with_line_key_and_what_is_allowed() -> None:
    found = problems(
        "limits:\n"
        "  cpu_usage_ratio: {warning: 80}\n"
        "  queue_messages: {warning: ten, critical: 5}\n"
        "  certificate_remaining_seconds: {warning: 3d}\n"
        "ports:\n"
        "  targets:\n"
        "    - {port: 99999, protocol: smtp}\n"
        "    - {protocol: gopher}\n"
        "fail2ban: [sshd]\n"
        "colour: blue\n"
        "notifications: {telegram: {chat_id: x}, throttle: 0s}\n"
        "state_directory: relative\n"
    )
    assert found[:3] == [
        "config.yml:2: limits.cpu_usage_ratio.warning: must be a number from 0 to 1, not '80'",
        "config.yml:3: limits.queue_messages.warning: must be a number from 0, not 'ten'",
        "config.yml:4: limits.certificate_remaining_seconds.critical: must be below warning (259200), not 604800",
    ]
    assert "config.yml:7: ports.targets[0].port: must be a whole number from 1 to 65535, not '99999'" in found
    assert "config.yml:8: ports.targets[1].port: is missing" in found
    assert any("ports.targets[1].protocol: must be one of smtp, imap, pop3, sieve, https" in line for line in found)
    assert "config.yml:9: fail2ban: must be a mapping of settings, not a list" in found
    assert any(line.startswith("config.yml:10: colour: is not a setting; allowed here: hostname") for line in found)
    assert any("notifications.telegram.bot_token_file: is missing" in line for line in found)
    assert any("notifications.throttle: must be a duration" in line and "at least 1s" in line for line in found)
    assert "config.yml:12: state_directory: must be an absolute path, not 'relative'" in found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: b: c", "config.yml:1: is not valid YAML: mapping values are not allowed here"),
        (b"\xff\xfe\xff", "config.yml: is not valid YAML"),
        ("- a\n- b", "config.yml:1: must be a mapping of settings, not a list"),
        ("cpu: {enabled: true}\ncpu: {enabled: false}", "config.yml:2: cpu: is given twice"),
        ("cpu: {enabled: yes please}", "config.yml:1: cpu.enabled: must be true or false, not 'yes please'"),
        ("hostname: 'a b'", "config.yml:1: hostname: must be a host name or an IP address, not 'a b'"),
        ("hostname: !!python/object/apply:os.system ['true']", "hostname: must be one value, not a list"),
        ("vmail: {mode: 0700}", "config.yml:1: vmail.mode: must be an octal mode in quotes such as '0700'"),
        ("cpu: {? [a, b] : 1}", "cpu.a list: is not a setting"),
        (
            "notifications: {email: {to: [me], sender: a@b, username: u}}",
            "notifications.email.to: must be an e-mail address, not 'me'",
        ),
        ("limits: {cpu_usage_ratio: {warning: .nan}}", "must be a number from 0 to 1"),
        (f"limits: {{queue_messages: {{warning: {'9' * 400}}}}}", "must be a number from 0"),
        (f"notifications: {{throttle: {'9' * 400}d}}", "must be a duration"),
        (f"notifications: {{telegram: {{chat_id: {'9' * 400}}}}}", "must be a whole number"),
        ('queue: {directory: "/a\\0b"}', "config.yml:1: queue.directory: must be a text without NUL"),
        ('queue: {directory: "/a\\uD800b"}', "queue.directory: must be a text without NUL"),
    ],
)
def test_what_is_wrong_is_said(text: str | bytes, told: str) -> None:
    assert any(told in line for line in problems(text)), problems(text)


@pytest.mark.parametrize("key", ["telegram: {chat_id: 1, bot_token_file", "heartbeat: {url_file"])
def test_a_secret_in_the_place_of_its_file_is_not_told(key: str) -> None:
    [told] = problems(f"notifications: {{{key}: '123456:ABC-secret'}}}}")
    assert told.endswith("_file: must be an absolute path")


def test_deeply_nested_yaml_is_an_error_and_no_crash() -> None:
    assert "not valid YAML" in problems("[" * 5000)[0]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.yml: cannot be read: No such file"):
        load(tmp_path / "missing.yml")
    big = tmp_path / "big.yml"
    big.write_bytes(b"#" * 1_000_001)
    with pytest.raises(ConfigError, match="is larger than"):
        load(big)


def test_the_state_is_kept_where_the_service_manager_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Config().state_directory == Path("/var/lib/mailserver-exporter")
    monkeypatch.setenv("STATE_DIRECTORY", "/srv/state:/srv/second")
    assert Config().state_directory == Path("/srv/state")
    assert read("state_directory: /var/state").state_directory == Path("/var/state")
