"""What every rule, alert and runbook must have."""

from __future__ import annotations

import re
import subprocess
from collections import Counter

import promql_parser
import pytest

from mailserver_exporter.collectors import COLLECTORS
from tests.rules import rulefiles
from tests.rules.rulefiles import Rule
from tests.support.tools import ROOT

ALERTS = rulefiles.alerts()
# Fires always, so it has nothing to compare, to wait for or to keep.
CONSTANT = {"Watchdog"}
CHANGING = [alert for alert in ALERTS if alert.name not in CONSTANT]
SCRAPE_INTERVAL = 10.0
EVALUATION_INTERVAL = 5.0
COMPARISONS = {"==", "!=", ">", "<", ">=", "<="}
ANNOTATIONS = {"summary", "description", "action", "runbook_url"}
GOLDEN = ROOT / "tests" / "golden" / "metrics.tsv"
THRESHOLD = "mailserver_threshold_"
# A check of the DNS is good or bad; the other is over where the limit begins.
LIMIT_IS_NO_FIGURE = {"DnsCheckFailed", "FilesystemWillFill"}


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
    assert set(alert.annotations) - {"limit"} == ANNOTATIONS
    for name, text in alert.annotations.items():
        assert text.strip() == text
        assert text
        assert "\n" not in text, f"{name} is more than one line"
    assert alert.annotations["description"].endswith(".")
    assert "{{" not in alert.annotations["description"]
    assert len(alert.annotations["description"]) <= 160


@each(ALERTS)
def test_the_limit_that_an_alert_names_is_the_one_that_it_compares_with(alert: Rule) -> None:
    selectors = [node for node in alert.nodes(promql_parser.VectorSelector) if node.name.startswith(THRESHOLD)]
    limit = alert.annotations.get("limit", "")
    if selectors and alert.name not in LIMIT_IS_NO_FIGURE:
        [(query, keys)] = re.findall(r'query \(printf "(.*?)" (.*?)\)', limit)
        asked = promql_parser.parse(query.replace("%q", "'x'"))
        assert asked.name in {node.name for node in selectors}
        [family] = [line.split("\t") for line in GOLDEN.read_text().splitlines() if line.startswith(f"{asked.name}\t")]
        fixed = {(m.name, m.value) for m in asked.matchers.matchers if m.value != "x"}
        assert {matcher.name for matcher in asked.matchers.matchers} == {"instance", *family[2].split(",")}
        assert keys.split() == [f"$labels.{m.name}" for m in asked.matchers.matchers if (m.name, m.value) not in fixed]
        assert fixed <= {(m.name, m.value) for node in selectors for m in node.matchers.matchers}
        unit = {"ratio": "humanizePercentage", "seconds": "humanizeDuration"}.get(
            asked.name.rpartition("_")[2], ".Value"
        )
        assert unit in limit
    elif limit and "query" not in limit:
        number = float(limit.removesuffix("%")) / (100 if limit.endswith("%") else 1)
        assert number in {node.val for node in alert.nodes(promql_parser.NumberLiteral)}


@each(CHANGING)
def test_a_summary_with_a_figure_has_the_limit_beside_it(alert: Rule) -> None:
    """Where the figure tells how bad it is; others only count what should not be there at all."""
    counted = {
        "CertificateNotYetValid",
        "ContainerRestarting",
        "ContainerStopped",
        "DnsResolverFailing",
        "NetfilterRestarting",
        "QueueCorruptMessages",
        "VmailEntriesOwnerWrong",
        "ZombiesGrowing",
    }
    assert ("limit" in alert.annotations) or "$value" not in alert.annotations["summary"] or alert.name in counted


@each(CHANGING)
def test_the_action_can_be_pasted_into_a_shell_as_it_stands(alert: Rule) -> None:
    """One line of commands, and maybe another in brackets with the word that says when it is the one to run."""
    action = re.sub(r"\{\{ `(.*?)` \}\}", r"\1", re.sub(r"\{\{ \$labels\.\w+ \}\}", "x", alert.annotations["action"]))
    command, _, other = re.fullmatch(r"(.+?)( \([a-z0-9 ]{1,30}: (.+)\))?", action).groups()  # type: ignore[union-attr]
    for line in filter(None, (command, other)):
        done = subprocess.run(["bash", "-n", "-c", line], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert len(line) <= 170, "the messages would cut it"
        assert not re.search(r"\b(HOST|PORT|ADDRESS|NAME|CERTIFICATE)\b", line), "it has to be filled in first"
        if "docker compose" in line and "-p " not in line and "compose:" not in action:
            assert line.startswith("cd /opt/mailcow-dockerized && ") or alert.name == "ContainerImageOld"


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
