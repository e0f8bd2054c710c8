"""What every rule, alert and runbook must have."""

from __future__ import annotations

import re
from collections import Counter

import promql_parser
import pytest

from mailserver_exporter.collectors import COLLECTORS
from tests.rules import rulefiles
from tests.rules.rulefiles import Rule

ALERTS = rulefiles.alerts()
# Fires always, so it has nothing to compare, to wait for or to keep.
CONSTANT = {"Watchdog"}
CHANGING = [alert for alert in ALERTS if alert.name not in CONSTANT]
SCRAPE_INTERVAL = 10.0
EVALUATION_INTERVAL = 5.0
COMPARISONS = {"==", "!=", ">", "<", ">=", "<="}
ANNOTATIONS = {"summary", "description", "action", "runbook_url"}


def each(alerts: list[Rule]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("alert", alerts, ids=lambda alert: alert.name)


def test_there_are_rules_about_every_collector_that_has_something_to_alert_on() -> None:
    subjects = {alert.labels["collector"] for alert in ALERTS if "collector" in alert.labels}
    # The first two only explain what others alert on; of a database that cannot be read CollectorFailed tells.
    assert {collector.name for collector in COLLECTORS} - subjects == {"disk", "top", "fail2ban_database"}
    assert subjects <= {collector.name for collector in COLLECTORS}


def test_every_name_is_given_once() -> None:
    assert [name for name, times in Counter(rule.name for rule in rulefiles.rules()).items() if times > 1] == []


@each(ALERTS)
def test_an_alert_is_named_in_camel_case_and_says_all_that_the_admin_needs(alert: Rule) -> None:
    assert re.fullmatch(r"([A-Z][a-z0-9]+){1,5}", alert.name)
    assert set(alert.annotations) == ANNOTATIONS
    for name, text in alert.annotations.items():
        assert text.strip() == text
        assert text
        assert "\n" not in text, f"{name} is more than one line"
    assert alert.annotations["description"].endswith(".")
    assert "{{" not in alert.annotations["description"]
    assert len(alert.annotations["description"]) <= 160


@each(ALERTS)
def test_the_runbook_page_has_its_four_sections_and_fits_a_phone(alert: Rule) -> None:
    assert alert.annotations["runbook_url"] == f"{rulefiles.RUNBOOK_URL}{alert.name}.md"
    text = (rulefiles.RUNBOOKS / f"{alert.name}.md").read_text()
    assert re.findall(r"^#+ .*$", text, re.MULTILINE)[:5] == [
        f"# {alert.name}",
        *("## Meaning", "## Impact", "## Diagnosis", "## Mitigation"),
    ]
    assert all(section.strip() for section in re.split(r"^#+ .*$", text, flags=re.MULTILINE)[1:][1:])
    assert "\n    " in text, "no command to run"
    assert len(text.splitlines()) <= 70
    for page in re.findall(r"\]\(([^)]*)\)", text):
        assert (rulefiles.RUNBOOKS / page).exists(), page


def test_what_the_runbooks_forget_is_named_as_it_is_remembered() -> None:
    placeholders = {
        "JAIL",
        "MOUNTPOINT",
        "DIRECTORY",
        "DOMAIN",
        "NAME",
        "PROJECT/SERVICE",
        "HOST:PORT/MODULE",
        "LOG:PROGRAM",
        "synchronised",
    }
    for page in rulefiles.RUNBOOKS.glob("*.md"):
        names = set(re.findall(r"mailserver-exporter forget ([^`]+?)(?: --kind \w+)?`", page.read_text()))
        assert names <= placeholders | {collector.name for collector in COLLECTORS}, page.name


def test_there_is_no_runbook_page_without_an_alert() -> None:
    assert {page.stem for page in rulefiles.RUNBOOKS.iterdir()} == {alert.name for alert in ALERTS}


@each(ALERTS)
def test_the_severity_is_given_or_comes_from_the_threshold(alert: Rule) -> None:
    limited = any(node.name.startswith("mailserver_threshold_") for node in alert.nodes(promql_parser.VectorSelector))
    if "severity" in alert.labels:
        assert alert.labels["severity"] in ({"none"} if alert.name in CONSTANT else {"info", "warning", "critical"})
    else:
        assert limited


@each(ALERTS)
def test_the_label_collector_says_whose_failure_silences_the_alert(alert: Rule) -> None:
    """Alertmanager silences by it what comes from a collector that fails, so that no recovery is told that is none."""
    wanted = {
        "exporter": {None},
        "monitoring": {None},
        "queue": {"queue", "queue_messages"},
        "mail_flow": {"logs"},
        "roundtrip": {"roundtrip", "roundtrip_outside"},
        "mailcow": {"logs"},
        "ssh": {"logs"},
        "dovecot": {"logs"},
    }
    assert alert.labels.get("collector") in wanted.get(alert.subject, {alert.subject})


@each(ALERTS)
def test_no_label_changes_with_the_value(alert: Rule) -> None:
    assert all("{{" not in value for value in alert.labels.values())


@each(CHANGING)
def test_an_alert_compares(alert: Rule) -> None:
    assert COMPARISONS & {str(node.op) for node in alert.nodes(promql_parser.BinaryExpr)}


@each(CHANGING)
def test_a_critical_alert_waits_half_a_minute_at_most_and_every_alert_waits(alert: Rule) -> None:
    waits = alert.seconds("for")
    assert waits >= SCRAPE_INTERVAL
    if alert.labels.get("severity", "critical") == "critical":
        assert waits <= 30


@each(CHANGING)
def test_no_alert_resolves_before_the_failure_that_silences_it_is_known(alert: Rule) -> None:
    """When the exporter or Docker goes, all series go: what fires must go on until that alert does."""
    [down] = [other for other in ALERTS if other.name == "ExporterDown"]
    assert alert.seconds("keep_firing_for") >= down.seconds("for") + 2 * EVALUATION_INTERVAL + SCRAPE_INTERVAL


@each(rulefiles.rules())
def test_a_range_holds_four_scrapes(alert: Rule) -> None:
    ranges = [node.range.total_seconds() for node in alert.nodes(promql_parser.MatrixSelector)]
    assert [found for found in ranges if found < 4 * SCRAPE_INTERVAL] == []


@each(rulefiles.rules())
def test_hosts_are_never_mixed(alert: Rule) -> None:
    """Every aggregation and every match keeps ``instance``, so that a rule works for many hosts."""
    for node in alert.nodes(promql_parser.AggregateExpr):
        assert "instance" in node.modifier.labels, node
    for node in alert.nodes(promql_parser.BinaryExpr):
        if node.modifier and node.modifier.matching:
            assert "instance" in node.modifier.matching.labels, node


def test_each_collector_with_an_alert_of_its_own_is_left_to_it() -> None:
    """A failed collector is told once: by its own alert, or else by CollectorFailed."""
    named: dict[str, list[str]] = {}
    for alert in ALERTS:
        for node in alert.nodes(promql_parser.VectorSelector):
            if node.name == "mailserver_collector_success":
                named.setdefault(alert.name, []).extend(m.value for m in node.matchers.matchers)
    [left_out] = named.pop("CollectorFailed")
    # The first selector is what the alert is about; further ones say what else explains it.
    assert {values[0] for values in named.values()} == set(left_out.split("|"))


def test_a_series_of_alerts_is_only_looked_at_by_the_alert_itself() -> None:
    for rule in rulefiles.rules():
        for node in rule.nodes(promql_parser.VectorSelector):
            if node.name == "ALERTS":
                assert ("alertname", rule.name) in {(m.name, m.value) for m in node.matchers.matchers}
