"""What the report tells without Prometheus: what was wrong first, then the figures against their limits."""

from __future__ import annotations

from datetime import timezone

import pytest

from mailserver_exporter.finding import Finding
from mailserver_exporter.report.gauges import Gauges
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.sections import exporter
from mailserver_exporter.report.sections.exporter import Facts

SAY = {name: Language(name, timezone.utc) for name in ("en", "de")}
NOW = 1_795_050_000.0
# From the answer of /metrics of a mail host, shortened.
EXPOSITION = b"""\
# HELP node_load5 5m load average.
# TYPE node_load5 gauge
node_load5 1.5
# TYPE node_cpu_seconds_total counter
node_cpu_seconds_total{cpu="0",mode="idle"} 100
node_cpu_seconds_total{cpu="0",mode="user"} 100
node_cpu_seconds_total{cpu="1",mode="idle"} 100
# TYPE node_memory_MemTotal_bytes gauge
node_memory_MemTotal_bytes 4e+09
# TYPE node_memory_MemAvailable_bytes gauge
node_memory_MemAvailable_bytes 6e+08
# TYPE node_filesystem_size_bytes gauge
node_filesystem_size_bytes{device="/dev/vda",fstype="ext4",mountpoint="/"} 100
node_filesystem_size_bytes{device="/dev/vdb",fstype="ext4",mountpoint="/var/vmail"} 100
node_filesystem_size_bytes{device="none",fstype="tmpfs",mountpoint="/empty"} 0
node_filesystem_free_bytes{device="/dev/vda",fstype="ext4",mountpoint="/"} 60
node_filesystem_free_bytes{device="/dev/vdb",fstype="ext4",mountpoint="/var/vmail"} 10
node_filesystem_free_bytes{device="none",fstype="tmpfs",mountpoint="/empty"} 0
node_filesystem_avail_bytes{device="/dev/vda",fstype="ext4",mountpoint="/"} 60
node_filesystem_avail_bytes{device="/dev/vdb",fstype="ext4",mountpoint="/var/vmail"} 5
node_filesystem_avail_bytes{device="none",fstype="tmpfs",mountpoint="/empty"} 0
postfix_showq_queue_depth{queue="active"} 2
postfix_showq_queue_depth{queue="deferred"} 10
postfix_showq_queue_depth{queue="hold"} 99
mailserver_container_state{name="a",state="running"} 1
mailserver_container_state{name="a",state="exited"} 0
mailserver_container_state{name="b",state="exited"} 1
mailserver_service_up{project="p",service="a"} 1
mailserver_service_up{project="p",service="b"} 0
probe_success{module="smtp",target="127.0.0.1:25"} 0
probe_success{module="imap_tls",target="127.0.0.1:993"} 1
probe_ssl_earliest_cert_expiry{module="imap_tls",target="127.0.0.1:993"} 1795482000
node_boot_time_seconds 1794963600
mailserver_threshold_load_per_core{severity="info"} 1.0
mailserver_threshold_memory_usage_ratio{severity="warning"} 0.8
mailserver_threshold_memory_usage_ratio{severity="critical"} 0.9
mailserver_threshold_filesystem_usage_ratio{mountpoint="/",severity="warning"} 0.8
mailserver_threshold_filesystem_usage_ratio{mountpoint="/var/vmail",severity="critical"} 0.9
mailserver_threshold_queue_messages{severity="warning"} 10
mailserver_threshold_certificate_remaining_seconds{module="imap_tls",target="127.0.0.1:993",severity="critical"} 604800
something_else{a="b"} 1
"""


def facts(*findings: Finding, exposition: bytes = EXPOSITION) -> Facts:
    """Return what was found and measured."""
    return Facts(findings, exporter._figures(exposition), NOW)


def test_figures_are_told_against_their_limits() -> None:
    (table,) = exporter.show(facts(), SAY["en"]).tables
    assert [(row[0].text, row[1].text, row[1].state) for row in table.rows] == [
        ("Load per core", "0.75", ""),
        ("Memory", "85%", "warning"),
        ("/var/vmail", "95%", "critical"),
        ("/", "40%", ""),
        ("Messages in the queue", "12", "warning"),
        ("Ports that answer", "1 of 2", "critical"),
        ("Services that run", "1 of 2", "critical"),
        ("Containers that run", "1 of 2", ""),
        ("Certificates last for", "5\xa0d", "critical"),
        ("Up for", "1\xa0d", ""),
    ]


def test_only_what_is_told_is_read() -> None:
    figures = exporter._figures(EXPOSITION)
    assert not list(figures.matching("something_else"))
    assert figures.value("node_load5") == 1.5


def test_what_is_wrong_comes_first() -> None:
    section = exporter.show(facts(Finding("queue", "bad", "cannot be read", "chmod g+r /x")), SAY["en"])
    assert section.tables[0].title == "Needs attention"
    assert [cell.text for cell in section.tables[0].rows[0]] == ["queue", "cannot be read"]
    assert (section.state, section.summary) == ("critical", "1 thing needs attention")


def test_what_was_found_is_advised_with_its_remedy() -> None:
    actions = list(exporter.advise(facts(Finding("queue", "bad", "cannot be read", "chmod g+r /x")), SAY["en"]))
    assert [(action.rule, action.severity) for action in actions] == [
        ("found-by-the-exporter-itself", "warning"),
        ("filesystem-over-its-limit", "critical"),
        ("services-down", "critical"),
    ]
    assert (actions[0].text, actions[0].command) == ("queue: cannot be read", "chmod g+r /x")
    assert actions[1].text == "Fuller than its limit: /var/vmail (95%)."
    assert actions[2].text == "Does not answer: 127.0.0.1:25."


@pytest.mark.parametrize("language", ["en", "de"])
def test_nothing_wrong_is_said_to_be_so(language: str) -> None:
    given = facts(exposition=b"node_load5 0.1\n")
    section = exporter.show(given, SAY[language])
    assert section.state == "good"
    assert section.summary == {"en": "nothing wrong was found", "de": "nichts Auffälliges gefunden"}[language]
    assert list(exporter.advise(given, SAY[language])) == []


def test_nothing_at_all_can_be_told() -> None:
    section = exporter.show(Facts(figures=Gauges(), unfinished=("ports",)), SAY["en"])
    assert section.tables == ()
    assert section.notes[1] == "Not ready in time: ports."


def test_many_findings_are_bounded() -> None:
    many = [Finding("logs", "bad", f"{number}") for number in range(300)]
    section = exporter.show(facts(*many), SAY["en"])
    assert len(section.tables[0].rows) == 20
    assert section.tables[0].left_out == "280 more"
    assert len(list(exporter.advise(facts(*many), SAY["en"]))) == 7
