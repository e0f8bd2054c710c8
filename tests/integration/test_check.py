"""``check`` asks a real Prometheus and a real Alertmanager, oldest and newest, what they know of us."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests
import yaml

from tests.support.exporter import NO_COLLECTORS
from tests.support.processes import answers, free_port, wait_for
from tests.support.tools import RELEASES, ROOT
from tests.support.watchers import INSTANCE, Watchers

SETTINGS = yaml.safe_load(NO_COLLECTORS)


@pytest.fixture(scope="module", params=RELEASES)
def watchers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watchers]:
    with Watchers(tmp_path_factory.mktemp("watchers"), SETTINGS, release=request.param) as watchers:
        wait_for("Prometheus has scraped", lambda: watchers.query("mailserver_exporter_build_info"), 30)
        yield watchers


def run(watchers: Watchers, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run ``check`` and return what it said."""
    urls = [f"--prometheus.url={watchers.prometheus_url}", f"--alertmanager.url={watchers.alertmanager_url}"]
    config = f"--config.file={watchers.exporter.config}"
    done = subprocess.run(
        [sys.executable, "-m", "mailserver_exporter", "check", "--json", config, *urls, *flags],
        env={**os.environ, "PYTHONPATH": str(ROOT / "exporter")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    for secret in (watchers.telegram.token, watchers.smtp.password):
        assert secret not in done.stdout + done.stderr
    return done


def check(watchers: Watchers, *flags: str) -> tuple[int, dict[str, dict[str, str]]]:
    """Return the exit status and what was found, by subject."""
    done = run(watchers, *flags)
    return done.returncode, {finding["subject"]: finding for finding in json.loads(done.stdout)}


def test_a_whole_stack_needs_no_attention(watchers: Watchers) -> None:
    status, found = check(watchers)
    assert status == 0, [finding for finding in found.values() if finding["state"] == "bad"]
    assert INSTANCE in found["scraped"]["detail"]
    alerts = sum(path.read_text().count("- alert: ") for path in (ROOT / "rules").glob("*.rules.yml"))
    assert found["rules"]["detail"] == f"Prometheus has our {alerts} alerts"
    assert watchers.alertmanager_url in found["alerts handed on"]["detail"]
    assert found["receivers"]["detail"].endswith("tells by Telegram and e-mail")


def test_a_prometheus_without_our_rules_is_told(watchers: Watchers) -> None:
    rules = watchers.rendered / "rules"
    aside = rules.with_name("aside")
    rules.rename(aside)
    try:
        watchers.prometheus.send(signal.SIGHUP)
        wait_for("the rules are gone", lambda: check(watchers)[1]["rules"]["state"] == "bad", 30, pause=0.5)
        status, found = check(watchers)
        assert status == 1
        assert "Prometheus lacks " in found["rules"]["detail"]
        assert "mailserver-exporter render" in found["rules"]["remedy"]
    finally:
        aside.rename(rules)
        watchers.prometheus.send(signal.SIGHUP)
        wait_for("the rules are back", lambda: check(watchers)[1]["rules"]["state"] == "good", 30, pause=0.5)


def test_an_exporter_that_is_down_is_told_by_who_scrapes_it(watchers: Watchers) -> None:
    watchers.exporter.stop()
    try:
        wait_for("the scrape has failed", lambda: check(watchers)[1]["scraped"]["state"] == "bad", 40, pause=0.5)
        assert watchers.exporter.url in check(watchers)[1]["scraped"]["detail"]
    finally:
        watchers.exporter.start()
        wait_for("it is scraped again", lambda: check(watchers)[1]["scraped"]["state"] == "good", 40, pause=0.5)


def test_a_channel_that_alertmanager_does_not_know_is_told(watchers: Watchers) -> None:
    """As after a change of config.yml that nobody has rendered."""
    whole = watchers.exporter.config.read_text()
    settings = yaml.safe_load(whole)
    del settings["notifications"]["email"]
    watchers.exporter.config.write_text(yaml.safe_dump(settings))
    watchers.render()
    watchers.exporter.config.write_text(whole)
    watchers.alertmanager.send(signal.SIGHUP)

    def told() -> bool:
        status, found = check(watchers)
        return status == 1 and found["receivers"]["detail"].endswith("tells by Telegram")

    try:
        wait_for("e-mail is missed", told, 30, pause=0.5)
    finally:
        watchers.render()
        watchers.alertmanager.send(signal.SIGHUP)
        wait_for("e-mail is back", lambda: check(watchers)[0] == 0, 30, pause=0.5)


def test_a_channel_that_alertmanager_knows_by_older_settings_is_told(watchers: Watchers) -> None:
    """As after a change of config.yml that nobody has rendered."""
    whole = watchers.exporter.config.read_text()
    settings = yaml.safe_load(whole)
    settings["notifications"]["telegram"]["chat_id"] = 42
    settings["notifications"]["email"]["to"] = ["somebody.else@example.net"]
    watchers.exporter.config.write_text(yaml.safe_dump(settings))
    try:
        done = run(watchers)
    finally:
        watchers.exporter.config.write_text(whole)
    assert done.returncode == 1
    bad = [finding for finding in json.loads(done.stdout) if finding["state"] == "bad"]
    server = f"the Alertmanager at {watchers.alertmanager_url}"
    assert [finding["detail"] for finding in bad] == [
        f"Telegram: {server} has another chat_id than config.yml (42)",
        f"e-mail: {server} has another to than config.yml (somebody.else@example.net)",
    ]
    assert all("mailserver-exporter render" in finding["remedy"] for finding in bad)


def test_a_test_goes_through_each_channel_and_to_alertmanager(watchers: Watchers) -> None:
    before = len(watchers.telegram.messages), len(watchers.smtp.mails)
    status, found = check(watchers, "--send-test")
    assert status == 0, [finding for finding in found.values() if finding["state"] == "bad"]
    good = {subject for subject, finding in found.items() if finding["state"] == "good"}
    assert {"Telegram test", "e-mail test", "test alert", "receivers", "scraped"} <= good
    assert found["heartbeat test"]["state"] == "off"
    assert "cpu" not in found
    assert len(watchers.telegram.messages) > before[0]
    assert len(watchers.smtp.mails) > before[1]
    alerts = requests.get(f"{watchers.alertmanager_url}/api/v2/alerts", timeout=5).json()
    assert "TestAlert" in {alert["labels"]["alertname"] for alert in alerts}


def test_who_is_not_there_or_somebody_else_is_told(watchers: Watchers) -> None:
    free, exporter = f"http://127.0.0.1:{free_port()}", watchers.exporter.url
    assert answers(f"{exporter}/-/ready")
    for url, reason in ((free, "Connection refused"), (exporter, "does not answer as it should")):
        status, found = check(watchers, f"--prometheus.url={url}", f"--alertmanager.url={url}")
        assert status == 1
        for subject in ("Prometheus", "Alertmanager"):
            assert found[subject]["state"] == "bad"
            assert reason in found[subject]["detail"]
            assert "make run" in found[subject]["remedy"]


def test_only_measuring_asks_nobody(watchers: Watchers) -> None:
    status, found = check(watchers, "--measure-only")
    assert status == 0
    assert not {"scraped", "rules", "receivers", "Prometheus", "Alertmanager"} & found.keys()
