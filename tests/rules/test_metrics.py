"""Every metric and label that a rule names is one that is really exposed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import promql_parser
import pytest
import requests
import yaml

from mailserver_exporter.collectors.temperature import TemperatureCollector
from mailserver_exporter.settings.limits import Limits
from tests.rules import rulefiles
from tests.support import golden
from tests.support.contexts import context
from tests.support.metrics import Exposition
from tests.support.processes import Program, answers, free_port, wait_for
from tests.support.sensors import Sensors
from tests.support.tools import RELEASES, program

# Labels that Prometheus adds to each series of a scrape.
TARGET_LABELS = {"instance", "job"}
MONITORING = ("prometheus_", "alertmanager_")


def named() -> dict[str, set[str]]:
    """Return the metrics that rules name, each with the labels that are matched; not those made by rules."""
    made = {rule.name for rule in rulefiles.rules()} | {"ALERTS", "up"}
    found: dict[str, set[str]] = {}
    for rule in rulefiles.rules():
        for node in rule.nodes(promql_parser.VectorSelector):
            if node.name not in made:
                found.setdefault(node.name, set()).update(matcher.name for matcher in node.matchers.matchers)
    return found


def test_every_recorded_series_that_a_rule_names_is_recorded_before_in_the_same_file() -> None:
    known: dict[str, Path] = {}
    for rule in rulefiles.rules():
        for node in rule.nodes(promql_parser.VectorSelector):
            if ":" in node.name:
                assert known.get(node.name) == rule.file, node.name
        known[rule.name] = rule.file


def test_the_exporter_exposes_every_metric_and_label_that_a_rule_names(tmp_path: Path) -> None:
    """The golden file is what a whole mail host exposes; a machine without sensors has their names from a fixture."""
    Sensors(tmp_path / "sys")
    sensors = Exposition.of(TemperatureCollector(context(tmp_path, rootfs=tmp_path)).collect())
    families = [*golden.committed(), *golden.families(sensors)]
    exposed = {family.name: set(family.labels.split(",")) for family in families}
    wanted = {name: labels for name, labels in named().items() if not name.startswith(MONITORING)}

    assert wanted.keys() - exposed.keys() == set()
    assert {name: odd for name, labels in wanted.items() if (odd := labels - exposed[name] - TARGET_LABELS)} == {}


def test_every_limit_is_exported_and_has_an_alert() -> None:
    limits = {f"mailserver_threshold_{limit.name}" for limit in fields(Limits)}
    # Not a limit but which severity a check has, which is a setting of `dns`.
    limits.add("mailserver_threshold_dns_check")
    exposed = {family.name for family in golden.committed() if family.name.startswith("mailserver_threshold_")}
    compared = {
        node.name
        for alert in rulefiles.alerts()
        for node in alert.nodes(promql_parser.VectorSelector)
        if node.name.startswith("mailserver_threshold_")
    }
    assert limits == exposed == compared


@pytest.fixture(params=RELEASES)
def monitoring(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Exposition]:
    """What Prometheus and Alertmanager of a release expose."""
    ports = free_port(), free_port()
    alertmanager, prometheus = (f"127.0.0.1:{port}" for port in ports)
    receiver = {"name": "log", "webhook_configs": [{"url": "http://127.0.0.1:9/"}]}
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump({"route": {"receiver": "log"}, "receivers": [receiver]}))
    alerting = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    (tmp_path / "prometheus.yml").write_text(
        yaml.safe_dump({"alerting": alerting, "rule_files": [str(rulefiles.RULES / "*.rules.yml")]})
    )
    first = Program(
        [
            program("prometheus-alertmanager", request.param),
            f"--config.file={tmp_path}/alertmanager.yml",
            f"--storage.path={tmp_path}/alertmanager",
            f"--web.listen-address={alertmanager}",
            "--cluster.listen-address=",
        ],
        tmp_path / "alertmanager.log",
        ready=lambda: answers(f"http://{alertmanager}/-/ready"),
    )
    second = Program(
        [
            program("prometheus", request.param),
            f"--config.file={tmp_path}/prometheus.yml",
            f"--storage.tsdb.path={tmp_path}/prometheus",
            f"--web.listen-address={prometheus}",
        ],
        tmp_path / "prometheus.log",
        ready=lambda: answers(f"http://{prometheus}/-/ready"),
    )
    found = f"http://{prometheus}/api/v1/alertmanagers"
    with first, second:
        # The counters of an Alertmanager are there once Prometheus has found it.
        wait_for("Alertmanager found", lambda: requests.get(found, timeout=10).json()["data"]["activeAlertmanagers"])
        answered = [requests.get(f"http://{address}/metrics", timeout=10) for address in (prometheus, alertmanager)]
        yield Exposition("".join(answer.text for answer in answered))


def test_prometheus_and_alertmanager_expose_what_the_rules_about_them_name(monitoring: Exposition) -> None:
    wanted = {name for name in named() if name.startswith(MONITORING)}
    assert wanted
    assert wanted - monitoring.names() == set()
    assert monitoring.all("alertmanager_notification_requests_failed_total", integration="webhook")
